// Any bytes are a letter of bounded parts that lie within them; made fit for seven bits it holds no other byte and
// the same number of leaves.
#include "base/must.h"
#include "wire/mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(1 << 26);
    buf out = buf_make(1 << 22);
    str in = str_of(data, size);
    mime_tree t = mime_read(in, &a);
    must(t.count <= MIME_PARTS_MAX);
    for (int i = 0; i < t.count; i++) {
        const mime_part *p = &t.parts[i];
        must(p->depth <= MIME_DEPTH_MAX && p->parent < i && (i == 0) == (p->parent < 0));
        must(p->content.len == 0 || (p->content.at >= in.at && p->content.at + p->content.len <= in.at + in.len));
        must(str_find(p->file_name, '/') < 0 && str_find(p->file_name, '\n') < 0);
        must(mime_decode(p, &out));
        buf_clear(&out);
    }
    if (!t.cut && mime_to_7bit(in, &a, &out))
        must(!mime_has_8bit(buf_str(&out)));
    buf_free(&out);
    arena_free(&a);
    return 0;
}
