// The input is a play: it writes commits into a segment and then hurts the image. What must hold: a scan gives exactly the
// records before the first hurt byte, at most those of its commit behind it are lost without a word, and nothing is read
// outside. The raw input is scanned as a segment, too.
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "keep/journal_scan.h"

enum { IMAGE_BYTES = 1 << 13, RECORDS_MAX = 64 };

typedef struct { uint64_t begin, end, commit; } extent;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan_raw(str input)
{
    segment_scan scan;
    segment_record r;
    uint64_t torn, at = 0;
    if (!segment_scan_begin(&scan, input))
        return;
    while (segment_scan_next(&scan, &r)) {
        must(r.offset >= at && r.bytes.at + r.bytes.len <= input.at + input.len);
        at = scan.at;
    }
    segment_scan_tail(&scan, &torn);
    must(scan.at + torn <= (uint64_t)input.len);
}

// Raw input behind an intact head, so that the fuzzer gets past the checksum.
static void scan_behind_head(str input, unsigned char *image)
{
    size_t size = (size_t)input.len < IMAGE_BYTES - SEGMENT_HEAD_BYTES ? (size_t)input.len : IMAGE_BYTES - SEGMENT_HEAD_BYTES;
    segment_head_write(image, (segment_head){.number = 1, .mark = 0x6161616161616161u, .first_sequence = 1});
    memcpy(image + SEGMENT_HEAD_BYTES, input.at, size);
    scan_raw(str_of(image, SEGMENT_HEAD_BYTES + size));
}

static int records_write(reader *play, unsigned char *image, segment_head head, extent *at, uint64_t *end)
{
    int count = 0;
    uint64_t commit = *end;
    for (int left = rd_u8(play) % RECORDS_MAX; left > 0 && !play->bad; left--) {
        unsigned shape = rd_u8(play);
        str piece = rd_bytes(play, (size_t)rd_u8(play) % 61);
        if (shape & 1)
            commit = *end;
        if (play->bad || *end + RECORD_HEAD_BYTES + (uint64_t)piece.len > IMAGE_BYTES / 2)
            break;
        uint64_t sequence = head.first_sequence + (uint64_t)count * 2;
        record_head_write(image + *end, head.mark, sequence, commit, &piece, 1, (uint32_t)piece.len);
        if (piece.len)
            memcpy(image + *end + RECORD_HEAD_BYTES, piece.at, (size_t)piece.len);
        at[count++] = (extent){*end, *end + RECORD_HEAD_BYTES + (uint64_t)piece.len, commit};
        *end = at[count - 1].end;
    }
    return count;
}

static void scan_hurt(str image, const extent *at, int count, uint64_t hurt)
{
    segment_scan scan;
    segment_record r;
    uint64_t torn;
    int whole = 0, found = 0;
    while (whole < count && at[whole].end <= hurt)
        whole++;
    must(segment_scan_begin(&scan, image));
    while (segment_scan_next(&scan, &r)) {
        must(found < whole && r.offset == at[found].begin && scan.at == at[found].end);
        found++;
    }
    must(found == whole);
    bool promised = whole < count && at[count - 1].commit > at[whole].begin;
    bool last_intact = whole < count - 1;          // a later commit shows only where its record is not the hurt one
    segment_tail tail = segment_scan_tail(&scan, &torn);
    must(!(promised && last_intact) || tail == TAIL_DAMAGED);
    must(promised || tail != TAIL_DAMAGED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char image[IMAGE_BYTES];
    scan_raw(str_of(data, size));
    scan_behind_head(str_of(data, size), image);
    memset(image, 0, sizeof image);
    reader play = rd_of(str_of(data, size));
    segment_head head = {.number = 3, .mark = 0xfeedfacecafe0000u + rd_u8(&play), .first_sequence = 1 + rd_u8(&play)};
    segment_head_write(image, head);
    extent at[RECORDS_MAX] = {0};
    uint64_t end = SEGMENT_HEAD_BYTES;
    uint16_t where = rd_u16(&play);
    uint8_t with = rd_u8(&play);
    int count = records_write(&play, image, head, at, &end);
    scan_hurt(str_of(image, IMAGE_BYTES), at, count, IMAGE_BYTES);
    if (count == 0 || with == 0)
        return 0;
    uint64_t hurt = SEGMENT_HEAD_BYTES + where % (end - SEGMENT_HEAD_BYTES);
    image[hurt] ^= with;
    scan_hurt(str_of(image, IMAGE_BYTES), at, count, hurt);
    return 0;
}
