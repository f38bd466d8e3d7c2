#include "test.h"

#include "base/base64.h"
#include "base/heap_memory.h"

enum { INPUT_MAX = 1200 };

static const struct { str plain, letters; } vectors[] = {               // RFC 4648 section 10
    {S(""), S("")},         {S("f"), S("Zg==")},         {S("fo"), S("Zm8=")},         {S("foo"), S("Zm9v")},
    {S("foob"), S("Zm9vYg==")}, {S("fooba"), S("Zm9vYmE=")}, {S("foobar"), S("Zm9vYmFy")},
    {S("\xff\xef\xbf\xfb\xf0"), S("/++/+/A=")},
};

TEST(base64_rfc_4648_vectors)
{
    arena msg = arena_make(10000);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        str back;
        CHECK_STR(base64_text(&msg, vectors[i].plain), vectors[i].letters);
        CHECK_ROW(i, base64_bytes(&msg, vectors[i].letters, &back));
        CHECK_STR(back, vectors[i].plain);
    }
    arena_free(&msg);
}

TEST(base64_strict_decoding_refuses)
{
    static const str rows[] = {
        S("Z"), S("Zg"), S("Zg="), S("Zg=="" "), S("Zh=="), S("Zm9="), S("===="), S("Z==="), S("Zg==Zg=="), S("Zm 9v"),
        S("Zm9v\r\n"), S("Zm9-"), S("Zm9_"), S("=m9v"), S("Z=9v"), S("Zm=v"), S("Zm9\xc3"), S("Zm9\0"),
    };
    arena msg = arena_make(10000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str back;
        CHECK_ROW(i, !base64_bytes(&msg, rows[i], &back));
    }
    arena_free(&msg);
}

TEST(base64_lenient_decoding_takes_what_is_there)
{
    static const struct { str letters, want; } rows[] = {
        {S("Zm9v\r\nYmFy\r\n"), S("foobar")}, {S("Z m\t9\nv"), S("foo")},  {S("Zm9vYg==\r\n--trash"), S("foob")},
        {S("Zm9vYg"), S("foob")},             {S("Zm9vYmE"), S("fooba")},  {S("Zm9vY"), S("foo")},
        {S("*Zm9v!"), S("foo")},              {S("="), S("")},             {S("\xc3\x84Zm9v"), S("foo")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char out[64];
        CHECK_STR(str_of(out, base64_decode_mime(out, rows[i].letters)), rows[i].want);
        CHECK_STR(str_of(out, base64_decode_mime_plain(out, rows[i].letters)), rows[i].want);
    }
}

TEST(base64_lines_have_76_columns)
{
    unsigned char in[INPUT_MAX] = {0}, out[2 * INPUT_MAX];
    for (size_t n = 0; n <= 300; n++) {
        str text = str_of(out, base64_encode_lines(out, str_of(in, n)));
        CHECK_INT(text.len, base64_lines_size(n));
        for (int row = 0; text.len; row++) {
            str line = str_cut(&text, '\n');
            CHECK_ROW(n, str_ends(line, S("\r")) && line.len <= BASE64_LINE_COLUMNS + 1 && line.len > 1);
            CHECK_ROW(n, line.len == BASE64_LINE_COLUMNS + 1 || text.len == 0);
        }
    }
}

// Exact allocations, so that a sanitizer sees one byte too many on either side.
static unsigned char *room(size_t n) { return memory_new(n ? n : 1); }

static void check_same(const unsigned char *in, size_t n, long long step)
{
    str plain = str_of(in, n);
    unsigned char *slow = room(base64_lines_size(n)), *fast = room(base64_lines_size(n));
    unsigned char *back = room(base64_decoded_size_max(base64_lines_size(n)));
    str a = str_of(slow, base64_encode_plain(slow, plain)), b = str_of(fast, base64_encode(fast, plain));
    CHECK_ROW(step, str_eq(a, b));
    CHECK_ROW(step, str_eq(str_of(back, (size_t)base64_decode(back, b)), plain));
    CHECK_ROW(step, str_eq(str_of(back, base64_decode_mime(back, b)), plain));
    a = str_of(slow, base64_encode_lines_plain(slow, plain)), b = str_of(fast, base64_encode_lines(fast, plain));
    CHECK_ROW(step, str_eq(a, b));
    CHECK_ROW(step, str_eq(str_of(back, base64_decode_mime(back, b)), plain));
    memory_free(slow);
    memory_free(fast);
    memory_free(back);
}

TEST(base64_fast_encodes_and_decodes_as_plain_does)
{
    unsigned char in[INPUT_MAX + 64];
    uint64_t seed = 5;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)test_random(&seed);
    for (size_t n = 0; n < 400; n++)
        check_same(in, n, (long long)n);
    for (int step = 0; step < 2000; step++) {
        size_t start = test_random(&seed) % 64, n = test_random(&seed) % INPUT_MAX;
        unsigned char *exact = room(n);
        memcpy(exact, in + start, n);
        check_same(exact, n, step);
        memory_free(exact);
    }
}

// Letters with random damage: both strict decoders agree to refuse, both lenient ones on every byte.
TEST(base64_fast_decodes_damaged_text_as_plain_does)
{
    unsigned char in[INPUT_MAX], letters[2 * INPUT_MAX];
    uint64_t seed = 9;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)test_random(&seed);
    for (int step = 0; step < 6000; step++) {
        size_t n = test_random(&seed) % INPUT_MAX, len;
        bool lines = test_random(&seed) % 2;
        len = lines ? base64_encode_lines(letters, str_of(in, n)) : base64_encode(letters, str_of(in, n));
        for (uint64_t hits = test_random(&seed) % 4; hits && len; hits--)
            letters[test_random(&seed) % len] = (unsigned char)test_random(&seed);
        size_t size = base64_decoded_size_max(len);
        unsigned char *exact = room(len), *slow = room(size), *fast = room(size);
        memcpy(exact, letters, len);
        str text = str_of(exact, len);
        ptrdiff_t a = base64_decode_plain(slow, text), b = base64_decode(fast, text);
        CHECK_ROW(step, a == b && (a < 0 || str_eq((str){slow, a}, (str){fast, b})));
        size_t c = base64_decode_mime_plain(slow, text), d = base64_decode_mime(fast, text);
        CHECK_ROW(step, str_eq(str_of(slow, c), str_of(fast, d)));
        memory_free(exact);
        memory_free(slow);
        memory_free(fast);
    }
}

TEST(base64_every_byte_at_every_place_of_a_vector)
{
    unsigned char text[160], slow[200], fast[200];
    for (int byte = 0; byte < 256; byte++)
        for (size_t place = 0; place < 128; place++) {
            memset(text, 'Q', sizeof text);
            text[place] = (unsigned char)byte;
            ptrdiff_t a = base64_decode_plain(slow, str_of(text, 160)), b = base64_decode(fast, str_of(text, 160));
            CHECK_ROW(byte, a == b && (a < 0 || memcmp(slow, fast, (size_t)a) == 0));
        }
}
