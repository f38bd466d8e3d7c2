// An accepted path begins with '/', holds no dot segment and no control, and (percent-encoded again) stands for itself.
#include "base/hex.h"
#include "base/must.h"
#include "wire/http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(1 << 20);
    str path, query, again, none;
    if (target_read(str_of(data, size), &a, &path, &query) && !str_eq(path, S("*"))) {
        must(str_starts(path, S("/")));
        must(str_find_str(path, S("/../")) < 0 && !str_ends(path, S("/..")) && str_find_str(path, S("//")) < 0);
        for (ptrdiff_t i = 0; i < path.len; i++)
            must(path.at[i] >= ' ' && path.at[i] != 0x7f);
        buf coded = buf_make(1 << 18);
        must(percent_put(&coded, path, S("/")));
        must(target_read(buf_str(&coded), &a, &again, &none) && str_eq(path, again) && none.len == 0);
        buf_free(&coded);
        query_get(query, S("trace"), &a);
    }
    arena_free(&a);
    return 0;
}
