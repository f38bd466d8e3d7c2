// Any target: what comes out is in the one spelling already (doing it again changes nothing), never longer than three times what went in,
// begins at the root and holds no dot segment, control character or backslash.
#include <string.h>

#include "base/must.h"
#include "wire/http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    buf room = buf_make(3 * size + 1), again = buf_make(3 * size + 1);
    str authority, out, twice;
    if (url_normal(str_of(data, size), &room, &authority, &out)) {
        must(out.len > 0 && out.at[0] == '/');
        must(url_normal(out, &again, &authority, &twice) && str_eq(out, twice) && authority.len == 0);
        for (ptrdiff_t i = 0; i < out.len; i++)
            must(out.at[i] > ' ' && out.at[i] < 0x7f && out.at[i] != '\\');
        str path = out, segment;
        path = str_cut(&path, '?');
        while (path.len) {
            segment = str_cut(&path, '/');
            must(!str_eq(segment, S("..")) && !str_eq(segment, S(".")));
        }
    }
    buf_free(&room);
    buf_free(&again);
    return 0;
}
