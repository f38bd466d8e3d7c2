// The fields and the body are the message, nothing lost; whatever is written into a header reads back as one field.
#include "base/must.h"
#include "base/utf8.h"
#include "wire/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_field(buf *out, arena *a)
{
    header_block h;
    must(header_read(buf_str(out), a, &h) && h.count == 1 && h.body.len == 0);
    for (str rest = buf_str(out); rest.len;)
        must(str_chomp(str_cut(&rest, '\n')).len <= HEADER_LINE_MAX);
    buf_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(1 << 24);
    str in = str_of(data, size);
    header_block h;
    if (header_read(in, &a, &h)) {
        must(h.raw.len + h.body.len + 2 >= in.len);
        ptrdiff_t fields = 0;
        for (int i = 0; i < h.count; i++)
            fields += h.fields[i].raw.len;
        must(fields == h.raw.len);
    }
    str text = header_text(in, &a, NULL, NULL);
    must(a.full || (utf8_valid(text) && str_find(text, '\n') < 0 && str_find(text, '\r') < 0 && str_find(text, 0) < 0));

    buf out = buf_make(1 << 20);
    header_address who = {.name = str_first(in, (ptrdiff_t)size / 2), .address = {S("a"), S("b.org")}};
    received_line r = {.helo = in, .by = S("x"), .with = S("SMTP"), .id = S("1"), .tls = in};
    must(header_put(&out, S("X-A"), in));
    one_field(&out, &a);
    must(header_put_text(&out, S("Subject"), in));
    one_field(&out, &a);
    must(header_put_addresses(&out, S("To"), &who, 1));
    one_field(&out, &a);
    must(received_put(&out, &r, &a));
    one_field(&out, &a);
    if (utf8_valid(in) && a.used_bytes < 1 << 20) {
        bool plain = true;                         // blanks at the ends and runs of them are not kept
        for (ptrdiff_t i = 0; i < in.len; i++)
            plain &= in.at[i] > 32 && in.at[i] != 127 && in.at[i] != '=';
        must(header_put_text(&out, S("Subject"), in));
        must(header_read(buf_str(&out), &a, &h));
        if (plain && in.len > 0 && in.len < 900) {
            str back = header_text(h.fields[0].value, &a, NULL, NULL);
            bool clean = true;
            uint32_t code;
            for (str rest = in; rest.len && clean;) {
                int n = utf8_decode(rest, &code);
                clean = !utf8_is_control(code);
                rest = str_from(rest, n);
            }
            must(!clean || str_eq(back, in));
        }
    }
    buf_free(&out);
    arena_free(&a);
    return 0;
}
