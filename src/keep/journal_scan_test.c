#include "keep/journal_scan.h"

#include "test.h"

enum { SIZE = 4096, MARK_LOW = 77 };

static const segment_head head = {
    .number = 9, .mark = 0x1122334455667788u + MARK_LOW, .first_sequence = 100, .previous_end = 4000,
};

typedef struct { unsigned char at[SIZE]; size_t len; uint64_t sequence; } image;

static image image_begin(void)
{
    image m = {.len = SEGMENT_HEAD_BYTES, .sequence = head.first_sequence};
    segment_head_write(m.at, head);
    return m;
}

// One commit of `count` records "record N", each in two pieces.
static void image_commit(image *m, int count)
{
    uint64_t commit = m->len;
    for (int i = 0; i < count; i++, m->sequence++) {
        char text[16];
        int n = snprintf(text, sizeof text, "%llu", (unsigned long long)m->sequence);
        str pieces[2] = {S("record "), str_of(text, (size_t)n)};
        record_head_write(m->at + m->len, head.mark, m->sequence, commit, pieces, 2, (uint32_t)(7 + n));
        m->len += RECORD_HEAD_BYTES;
        memcpy(m->at + m->len, pieces[0].at, 7);
        memcpy(m->at + m->len + 7, text, (size_t)n);
        m->len += 7 + (size_t)n;
    }
}

// How many records a scan of the first `size` bytes finds; checks each one's content.
static int image_scan(const image *m, size_t size, segment_scan *scan)
{
    segment_record r;
    int count = 0;
    CHECK(segment_scan_begin(scan, str_of(m->at, size)));
    for (; segment_scan_next(scan, &r); count++) {
        char want[32];
        snprintf(want, sizeof want, "record %llu", (unsigned long long)r.sequence);
        CHECK_STR(r.bytes, str_z(want));
        CHECK_INT(r.sequence, head.first_sequence + (uint64_t)count);
    }
    return count;
}

TEST(journal_scan_head_comes_back_and_any_changed_byte_is_noticed)
{
    unsigned char bytes[SEGMENT_HEAD_BYTES];
    segment_head got;
    segment_head_write(bytes, head);
    CHECK(segment_head_read(str_of(bytes, sizeof bytes), &got));
    CHECK(got.number == head.number && got.mark == head.mark);
    CHECK(got.first_sequence == head.first_sequence && got.previous_end == head.previous_end);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0x10;
        CHECK_ROW(i, !segment_head_read(str_of(bytes, sizeof bytes), &got));
        bytes[i] ^= 0x10;
        CHECK_ROW(i, !segment_head_read(str_of(bytes, i), &got));
    }
}

TEST(journal_scan_reads_what_was_written_and_stops_at_zeros)
{
    image m = image_begin();
    image_commit(&m, 3);
    image_commit(&m, 1);
    segment_scan scan;
    uint64_t torn;
    CHECK_INT(image_scan(&m, SIZE, &scan), 4);
    CHECK_INT(scan.at, m.len);
    CHECK_INT(segment_scan_tail(&scan, &torn), TAIL_NOTHING);
    CHECK_INT(torn, 0);
}

TEST(journal_scan_cut_anywhere_gives_a_prefix_and_never_damage)
{
    image m = image_begin();
    image_commit(&m, 3);
    image_commit(&m, 2);
    for (size_t size = SEGMENT_HEAD_BYTES; size < m.len; size++) {
        segment_scan scan;
        uint64_t torn;
        int count = image_scan(&m, size, &scan);
        CHECK_ROW(size, count < 5);
        CHECK_ROW(size, segment_scan_tail(&scan, &torn) != TAIL_DAMAGED);
        CHECK_ROW(size, scan.at + torn <= size);
    }
}

// A bad byte in the last commit may be a write that power loss tore in the middle; before it, it is damage.
TEST(journal_scan_tells_damage_from_a_torn_commit)
{
    image m = image_begin();
    image_commit(&m, 2);
    size_t last = m.len;
    image_commit(&m, 3);
    for (size_t i = SEGMENT_HEAD_BYTES; i < m.len; i++) {
        m.at[i] ^= 0x40;
        segment_scan scan;
        segment_record r;
        uint64_t torn;
        CHECK(segment_scan_begin(&scan, str_of(m.at, SIZE)));
        int count = 0;
        while (segment_scan_next(&scan, &r))
            count++;
        segment_tail tail = segment_scan_tail(&scan, &torn);
        CHECK_ROW(i, count < 5 && scan.at <= i);
        if (i < last)
            CHECK_ROW(i, tail == TAIL_DAMAGED);
        else
            CHECK_ROW(i, tail != TAIL_DAMAGED);
        m.at[i] ^= 0x40;
    }
}

TEST(journal_scan_is_blind_to_records_of_an_earlier_life)
{
    image old = image_begin(), m = image_begin();
    image_commit(&old, 8);
    segment_head fresh = head;
    fresh.mark++;
    fresh.first_sequence = 500;
    m = old;
    segment_head_write(m.at, fresh);
    segment_scan scan;
    segment_record r;
    uint64_t torn;
    CHECK(segment_scan_begin(&scan, str_of(m.at, SIZE)));
    CHECK(!segment_scan_next(&scan, &r));
    CHECK_INT(segment_scan_tail(&scan, &torn), TAIL_NOTHING);
}

// A failed write on a full disk leaves records behind; the next commit at the same place is shorter.
TEST(journal_scan_does_not_take_up_leftovers_behind_a_later_commit)
{
    image m = image_begin();
    image_commit(&m, 1);
    image failed = m, next = m;
    image_commit(&failed, 3);                  // 101, 102, 103: never promised
    next.sequence = failed.sequence;
    image_commit(&next, 1);                    // 104 over 101: of the same size
    memcpy(failed.at, next.at, next.len);
    segment_scan scan;
    segment_record r;
    uint64_t torn, last = 0;
    CHECK(segment_scan_begin(&scan, str_of(failed.at, SIZE)));
    while (segment_scan_next(&scan, &r))
        last = r.sequence;
    CHECK_INT(last, 104);
    CHECK_INT(scan.at, next.len);
    CHECK_INT(segment_scan_tail(&scan, &torn), TAIL_TORN);
    CHECK_INT(torn, failed.len - next.len);
}

TEST(journal_scan_refuses_lengths_beyond_the_segment)
{
    image m = image_begin();
    image_commit(&m, 1);
    segment_record r;
    uint32_t length;
    CHECK(record_read(str_of(m.at, m.len), head.mark, SEGMENT_HEAD_BYTES, &r));
    CHECK(record_length(str_of(m.at + SEGMENT_HEAD_BYTES, RECORD_HEAD_BYTES), head.mark, &length));
    CHECK_INT(length, 10);
    CHECK(!record_length(str_of(m.at + SEGMENT_HEAD_BYTES, RECORD_HEAD_BYTES), head.mark + 1, &length));
    CHECK(!record_length(str_of(m.at + SEGMENT_HEAD_BYTES, 9), head.mark, &length));
    CHECK(!record_read(str_of(m.at, m.len - 1), head.mark, SEGMENT_HEAD_BYTES, &r));
    CHECK(!record_read(str_of(m.at, m.len), head.mark, UINT64_MAX, &r));
    CHECK(!record_read(str_of(m.at, m.len), head.mark, m.len, &r));
    memset(m.at + SEGMENT_HEAD_BYTES + 8, 0xff, 4);
    CHECK(!record_read(str_of(m.at, m.len), head.mark, SEGMENT_HEAD_BYTES, &r));
}
