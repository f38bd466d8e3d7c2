#include "test.h"
#include "wire/bt/magnet.h"

#define HEX "0123456789abcdef0123456789ABCDEF01234567"

TEST(magnet_links_are_read)
{
    arena a = arena_make(1 << 16);
    magnet m, again;
    bencode_refusal why;
    CHECK(magnet_read(S("magnet:?xt=urn:btih:" HEX "&dn=%ed%95%9c+b&tr=http%3A%2F%2Ft.example%2Fannounce&tr=udp://u:6969"
                        "&tr=wss://no&ws=http://w/f&x.pe=127.0.0.1:6881&x.pe=[::1]:5&x.pe=name:5&so=0"), &a, &m, &why));
    CHECK(m.hash[0] == 1 && m.hash[1] == 0x23 && m.hash[19] == 0x67);
    CHECK_STR(m.name, S("\xed\x95\x9c b"));
    CHECK_INT(m.tracker_count, 2);
    CHECK_STR(m.trackers[0], S("http://t.example/announce"));
    CHECK_INT(m.web_seed_count, 1);
    CHECK_INT(m.peer_count, 2);
    CHECK(m.peers[1].family == 6 && m.peers[1].port == 5);
    buf out = buf_make(1 << 14);
    CHECK(magnet_write(&out, &m) && magnet_read(buf_str(&out), &a, &again, &why));
    CHECK(memcmp(m.hash, again.hash, 20) == 0 && str_eq(m.name, again.name) && again.tracker_count == 2);
    CHECK(str_eq(again.trackers[1], m.trackers[1]) && again.peer_count == 2 && addr_eq(again.peers[1], m.peers[1]));
    // 20 bytes 0x00 0x44 0x32 ... are the base32 digits in order.
    CHECK(magnet_read(S("magnet:?xt=urn:btih:ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), &a, &m, &why));
    CHECK(m.hash[0] == 0x00 && m.hash[1] == 0x44 && m.hash[2] == 0x32 && m.hash[3] == 0x14 && m.hash[4] == 0xc7 && m.hash[19] == 0xdf);
    buf_free(&out);
    arena_free(&a);
}

TEST(magnet_links_are_refused_with_reason_and_offset)
{
    static const struct { const char *before, *after, *reason; } rows[] = {
        {"", "", "this is no magnet link"},
        {"", "http://x/?xt=urn:btih:" HEX, "this is no magnet link"},
        {"", "magnet:?dn=a", "magnet link has no info hash"},
        {"", "magnet:?xt=urn:sha1:" HEX, "magnet link has no info hash"},
        {"", "magnet:?xt=urn:btmh:1220" HEX, "magnet link is of version 2 only (BEP 52), which is not supported yet"},
        {"magnet:?", "xt=urn:btih:0123", "info hash is neither 40 hexadecimal nor 32 base32 digits"},
        {"magnet:?", "xt=urn:btih:", "info hash is neither 40 hexadecimal nor 32 base32 digits"},
        {"magnet:?dn=a&", "xt=urn:btih:x123456789abcdef0123456789ABCDEF01234567",
         "info hash is neither 40 hexadecimal nor 32 base32 digits"},
        {"magnet:?", "xt=urn:btih:ABCDEFGHIJKLMNOPQRSTUVWXYZ234561", "info hash is neither 40 hexadecimal nor 32 base32 digits"},
        {"magnet:?xt=urn:btih:" HEX "&", "xt=urn:btih:ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "magnet link has two info hashes"},
        {"magnet:?xt=urn:btih:" HEX "&", "dn=%4", "a % has no two digits behind it"},
        {"magnet:?xt=urn:btih:" HEX "&", "dn=%zz", "a % has no two digits behind it"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 16);
        magnet m;
        bencode_refusal why = {0};
        CHECK_ROW(i, !magnet_read(str_join(&a, str_z(rows[i].before), str_z(rows[i].after)), &a, &m, &why));
        CHECK_ROW(i, why.reason && strcmp(why.reason, rows[i].reason) == 0 && why.offset == (ptrdiff_t)strlen(rows[i].before));
        arena_free(&a);
    }
}
