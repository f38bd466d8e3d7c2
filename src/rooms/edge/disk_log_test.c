#include "test.h"
#include "rooms/edge/disk_log.h"

TEST(disk_header_comes_back_and_every_flip_is_seen)
{
    disk_record r = {DISK_SLICE, 0x123456789abcdefull, 7, 1 << 20, 0xdeadbeef}, again;
    unsigned char head[DISK_HEADER_BYTES];
    disk_header_write(&r, head);
    CHECK(disk_header_read(str_of(head, sizeof head), &again));
    CHECK(again.kind == r.kind && again.number == r.number && again.part == r.part && again.bytes == r.bytes && again.crc == r.crc);
    for (size_t bit = 0; bit < 8 * sizeof head; bit++) {
        head[bit / 8] ^= (unsigned char)(1 << bit % 8);
        CHECK_ROW(bit, !disk_header_read(str_of(head, sizeof head), &again));
        head[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(!disk_header_read(str_of(head, sizeof head - 1), &again));
    unsigned char zeros[DISK_HEADER_BYTES] = {0};
    CHECK(!disk_header_read(str_of(zeros, sizeof zeros), &again));
}
