// A record that is read can be written, and what was written reads back as the same.
#include "base/must.h"
#include "rooms/origin/film.h"
#include "rooms/origin/resource.h"

enum { INPUT_BYTES_MAX = 64 * 1024, OUT_BYTES_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    arena a = arena_make(FILM_MEMORY_BYTES_MAX);
    film f, g;
    const char *why = NULL;
    buf once = buf_make(OUT_BYTES_MAX), twice = buf_make(OUT_BYTES_MAX);
    if (film_read(str_of(data, size), &a, &f, &why)) {
        must(why == NULL && film_id_valid(f.id) && film_bytes(&f) > 0);
        if (film_write(&f, &once)) {
            must(film_read(buf_str(&once), &a, &g, &why));
            must(film_write(&g, &twice) && str_eq(buf_str(&once), buf_str(&twice)));
        }
    } else {
        must(why != NULL);
    }
    str id = film_id_from(str_of(data, size), &a);
    must(!id.len || film_id_valid(id));
    buf_free(&once);
    buf_free(&twice);
    arena_free(&a);
    return 0;
}
