// Whatever is read is a tree within its ceilings whose texts, written and read again, are the same.
#include "base/must.h"
#include "wire/media/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(str text, arena *a)
{
    buf out = buf_make(1 << 20);
    const char *why;
    buf_put(&out, S("<a b=\""));
    xml_put(&out, text);
    buf_put(&out, S("\"/>"));
    const xml_element *e = xml_read(buf_str(&out), a, &why);
    must(e && str_eq(xml_value(e, S("b")), text));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(64 << 20);
    const char *why = NULL;
    const xml_element *e = xml_read(str_of(data, size), &a, &why);
    must((e != NULL) == (why == NULL));
    int depth = 1, steps = 0;
    while (e) {
        must(depth >= 1 && depth <= XML_DEPTH_MAX + 1 && ++steps <= 1 << 14 && e->attribute_count <= XML_ATTRIBUTES_MAX);
        if (e->attribute_count > 0 && steps < 8)
            same_again(e->attributes[0].value, &a);
        const xml_element *next = e->first ? (depth++, e->first) : e->next;
        while (!next && e->parent) {
            e = e->parent;
            depth--;
            next = e->next;
        }
        e = next;
    }
    arena_free(&a);
    return 0;
}
