// Any text as the record of an object: read or refused; what is read and written again is read as the same.
#include <string.h>

#include "base/must.h"
#include "rooms/edge/edge_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static edge e;                               // no secret: tags' hashes are the same in both readings
    str key, key_again;
    int64_t length, length_again;
    if (size > 1 << 16)
        return 0;
    description *d = description_read(&e, str_of(data, size), &key, &length);
    if (d) {
        buf out = buf_make(1 << 20);
        description_write(d, key, length, &out);
        must(!out.full);
        description *again = description_read(&e, buf_str(&out), &key_again, &length_again);
        must(again && length == length_again && str_eq(key, key_again) && str_eq(d->head, again->head) && d->tag_count == again->tag_count);
        for (int i = 0; i < d->field_count; i++)
            must(str_eq(d->fields[i].name, again->fields[i].name) && str_eq(d->fields[i].value, again->fields[i].value));
        description_drop(again);
        buf_free(&out);
    }
    description_drop(d);
    must(e.described_bytes == 0);
    return 0;
}
