#include "base/base64_avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

enum {
    VECTOR_BYTES = 24,          // binary bytes that make one vector
    VECTOR_LETTERS = 32,
    READ_SLACK_BYTES = 4,       // an encoder's load reads 28 bytes, of which it uses 24
    LINE_BYTES = 57, LINE_LETTERS = 76,
};

bool base64_has_avx2(void) { return __builtin_cpu_supports("avx2"); }

// 24 bytes at `at` to 32 letters.
AVX2 static inline __m256i encode_vector(const unsigned char *at)
{
    const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
                                            1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    // What to add to a value for its letter, by range: a-z, ten digits, '+', '/', A-Z.
    const __m256i shift = _mm256_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                           '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0,
                                           'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                           '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(at + 12));
    __m256i in = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), spread);
    // Each 32-bit lane holds three bytes (one twice); two multiplications move their four sixes to byte borders.
    __m256i odd = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
    __m256i even = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
    __m256i values = _mm256_or_si256(odd, even);
    __m256i range = _mm256_subs_epu8(values, _mm256_set1_epi8(51));             // 0 for both A-Z and a-z
    __m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
    range = _mm256_or_si256(range, _mm256_and_si256(capital, _mm256_set1_epi8(13)));
    return _mm256_add_epi8(values, _mm256_shuffle_epi8(shift, range));
}

AVX2 static inline void store(unsigned char *out, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)out, v); }

AVX2 size_t base64_avx2_encode(unsigned char *out, str in)
{
    ptrdiff_t taken = 0;
    for (; in.len - taken >= 4 * VECTOR_BYTES + READ_SLACK_BYTES; taken += 4 * VECTOR_BYTES, out += 4 * VECTOR_LETTERS)
        for (int i = 0; i < 4; i++)
            store(out + i * VECTOR_LETTERS, encode_vector(in.at + taken + i * VECTOR_BYTES));
    for (; in.len - taken >= VECTOR_BYTES + READ_SLACK_BYTES; taken += VECTOR_BYTES, out += VECTOR_LETTERS)
        store(out, encode_vector(in.at + taken));
    return (size_t)taken;
}

// A line is two vectors and a third that ends with the line: it makes 20 letters of the second once more.
AVX2 size_t base64_avx2_encode_lines(unsigned char *out, str in)
{
    ptrdiff_t taken = 0;
    for (; in.len - taken >= LINE_BYTES + READ_SLACK_BYTES; taken += LINE_BYTES, out += LINE_LETTERS + 2) {
        const unsigned char *line = in.at + taken;
        store(out, encode_vector(line));
        store(out + VECTOR_LETTERS, encode_vector(line + VECTOR_BYTES));
        store(out + LINE_LETTERS - VECTOR_LETTERS, encode_vector(line + LINE_BYTES - VECTOR_BYTES));
        out[LINE_LETTERS] = '\r';
        out[LINE_LETTERS + 1] = '\n';
    }
    return (size_t)taken;
}

// 32 letters to 24 bytes; *strangers collects a non-zero bit for every byte that is not a letter.
AVX2 static inline __m256i decode_vector(const unsigned char *at, __m256i *strangers)
{
    const __m256i by_low = _mm256_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a,
                                            0x1b, 0x1b, 0x1b, 0x1a, 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                            0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m256i by_high = _mm256_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10,
                                             0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
                                             0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m256i roll = _mm256_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0,
                                          0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i pack = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
                                          2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i slash = _mm256_set1_epi8('/');
    __m256i in = _mm256_loadu_si256((const __m256i *)(const void *)at);
    // '/' is 0x2f, so masking with it keeps the low nibble and a bit that the shuffles ignore.
    __m256i high = _mm256_and_si256(_mm256_srli_epi32(in, 4), slash);
    __m256i low = _mm256_and_si256(in, slash);
    __m256i bad = _mm256_and_si256(_mm256_shuffle_epi8(by_low, low), _mm256_shuffle_epi8(by_high, high));
    *strangers = _mm256_or_si256(*strangers, bad);
    __m256i values = _mm256_add_epi8(in, _mm256_shuffle_epi8(roll, _mm256_add_epi8(_mm256_cmpeq_epi8(in, slash), high)));
    __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    __m256i groups = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    return _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(groups, pack), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

AVX2 static inline bool none(__m256i v) { return _mm256_testz_si256(v, v); }

// Stores are in order, so that each covers the slack of the one before; the last one's slack is inside `out`, because
// eleven letters more than its own make at least eight bytes.
enum { DECODE_AHEAD_LETTERS = VECTOR_LETTERS + 12 };

AVX2 size_t base64_avx2_decode(unsigned char *out, str in)
{
    ptrdiff_t taken = 0;
    for (; in.len - taken >= 3 * VECTOR_LETTERS + DECODE_AHEAD_LETTERS; taken += 4 * VECTOR_LETTERS) {
        __m256i strangers = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++)
            store(out + i * VECTOR_BYTES, decode_vector(in.at + taken + i * VECTOR_LETTERS, &strangers));
        if (!none(strangers))
            break;
        out += 4 * VECTOR_BYTES;
    }
    for (; in.len - taken >= DECODE_AHEAD_LETTERS; taken += VECTOR_LETTERS, out += VECTOR_BYTES) {
        __m256i strangers = _mm256_setzero_si256();
        __m256i bytes = decode_vector(in.at + taken, &strangers);
        if (!none(strangers))
            break;
        store(out, bytes);
    }
    return (size_t)taken;
}

// The length of the line end after a full line, 0 when there is none.
static ptrdiff_t line_end(const unsigned char *at) { return at[0] == '\n' ? 1 : at[0] == '\r' && at[1] == '\n' ? 2 : 0; }

AVX2 base64_progress base64_avx2_decode_lines(unsigned char *out, str in)
{
    enum { AHEAD = LINE_LETTERS + 20 };             // a line, its end, and letters whose bytes hold the last slack
    const unsigned char *at = in.at;
    unsigned char *o = out;
    for (ptrdiff_t end; in.at + in.len - at >= AHEAD; at += LINE_LETTERS + end, o += LINE_BYTES) {
        __m256i strangers = _mm256_setzero_si256();
        __m256i first = decode_vector(at, &strangers);
        __m256i second = decode_vector(at + VECTOR_LETTERS, &strangers);
        __m256i last = decode_vector(at + LINE_LETTERS - VECTOR_LETTERS, &strangers);
        end = line_end(at + LINE_LETTERS);
        if (!none(strangers) || !end)
            break;
        store(o, first);
        store(o + VECTOR_BYTES, second);
        store(o + LINE_BYTES - VECTOR_BYTES, last);
    }
    if (at == in.at) {                              // no such lines: perhaps one long run
        size_t taken = base64_avx2_decode(o, in);
        return (base64_progress){taken, taken / 4 * 3};
    }
    return (base64_progress){(size_t)(at - in.at), (size_t)(o - out)};
}

#else

bool            base64_has_avx2(void) { return false; }
size_t          base64_avx2_encode(unsigned char *out, str in) { return (void)out, (void)in, 0; }
size_t          base64_avx2_encode_lines(unsigned char *out, str in) { return (void)out, (void)in, 0; }
size_t          base64_avx2_decode(unsigned char *out, str in) { return (void)out, (void)in, 0; }
base64_progress base64_avx2_decode_lines(unsigned char *out, str in) { return (void)out, (void)in, (base64_progress){0}; }

#endif
