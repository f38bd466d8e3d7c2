#include "test.h"

#include "base/bytes.h"

TEST(reader_reads_and_stays_failed)
{
    reader r = rd_of(S("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f" "rest"));
    CHECK_INT(rd_u8(&r), 1);
    CHECK_INT(rd_u16(&r), 0x0203);
    CHECK_INT(rd_u32(&r), 0x04050607);
    CHECK(rd_u64(&r) == 0x08090a0b0c0d0e0f);
    CHECK_INT(rd_at(&r), 15);
    CHECK_STR(rd_bytes(&r, 2), S("re"));
    CHECK_INT(rd_left(&r), 2);
    CHECK(!rd_done(&r));
    CHECK_INT(rd_u32(&r), 0);
    CHECK(r.bad);
    CHECK_INT(rd_u8(&r), 0);                        // there would be two bytes, but it has failed
    CHECK_STR(rd_rest(&r), S(""));
    CHECK_INT(rd_left(&r), 0);
    r = rd_of(S("ab"));
    rd_skip(&r, 1);
    CHECK_STR(rd_rest(&r), S("b"));
    CHECK(rd_done(&r));
    rd_skip(&r, SIZE_MAX);
    CHECK(r.bad);
    r = rd_of((str){0});
    CHECK(rd_done(&r) && rd_bytes(&r, 0).len == 0 && !r.bad && rd_u8(&r) == 0 && r.bad);
}

TEST(writer_writes_and_stays_failed)
{
    unsigned char out[16];
    writer w = wr_into(out, sizeof out);
    wr_u8(&w, 1), wr_u16(&w, 0x0203), wr_u32(&w, 0x04050607), wr_u64(&w, 0x08090a0b0c0d0e0f);
    CHECK_STR(wr_str(&w), S("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"));
    CHECK_INT(wr_left(&w), 1);
    wr_put_u16(&w, 1, 0xffee);
    CHECK_INT(out[1] << 8 | out[2], 0xffee);
    wr_u16(&w, 1);
    CHECK(w.bad);
    wr_u8(&w, 1);                                   // there would be room, but it has failed
    CHECK_INT(wr_len(&w), 15);
}
