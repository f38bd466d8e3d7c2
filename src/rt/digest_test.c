#include "rt/digest.h"
#include "base/hex.h"
#include "test.h"

TEST(digests_of_the_standard_s_examples)              // FIPS 180-4 examples
{
    static const struct { digest_kind kind; const char *text, *hex; } rows[] = {
        {DIGEST_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 12);
        unsigned char out[DIGEST_SHA256_BYTES];
        size_t size = rows[i].kind == DIGEST_SHA1 ? DIGEST_SHA1_BYTES : DIGEST_SHA256_BYTES;
        digest_of(rows[i].kind, str_z(rows[i].text), out);
        CHECK_ROW(i, str_eq(hex_text(&a, str_of(out, size)), str_z(rows[i].hex)));
        arena_free(&a);
    }
}

TEST(a_digest_takes_pieces_and_begins_anew)
{
    unsigned char whole[DIGEST_SHA1_BYTES], pieces[DIGEST_SHA1_BYTES];
    digest *d = digest_new(DIGEST_SHA1);
    digest_of(DIGEST_SHA1, S("naru"), whole);
    for (int turn = 0; turn < 2; turn++) {
        digest_add(d, S("na"));
        digest_add(d, S(""));
        digest_add(d, S("ru"));
        digest_take(d, pieces);
        CHECK(memcmp(whole, pieces, sizeof whole) == 0);
    }
    digest_free(d);
}
