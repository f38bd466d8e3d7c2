#include "cmd/up_metrics.h"

#include <stdlib.h>

enum { PAGE_MEMORY_BYTES_MAX = 32 << 20 };

metrics_page metrics_page_make(void)
{
    metrics_page p = {.memory = arena_make(PAGE_MEMORY_BYTES_MAX)};
    p.families = arena_array(&p.memory, metrics_family, METRICS_FAMILIES_MAX);
    return p;
}

void metrics_page_free(metrics_page *p)
{
    for (int i = 0; i < p->count; i++)
        buf_free(&p->families[i].values);
    arena_free(&p->memory);
}

// NULL: too many.
static metrics_family *family_of(metrics_page *p, str name)
{
    for (int i = 0; i < p->count; i++)
        if (str_eq(p->families[i].name, name))
            return &p->families[i];
    if (!p->families || p->count == METRICS_FAMILIES_MAX)
        return NULL;
    metrics_family *f = &p->families[p->count++];
    *f = (metrics_family){.name = str_copy(&p->memory, name), .values = buf_make(METRICS_BYTES_MAX)};
    return f;
}

// name{a="b"} 1, name 1
static void value_add(metrics_family *f, const char *service, str line)
{
    ptrdiff_t brace = str_find(line, '{'), blank = str_find(line, ' ');
    bool labelled = brace >= 0 && brace < blank;
    ptrdiff_t name = labelled ? brace : blank;
    if (name <= 0)
        return;
    buf_put(&f->values, str_first(line, name));
    buf_format(&f->values, "{service=\"%s\"%s", service, labelled ? "," : "}");
    buf_put(&f->values, str_from(line, labelled ? name + 1 : name));
    buf_put_byte(&f->values, '\n');
}

void metrics_add(metrics_page *p, const char *service, str text)
{
    metrics_family *f = NULL;
    bool is_new = false;
    while (text.len) {
        str line = str_cut(&text, '\n'), rest = line;
        str mark = str_word(&rest), kind = str_word(&rest), name = str_word(&rest);
        if (str_eq(mark, S("#")) && str_eq(kind, S("HELP"))) {
            f = family_of(p, name);
            is_new = f && f->head.len == 0;
        }
        if (!f || line.len == 0)
            continue;
        if (!str_eq(mark, S("#")))
            value_add(f, service, line);
        else if (is_new)
            f->head = str_format(&p->memory, STR_FMT STR_FMT "\n", STR_ARG(f->head), STR_ARG(line));
    }
}

static int by_name(const void *left, const void *right)
{
    return str_cmp(((const metrics_family *)left)->name, ((const metrics_family *)right)->name);
}

void metrics_write(metrics_page *p, buf *out)
{
    if (p->families)
        qsort(p->families, (size_t)p->count, sizeof *p->families, by_name);
    for (int i = 0; i < p->count; i++) {
        buf_put(out, p->families[i].head);
        buf_put(out, buf_str(&p->families[i].values));
    }
}
