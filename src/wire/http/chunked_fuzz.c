// However the bytes are cut into pieces, the body and the end are the same; a body that was decoded and is written again
// decodes to itself.
#include "base/must.h"
#include "wire/http/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static chunked decode(str in, ptrdiff_t step, buf *body, ptrdiff_t *used)
{
    chunked c = {0};
    *used = 0;
    while (*used < in.len && c.state != CHUNK_DONE && c.state != CHUNK_BAD) {
        str piece = str_sub(in, *used, step);
        ptrdiff_t before = piece.len;
        must(buf_put(body, chunked_next(&c, &piece)));
        must(piece.len < before);
        *used += before - piece.len;
    }
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    str in = str_of(data, size);
    ptrdiff_t used_whole, used_bytes;
    buf whole = buf_make(1 << 16), bytes = buf_make(1 << 16), again = buf_make(1 << 18);
    chunked a = decode(in, in.len, &whole, &used_whole), b = decode(in, 1, &bytes, &used_bytes);
    must(a.state == b.state && used_whole == used_bytes && str_eq(buf_str(&whole), buf_str(&bytes)));
    if (whole.len)
        must(chunk_put(&again, buf_str(&whole)));
    must(chunk_put(&again, (str){0}));
    buf_clear(&bytes);
    must(decode(buf_str(&again), 7, &bytes, &used_bytes).state == CHUNK_DONE && used_bytes == (ptrdiff_t)again.len);
    must(str_eq(buf_str(&whole), buf_str(&bytes)));
    buf_free(&whole);
    buf_free(&bytes);
    buf_free(&again);
    return 0;
}
