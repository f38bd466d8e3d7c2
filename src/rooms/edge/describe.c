// What is known about a kept answer, in one block: its head ready to be sent, what selects it, its tags; and the same as a record on disk.
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/edge/edge_inside.h"

enum { RECORD_NUMBERS = 13 };

void description_drop(description *d)
{
    if (!d || --d->holders > 0)
        return;
    d->of->described_bytes -= (int64_t)d->bytes;
    memory_free(d);
}

// Fields that are said anew with each answer.
static bool is_said_anew(str name)
{
    return str_eq_nocase(name, S("Content-Length")) || str_eq_nocase(name, S("Age")) || str_eq_nocase(name, S("Content-Range"));
}

static void tags_take(edge *e, const http_header *fields, int count, uint64_t tags[TAGS_MAX + 1], int *tag_count)
{
    for (int i = 0; i < count; i++) {
        bool by_blank = str_eq_nocase(fields[i].name, S("Surrogate-Key"));
        if (!by_blank && !str_eq_nocase(fields[i].name, S("Cache-Tag")))
            continue;
        for (str rest = fields[i].value; rest.len && *tag_count <= TAGS_MAX; ) {
            str tag = by_blank ? str_word(&rest) : str_trim(str_cut(&rest, ','));
            if (tag.len)
                tags[(*tag_count)++] = tag_hash(e, tag);
        }
    }
}

static void vary_join(const http_header *fields, int count, buf *out)
{
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(fields[i].name, S("Vary"))) {
            if (out->len)
                buf_put_byte(out, ',');
            buf_put(out, fields[i].value);
        }
}

// Lays everything into one block. `head` is the text from which the fields are taken apart again.
static description *block_make(edge *e, int status, str head, int fields, const cache_policy *policy, str vary, str vary_key,
                               const uint64_t *tags, int tag_count)
{
    size_t bytes = sizeof(description) + (size_t)fields * sizeof(http_header) + (size_t)tag_count * sizeof *tags +
                   (size_t)(head.len + vary.len + vary_key.len);
    description *d = memory_zeroed(1, bytes);
    *d = (description){.holders = 1, .of = e, .status = status, .policy = *policy, .field_count = fields, .tag_count = tag_count, .bytes = bytes};
    d->fields = (http_header *)(void *)(d + 1);
    d->tags = (uint64_t *)(void *)(d->fields + fields);
    unsigned char *text = (unsigned char *)(d->tags + tag_count);
    if (tag_count)
        memcpy(d->tags, tags, (size_t)tag_count * sizeof *tags);
    str *parts[] = {&d->head, &d->vary, &d->vary_key};
    const str from[] = {head, vary, vary_key};
    for (int i = 0; i < 3; i++) {
        if (from[i].len)
            memcpy(text, from[i].at, (size_t)from[i].len);
        *parts[i] = (str){text, from[i].len};
        text += from[i].len;
    }
    str rest = d->head;
    str_cut(&rest, '\n');
    for (int i = 0; i < fields; i++) {
        str line = str_cut(&rest, '\n');
        line.len--;                                      // CR
        str value = line, name = str_cut(&value, ':');
        d->fields[i] = (http_header){name, str_trim(value)};
    }
    d->valid = validators_of(d->fields, fields);
    e->described_bytes += (int64_t)bytes;
    return d;
}

description *description_new(edge *e, int status, const http_header *fields, int count, const cache_policy *policy,
                             const http_header *asked, int asked_count, const char **why)
{
    http_header keep[2 * HTTP_HEADERS_MAX + 2];
    uint64_t tags[TAGS_MAX + 1];
    int n = 0, tag_count = 0, said = 0;
    must(count <= 2 * HTTP_HEADERS_MAX);
    buf head = buf_make(DESCRIPTION_BYTES_MAX), vary = buf_make(CACHE_VARY_KEY_BYTES_MAX), key = buf_make(CACHE_VARY_KEY_BYTES_MAX);
    description *d = NULL;
    n = cache_fields_keep(fields, count, keep);
    buf_format(&head, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    if (!http_field_present(keep, n, S("Date"))) {       // RFC 9110 section 6.6.1
        char today[DATE_TEXT_MAX];
        date_print_http(today, policy->came_s);
        buf_format(&head, "Date: %s\r\n", today);
        said++;
    }
    for (int i = 0; i < n; i++)
        if (!is_said_anew(keep[i].name)) {
            buf_format(&head, STR_FMT ": ", STR_ARG(keep[i].name));
            buf_put(&head, keep[i].value);
            buf_put(&head, S("\r\n"));
            said++;
        }
    tags_take(e, keep, n, tags, &tag_count);
    vary_join(keep, n, &vary);
    http_header varies = {S("Vary"), buf_str(&vary)};
    bool selects = !vary.len || cache_vary_key(&varies, 1, asked, asked_count, &key);
    *why = tag_count > TAGS_MAX ? "it has too many tags" : head.full || vary.full ? "its head is too large" :
           !selects ? "it varies by everything" : NULL;
    if (!*why)
        d = block_make(e, status, buf_str(&head), said, policy, buf_str(&vary), buf_str(&key), tags, tag_count);
    buf_free(&head);
    buf_free(&vary);
    buf_free(&key);
    return d;
}

description *description_with_policy(edge *e, const description *d, const cache_policy *policy)
{
    return block_make(e, d->status, d->head, d->field_count, policy, d->vary, d->vary_key, d->tags, d->tag_count);
}

// ---- as a record --------------------------------------------------------------------------------------------------------------

// Numbers in a line, then the texts; tags' names are hashed with a key that each life makes anew: they come from the fields.
void description_write(const description *d, str key, int64_t length, buf *out)
{
    const cache_policy *p = &d->policy;
    buf_format(out, "%d %lld %lld %lld %lld %lld %lld %d %td %td %td %td %d\n", d->status, (long long)length, (long long)p->lifetime_s,
               (long long)p->age_at_start_s, (long long)p->came_s, (long long)p->stale_while_revalidate_s, (long long)p->stale_if_error_s,
               (p->always_validate ? 1 : 0) | (p->never_stale ? 2 : 0) | (p->heuristic ? 4 : 0) | (p->has_validator ? 8 : 0), key.len,
               d->head.len, d->vary.len, d->vary_key.len, d->field_count);
    buf_put(out, key);
    buf_put(out, d->head);
    buf_put(out, d->vary);
    buf_put(out, d->vary_key);
}

// How many fields: a status line, and lines "NAME: VALUE", each with CR LF. -1: something else.
static int head_lines(str head)
{
    int lines = -1;
    while (head.len) {
        ptrdiff_t lf = str_find(head, '\n');
        str line = str_first(head, lf);
        head = str_from(head, lf + 1);
        if (lf < 1 || !str_ends(line, S("\r")) || (lines >= 0 && str_find(line, ':') < 1))
            return -1;
        lines++;
    }
    return lines;
}

description *description_read(edge *e, str text, str *key, int64_t *length)
{
    int64_t v[RECORD_NUMBERS];
    uint64_t tags[TAGS_MAX + 1];
    int tag_count = 0;
    str line = str_cut(&text, '\n');
    for (int i = 0; i < RECORD_NUMBERS; i++)
        if (!str_to_i64(str_word(&line), &v[i]))
            return NULL;
    str parts[4];
    for (int i = 0; i < 4; i++) {
        if (v[8 + i] < 0 || v[8 + i] > text.len)
            return NULL;
        parts[i] = str_first(text, v[8 + i]);
        text = str_from(text, v[8 + i]);
    }
    if (text.len || v[0] < 200 || v[0] > 599 || head_lines(parts[1]) != v[12] || v[12] < 0)
        return NULL;
    int lines = (int)v[12];
    cache_policy p = {.lifetime_s = v[2], .age_at_start_s = v[3], .came_s = v[4], .stale_while_revalidate_s = v[5], .stale_if_error_s = v[6],
                      .always_validate = v[7] & 1, .never_stale = v[7] & 2, .heuristic = v[7] & 4, .has_validator = v[7] & 8};
    *key = parts[0];
    *length = v[1];
    description *bare = block_make(e, (int)v[0], parts[1], lines, &p, parts[2], parts[3], NULL, 0);
    tags_take(e, bare->fields, bare->field_count, tags, &tag_count);
    description *d = tag_count > TAGS_MAX ? NULL : block_make(e, (int)v[0], parts[1], lines, &p, parts[2], parts[3], tags, tag_count);
    description_drop(bare);
    return d;
}
