// A letter written as DATA reads back as itself whatever the chunks, and contains no other end than its own;
// the reader gives the same answer for any division of the same bytes into chunks.
#include <string.h>

#include "base/must.h"
#include "wire/mail/dot.h"

static dot_verdict read_in_chunks(str in, ptrdiff_t chunk, buf *out, ptrdiff_t *left)
{
    dot_reader d = {.size_bytes_max = UINT64_MAX};
    dot_verdict v = DOT_MORE;
    while (in.len && v == DOT_MORE) {
        str part = str_first(in, chunk);
        ptrdiff_t before = part.len;
        v = dot_read(&d, &part, out);
        in = str_from(in, before - part.len);
    }
    must(d.size_bytes == out->len);
    *left = in.len;
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    ptrdiff_t chunk = data[0] % 37 + 1;
    str in = str_of(data + 1, size - 1);
    buf one = buf_make(1 << 20), many = buf_make(1 << 20), wire = buf_make(1 << 20);
    ptrdiff_t left_one, left_many;

    dot_verdict v = read_in_chunks(in, in.len + 1, &one, &left_one);
    must(v == read_in_chunks(in, chunk, &many, &left_many));
    must(str_eq(buf_str(&one), buf_str(&many)) && left_one == left_many);

    dot_writer w = {0};
    for (str rest = in; rest.len; rest = str_from(rest, chunk))
        must(dot_write(&w, str_first(rest, chunk), &wire));
    must(dot_finish(&w, &wire));
    buf_clear(&one);
    must(read_in_chunks(buf_str(&wire), chunk, &one, &left_one) == DOT_DONE && left_one == 0);

    if (v == DOT_DONE) {                           // what was read from the wire is written back as it was
        buf_clear(&wire);
        must(dot_write(&w, buf_str(&many), &wire) && dot_finish(&w, &wire));
        buf_clear(&one);
        must(read_in_chunks(buf_str(&wire), chunk, &one, &left_one) == DOT_DONE);
        must(str_eq(buf_str(&one), buf_str(&many)));
    }
    buf_free(&one);
    buf_free(&many);
    buf_free(&wire);
    return 0;
}
