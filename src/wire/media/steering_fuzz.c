// A steering manifest from anywhere: within its limits, and the same when it is written and read again.
#include "base/must.h"
#include "wire/media/steering.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(4 << 20);
    steering_manifest m, again;
    const char *why = NULL;
    bool good = steering_read(str_of(data, size), &m, &a, &why);
    must(good == (why == NULL));
    if (good) {
        must(m.count > 0 && m.count <= MEDIA_BASES_MAX && m.ttl_s > 0 && m.ttl_s <= STEERING_TTL_S_MAX);
        buf out = buf_make(1 << 20);
        must(steering_write(&m, &out));
        if (out.len <= STEERING_BYTES_MAX) {
            must(steering_read(buf_str(&out), &again, &a, &why));
            must(again.count == m.count && again.ttl_s == m.ttl_s && str_eq(again.reload_url, m.reload_url));
            for (int i = 0; i < m.count; i++)
                must(str_eq(again.ranking[i], m.ranking[i]));
        }
        buf_free(&out);
    }
    arena_free(&a);
    return 0;
}
