#include "rooms/swarm/store_journal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"

// All integers are big endian. Head: magic, info hash, pieces u32, files u32. Then records: length of the payload u32, crc32c u32 over info
// hash, offset of the record u64, kind and payload; kind u8; payload.
static const char magic[] = "naruHAV1";
enum {
    MAGIC_BYTES = 8, HEAD_BYTES = MAGIC_BYTES + INFO_HASH_BYTES + 8, RECORD_HEAD_BYTES = 9,
    KIND_SNAPSHOT = 1, KIND_BEGIN = 2, KIND_PIECES = 3,
    FILE_STATE_BYTES = 17,
};

// ---- reading ----------------------------------------------------------------------------------------------------------------

static uint32_t record_sum(const uint8_t *hash, int64_t offset, unsigned kind, str payload)
{
    unsigned char place[9];
    writer w = wr_into(place, sizeof place);
    wr_u64(&w, (uint64_t)offset);
    wr_u8(&w, kind);
    uint32_t sum = crc32c(0, str_of(hash, INFO_HASH_BYTES));
    return crc32c(crc32c(sum, wr_str(&w)), payload);
}

typedef struct { unsigned kind; str payload; } record;

static bool record_next(reader *r, const uint8_t *hash, record *out)
{
    int64_t offset = rd_at(r);
    uint32_t length = rd_u32(r), sum = rd_u32(r);
    out->kind = rd_u8(r);
    out->payload = rd_bytes(r, length);
    return !r->bad && record_sum(hash, offset, out->kind, out->payload) == sum;
}

static bool snapshot_read(str payload, store_journal *j, int32_t piece_count, arena *a)
{
    reader r = rd_of(payload);
    j->writing = rd_u8(&r) != 0;
    j->writing_since_ns = (int64_t)rd_u64(&r);
    j->last_ns = (int64_t)rd_u64(&r);
    str bits = rd_bytes(&r, (size_t)bitfield_bytes(piece_count)), doubts = rd_bytes(&r, (size_t)bitfield_bytes(piece_count));
    if (r.bad || rd_left(&r) != (ptrdiff_t)j->file_count * FILE_STATE_BYTES || !bitfield_read(a, piece_count, bits, &j->pieces) ||
        !bitfield_read(a, piece_count, doubts, &j->unchecked))
        return false;
    j->files = arena_array(a, store_file_state, j->file_count ? j->file_count : 1);
    for (int i = 0; j->files && i < j->file_count; i++) {
        j->files[i].size_bytes = (int64_t)rd_u64(&r);
        j->files[i].modified_ns = (int64_t)rd_u64(&r);
        j->files[i].in_parts = rd_u8(&r) != 0;
    }
    return j->files && rd_done(&r);
}

static bool runs_read(str payload, store_journal *j)
{
    reader r = rd_of(payload);
    int64_t wall = (int64_t)rd_u64(&r);
    while (rd_left(&r)) {
        uint32_t first = rd_u32(&r), count = rd_u32(&r);
        if (r.bad || first >= (uint32_t)j->pieces.count || count > (uint32_t)j->pieces.count - first)
            return false;
        for (uint32_t i = 0; i < count; i++)
            bitfield_add(&j->pieces, (int32_t)(first + i)), bitfield_remove(&j->unchecked, (int32_t)(first + i));
    }
    if (r.bad)
        return false;
    j->last_ns = wall;
    return true;
}

static bool begin_read(str payload, store_journal *j)
{
    reader r = rd_of(payload);
    int64_t wall = (int64_t)rd_u64(&r);
    if (!rd_done(&r))
        return false;
    if (!j->writing)
        j->writing_since_ns = wall;
    j->writing = true;
    j->last_ns = wall;
    return true;
}

bool store_journal_read(str bytes, const uint8_t hash[INFO_HASH_BYTES], int32_t piece_count, int file_count, arena *a, store_journal *out)
{
    reader r = rd_of(bytes);
    record next;
    *out = (store_journal){.file_count = file_count};
    memcpy(out->hash, hash, INFO_HASH_BYTES);
    bool good = str_eq(rd_bytes(&r, MAGIC_BYTES), str_of(magic, MAGIC_BYTES)) &&
                str_eq(rd_bytes(&r, INFO_HASH_BYTES), str_of(hash, INFO_HASH_BYTES)) && rd_u32(&r) == (uint32_t)piece_count &&
                rd_u32(&r) == (uint32_t)file_count;
    if (!good || !record_next(&r, hash, &next) || next.kind != KIND_SNAPSHOT || !snapshot_read(next.payload, out, piece_count, a))
        return false;
    out->snapshot_end = out->end = rd_at(&r);
    while (rd_left(&r) && record_next(&r, hash, &next)) {
        if (!(next.kind == KIND_PIECES ? runs_read(next.payload, out) : next.kind == KIND_BEGIN && begin_read(next.payload, out)))
            break;
        out->end = rd_at(&r);
    }
    return true;
}

// ---- writing ----------------------------------------------------------------------------------------------------------------

static void put_number(buf *out, uint64_t value, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        buf_put_byte(out, (unsigned char)(value >> shift));
}

// Leaves room for the record's head; record_close fills it in.
static size_t record_open(buf *out)
{
    size_t at = out->len;
    for (int i = 0; i < RECORD_HEAD_BYTES; i++)
        buf_put_byte(out, 0);
    return at;
}

static bool record_close(buf *out, size_t at, const uint8_t *hash, int64_t offset, unsigned kind)
{
    if (out->full)
        return false;
    str payload = str_from(buf_str(out), (ptrdiff_t)at + RECORD_HEAD_BYTES);
    writer w = wr_into(out->at + at, RECORD_HEAD_BYTES);
    wr_u32(&w, (uint32_t)payload.len);
    wr_u32(&w, record_sum(hash, offset, kind, payload));
    wr_u8(&w, kind);
    return true;
}

bool store_journal_write(buf *out, const store_journal *j)
{
    size_t start = out->len;
    buf_put(out, str_of(magic, MAGIC_BYTES));
    buf_put(out, str_of(j->hash, INFO_HASH_BYTES));
    put_number(out, (uint64_t)j->pieces.count, 4);
    put_number(out, (uint64_t)j->file_count, 4);
    size_t at = record_open(out);
    buf_put_byte(out, j->writing);
    put_number(out, (uint64_t)j->writing_since_ns, 8);
    put_number(out, (uint64_t)j->last_ns, 8);
    buf_put(out, bitfield_wire(&j->pieces));
    buf_put(out, bitfield_wire(&j->unchecked));
    for (int i = 0; i < j->file_count; i++) {
        put_number(out, (uint64_t)j->files[i].size_bytes, 8);
        put_number(out, (uint64_t)j->files[i].modified_ns, 8);
        buf_put_byte(out, j->files[i].in_parts);
    }
    return record_close(out, at, j->hash, (int64_t)(at - start), KIND_SNAPSHOT);
}

bool store_journal_begin(buf *out, const uint8_t hash[INFO_HASH_BYTES], int64_t end, int64_t wall_ns)
{
    size_t at = record_open(out);
    put_number(out, (uint64_t)wall_ns, 8);
    return record_close(out, at, hash, end, KIND_BEGIN);
}

bool store_journal_pieces(buf *out, const uint8_t hash[INFO_HASH_BYTES], int64_t end, int64_t wall_ns, const bitfield *now,
                          const bitfield *before)
{
    size_t at = record_open(out);
    put_number(out, (uint64_t)wall_ns, 8);
    for (int32_t i = bitfield_next(now, 0, true); i >= 0; i = bitfield_next(now, i, true)) {
        int32_t first = i;
        while (i < now->count && bitfield_has(now, i) && !bitfield_has(before, i))
            i++;
        if (i > first) {
            put_number(out, (uint64_t)first, 4);
            put_number(out, (uint64_t)(i - first), 4);
        } else {
            i++;
        }
        if (i >= now->count)
            break;
    }
    return record_close(out, at, hash, end, KIND_PIECES);
}
