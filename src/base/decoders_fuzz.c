// Every decoder of base on the same input: fast and plain versions agree, and what is encoded again comes back.
#include "base/base64.h"
#include "base/date.h"
#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/must.h"
#include "base/quantity.h"
#include "base/quoted_printable.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_BYTES_MAX = 8 << 20 };

static void fuzz_base64(str in)
{
    size_t room = base64_decoded_size_max((size_t)in.len), lines = base64_lines_size(room);
    unsigned char *slow = memory_new(room), *fast = memory_new(room);
    unsigned char *text = memory_new(lines), *back = memory_new(base64_decoded_size_max(lines));
    ptrdiff_t strict = base64_decode(fast, in);
    must(base64_decode_plain(slow, in) == strict);
    if (strict >= 0) {
        must(str_eq((str){slow, strict}, (str){fast, strict}));
        must(str_eq(str_of(text, base64_encode(text, (str){fast, strict})), in));       // strict means: one spelling
    }
    size_t lenient = base64_decode_mime(fast, in);
    must(lenient <= room && base64_decode_mime_plain(slow, in) == lenient);
    must(str_eq(str_of(slow, lenient), str_of(fast, lenient)));
    size_t written = base64_encode_lines(text, str_of(fast, lenient));
    must(str_eq(str_of(back, base64_decode_mime(back, str_of(text, written))), str_of(fast, lenient)));
    memory_free(slow);
    memory_free(fast);
    memory_free(text);
    memory_free(back);
}

static void fuzz_quoted_printable(str in)
{
    buf plain = buf_make(OUT_BYTES_MAX), coded = buf_make(OUT_BYTES_MAX), back = buf_make(OUT_BYTES_MAX);
    must(quoted_printable_decode(&plain, in));
    must(quoted_printable_put_binary(&coded, buf_str(&plain)) && quoted_printable_decode(&back, buf_str(&coded)));
    must(str_eq(buf_str(&plain), buf_str(&back)));
    buf_clear(&coded);
    must(quoted_printable_put(&coded, in));
    for (str rest = buf_str(&coded); rest.len;)
        must(str_chomp(str_cut(&rest, '\n')).len <= QUOTED_PRINTABLE_COLUMNS);
    buf_free(&plain);
    buf_free(&coded);
    buf_free(&back);
}

static void fuzz_percent_and_hex(str in)
{
    buf plain = buf_make(OUT_BYTES_MAX), coded = buf_make(OUT_BYTES_MAX);
    must(percent_put(&coded, in, S("/")) && percent_decode(&plain, buf_str(&coded)) && str_eq(buf_str(&plain), in));
    buf_clear(&plain);
    (void)percent_decode(&plain, in);
    must(plain.len <= (size_t)in.len);
    unsigned char *bytes = memory_new((size_t)in.len / 2 + 1);
    arena msg = arena_make(OUT_BYTES_MAX);
    if (hex_decode(bytes, in))
        must(str_eq_nocase(hex_text(&msg, (str){bytes, in.len / 2}), in));
    arena_free(&msg);
    memory_free(bytes);
    buf_free(&plain);
    buf_free(&coded);
}

static void fuzz_utf8(str in)
{
    bool valid = true;
    for (str rest = in; rest.len;) {
        uint32_t code;
        unsigned char out[4];
        int n = utf8_decode(rest, &code);
        must(n >= 0 && n <= rest.len);
        if (n)
            must(utf8_encode(out, code) == n && str_eq((str){out, n}, str_first(rest, n)));
        valid &= n > 0;
        rest = str_from(rest, n ? n : 1);
    }
    must(valid == utf8_valid(in));
    must(utf8_first_columns(in, utf8_width(in)).len == in.len);
}

static void fuzz_dates_and_quantities(str in)
{
    char out[DATE_TEXT_MAX];
    int64_t t, again;
    if (date_parse_mail(in, &t) && t >= DATE_SECONDS_MIN && t <= DATE_SECONDS_MAX) {
        date_print_mail(out, t, 0);
        must(date_parse_mail(str_z(out), &again) && (again == t || date_of(t).year < 1000));
    }
    if (date_parse_http(in, &t)) {
        date_print_http(out, t);
        must(date_parse_http(str_z(out), &again) && again == t);
    }
    if (date_parse_rfc3339(in, &t) && t >= DATE_SECONDS_MIN && t <= DATE_SECONDS_MAX) {
        date_print_rfc3339(out, t);
        must(date_parse_rfc3339(str_z(out), &again) && again == t);
    }
    arena msg = arena_make(OUT_BYTES_MAX);
    if (duration_parse(in, &t))
        must(t >= 0 && duration_parse(duration_text(&msg, t), &again) && again == t);
    if (size_parse(in, &t) || rate_parse(in, &t))
        must(t >= 0);
    arena_free(&msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of(data, size);
    fuzz_base64(in);
    fuzz_quoted_printable(in);
    fuzz_percent_and_hex(in);
    fuzz_utf8(in);
    fuzz_dates_and_quantities(in);
    return 0;
}
