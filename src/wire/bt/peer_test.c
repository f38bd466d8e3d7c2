#include "test.h"
#include "wire/bt/peer.h"
#include "wire/bt/peer_extension.h"

TEST(handshakes)
{
    unsigned char wire[PEER_HANDSHAKE_BYTES];
    peer_handshake h = {"aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb", true, true, false}, got;
    peer_handshake_write(wire, &h);
    CHECK(wire[25] == 0x10 && wire[27] == 0x04 && wire[0] == 19);
    CHECK(peer_handshake_read(str_of(wire, sizeof wire), &got) && memcmp(&h, &got, sizeof h) == 0);
    CHECK(!peer_handshake_read(str_of(wire, sizeof wire - 1), &got));
    wire[3] ^= 1;
    CHECK(!peer_handshake_read(str_of(wire, sizeof wire), &got));
}

TEST(messages_are_judged)
{
    static const struct { str wire; peer_rules rules; peer_progress progress; peer_kind kind; ptrdiff_t taken; } rows[] = {
        {S(""), {0}, PEER_MORE, PEER_KEEP_ALIVE, 4},
        {S("\0\0\0"), {0}, PEER_MORE, PEER_KEEP_ALIVE, 4},
        {S("\0\0\0\0"), {0}, PEER_MESSAGE, PEER_KEEP_ALIVE, 4},
        {S("\0\0\0\1"), {0}, PEER_MORE, PEER_KEEP_ALIVE, 5},
        {S("\0\0\0\1\0more"), {0}, PEER_MESSAGE, PEER_CHOKE, 5},
        {S("\0\0\0\2\0\0"), {0}, PEER_BAD, PEER_CHOKE, 6},
        {S("\0\0\0\5\4\0\0\0\7"), {8, false}, PEER_MESSAGE, PEER_HAVE, 9},
        {S("\0\0\0\5\4\0\0\0\x8"), {8, false}, PEER_BAD, PEER_HAVE, 9},
        {S("\0\0\0\5\4\0\x10\0\0"), {0}, PEER_BAD, PEER_HAVE, 9},                       // above PEER_PIECES_MAX
        {S("\0\0\0\4\4\0\0\0"), {8, false}, PEER_BAD, PEER_HAVE, 8},
        {S("\0\0\0\x0d\6\0\0\0\0\0\0\0\0\0\0\x40\0"), {8, false}, PEER_MESSAGE, PEER_REQUEST, 17},
        {S("\0\0\0\x0d\6\0\0\0\0\0\0\0\0\0\0\0\0"), {8, false}, PEER_BAD, PEER_REQUEST, 17},
        {S("\0\0\0\x0d\6\0\0\0\0\0\0\0\0\0\2\0\1"), {8, false}, PEER_BAD, PEER_REQUEST, 17},
        {S("\0\0\0\x0d\6\0\0\0\0\x7f\xff\xff\xff\0\0\x40\0"), {8, false}, PEER_BAD, PEER_REQUEST, 17},
        {S("\0\0\0\x0d\6\0\0\0\0\xff\xff\xff\xff\0\0\x40\0"), {8, false}, PEER_BAD, PEER_REQUEST, 17},
        {S("\0\0\0\2\5\xff"), {8, false}, PEER_MESSAGE, PEER_BITFIELD, 6},
        {S("\0\0\0\2\5\xff"), {7, false}, PEER_BAD, PEER_BITFIELD, 6},
        {S("\0\0\0\2\5\xff"), {9, false}, PEER_BAD, PEER_BITFIELD, 6},
        {S("\0\0\0\2\5\xff"), {0}, PEER_MESSAGE, PEER_BITFIELD, 6},
        {S("\0\0\0\x0a\7\0\0\0\1\0\0\0\2x"), {8, false}, PEER_MESSAGE, PEER_PIECE, 14},
        {S("\0\0\0\x09\7\0\0\0\1\0\0\0\2"), {8, false}, PEER_BAD, PEER_PIECE, 13},
        {S("\0\2\0\x0a\7"), {8, false}, PEER_BAD, PEER_KEEP_ALIVE, 4},                  // judged before it comes
        {S("\0\2\0\x09\7"), {8, false}, PEER_MORE, PEER_PIECE, 131081 + 4},
        {S("\x7f\xff\xff\xff\7"), {8, false}, PEER_BAD, PEER_KEEP_ALIVE, 4},
        {S("\xff\xff\xff\xff"), {8, false}, PEER_BAD, PEER_KEEP_ALIVE, 4},
        {S("\0\0\0\1\x0e"), {8, true}, PEER_MESSAGE, PEER_HAVE_ALL, 5},
        {S("\0\0\0\1\x0e"), {8, false}, PEER_BAD, PEER_HAVE_ALL, 5},
        {S("\0\0\0\3\x09\x1a\xe1"), {8, false}, PEER_MESSAGE, PEER_PORT, 7},
        {S("\0\0\0\3\x63xy"), {8, false}, PEER_MESSAGE, PEER_UNKNOWN, 7},
        {S("\0\0\0\4\x14\0de"), {8, false}, PEER_MESSAGE, PEER_EXTENDED, 8},
        {S("\0\0\0\1\x14"), {8, false}, PEER_BAD, PEER_EXTENDED, 5},
        {S("\0\1\0\2\x14"), {8, false}, PEER_BAD, PEER_EXTENDED, 65538 + 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peer_message m;
        ptrdiff_t taken = 0;
        const char *why = NULL;
        peer_progress p = peer_message_read(rows[i].wire, rows[i].rules, &m, &taken, &why);
        CHECK_ROW(i, p == rows[i].progress && m.kind == rows[i].kind && taken == rows[i].taken);
        CHECK_ROW(i, (p == PEER_BAD) == (why != NULL));
    }
}

TEST(extension_messages_come_back)
{
    arena a = arena_make(1 << 20);
    bencode_refusal why;
    buf out = buf_make(1 << 16);
    extension_handshake h = {.metadata = 3, .pex = 1, .metadata_bytes = 31235, .requests_max = 250, .port = 6881, .upload_only = true,
                             .version = S("naru"), .your_ip = addr_v4(0x7f000001, 0)}, g;
    CHECK(extension_handshake_write(&out, &h) && extension_handshake_read(buf_str(&out), &a, &g, &why));
    CHECK(g.metadata == 3 && g.pex == 1 && g.metadata_bytes == 31235 && g.port == 6881 && g.upload_only && addr_eq_ip(g.your_ip, h.your_ip));
    CHECK(extension_handshake_read(S("d1:md11:ut_metadatai300e6:ut_pexi-1ee13:metadata_sizei99999999999e4:reqqi99999999ee"), &a, &g, &why));
    CHECK(g.metadata == 0 && g.pex == 0 && g.metadata_bytes == 0 && g.requests_max == EXTENSION_REQUESTS_MAX);
    metadata_message m;
    static const struct { const char *text; bool good; } rows[] = {
        {"d8:msg_typei0e5:piecei0ee", true}, {"d8:msg_typei2e5:piecei1ee", true}, {"d8:msg_typei3e5:piecei1ee", false},
        {"d8:msg_typei1e5:piecei0e10:total_sizei3eeabc", true}, {"d8:msg_typei1e5:piecei0e10:total_sizei3eeab", false},
        {"d8:msg_typei1e5:piecei0e10:total_sizei3eeabcd", false}, {"d8:msg_typei1e5:piecei1e10:total_sizei3eeabc", false},
        {"d8:msg_typei1e5:piecei-1e10:total_sizei3eeabc", false}, {"d8:msg_typei1e5:piecei0ee", false},
        {"d8:msg_typei1e5:piecei0e10:total_sizei999999999eeabc", false}, {"d5:piecei0ee", false}, {"le", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, metadata_read(str_z(rows[i].text), &a, &m, &why) == rows[i].good);
    arena_free(&a);
    buf_free(&out);
}

TEST(peers_are_exchanged)
{
    arena a = arena_make(1 << 20);
    bencode_refusal why;
    buf out = buf_make(1 << 16);
    pex_message *p = arena_new(&a, pex_message), *q = arena_new(&a, pex_message);
    p->added_count = 2;
    p->dropped_count = 1;
    p->added[0] = addr_v4(1, 2);
    p->flags[0] = PEX_UPLOAD_ONLY;
    CHECK(addr_parse(S("[2001:db8::1]:7"), 0, &p->added[1]));
    p->dropped[0] = addr_v4(9, 9);
    CHECK(pex_write(&out, p) && pex_read(buf_str(&out), &a, q, &why));
    CHECK(q->added_count == 2 && q->flags[0] == PEX_UPLOAD_ONLY && addr_eq(q->added[1], p->added[1]) && q->dropped_count == 1);
    CHECK(!pex_read(S("d5:added5:12345e"), &a, q, &why));
    buf_free(&out);
    arena_free(&a);
}
