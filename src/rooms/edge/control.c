// What the control socket answers: how the edge is, what is kept, and purges. docs/edge.md.
#include <stdlib.h>

#include "base/heap_memory.h"
#include "rooms/edge/edge_inside.h"
#include "rooms/edge/meters.h"
#include "rt/json_text.h"
#include "rt/log.h"

enum { JSON_BYTES_MAX = 8 << 20, TOP_MAX = 1000, TOP_USUAL = 20, SLICES_SHOWN_MAX = 10000 };

static void put_origins(edge *e, const site *s, buf *out)
{
    for (int i = 0; i < s->origin_count; i++) {
        const origin *o = &s->origins[i];
        int64_t down_ns = o->down_until_ns - world_now_ns(e->w);
        buf_put(out, i ? S(",{\"origin\":") : S("{\"origin\":"));
        json_put(out, o->name);
        buf_format(out, ",\"asked\":%llu,\"failed\":%llu,\"bytes\":%llu,\"idle\":%d,\"down_ms\":%lld}", (unsigned long long)o->asked,
                   (unsigned long long)o->failed, (unsigned long long)o->bytes, o->idle_count, (long long)(down_ns > 0 ? down_ns / NS_PER_MS : 0));
    }
}

static void on_status(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    edge *e = arg;
    disk_figures d = disk_figures_now(e);
    buf out = buf_make(JSON_BYTES_MAX);
    (void)q;
    buf_put(&out, S("{\"name\":"));
    json_put(&out, e->name);
    buf_format(&out, ",\"objects\":%lld,\"objects_max\":%lld,\"memory\":%lld,\"memory_max\":%lld,\"slice\":%u,\"purges\":%llu,\"fills\":%d,",
               (long long)e->object_count, (long long)e->objects_max, (long long)(e->piece_bytes + e->described_bytes), (long long)e->memory_max,
               e->slice_bytes, (unsigned long long)e->purges, e->fills);
    buf_format(&out, "\"disk\":%lld,\"disk_max\":%lld,\"disk_segments\":%lld,\"disk_writes\":%lld,\"disk_dropped\":%lld,\"disk_damaged\":%lld,"
               "\"disk_found\":%lld,\"disk_failures\":%lld,\"disk_trouble\":\"%s\",\"sites\":[", (long long)d.bytes, (long long)d.bytes_max, (long long)d.segments, (long long)d.writes,
               (long long)d.dropped, (long long)d.damaged, (long long)d.found, (long long)d.failures, d.error ? err_text(d.error) : "");
    for (int i = 0; i < e->set->site_count; i++) {
        const site *s = &e->set->sites[i];
        buf_put(&out, i ? S(",\n{\"site\":") : S("\n{\"site\":"));
        json_put(&out, s->name);
        buf_format(&out, ",\"requests\":%llu,\"hits\":%llu,\"origins\":[", (unsigned long long)s->requests, (unsigned long long)s->hits);
        put_origins(e, s, &out);
        buf_put(&out, S("]}"));
    }
    buf_put(&out, S("]}\n"));
    control_answer(reply, &out, msg);
}

// ---- objects ----------------------------------------------------------------------------------------------------------------------

static void put_object(edge *e, const object *o, bool slices, buf *out)
{
    int64_t now = edge_now_s(e), memory = 0, kept = 0;
    for (uint32_t i = 0; i < o->slice_cap; i++)
        if (o->slices[i]) {
            memory += o->slices[i]->bytes ? o->slices[i]->len : 0;
            kept += o->slices[i]->place.segment ? o->slices[i]->len : 0;
        }
    buf_put(out, S("{\"url\":"));
    json_put(out, resource_key(o->of));
    buf_put(out, S(",\"vary\":"));
    json_put(out, o->about->vary);
    buf_format(out, ",\"status\":%d,\"length\":%lld,\"age\":%lld,\"fresh_for\":%lld,\"hits\":%llu,\"bytes_given\":%llu,\"in_memory\":%lld,"
               "\"on_disk\":%lld,\"filling\":%s", o->about->status, (long long)o->length, (long long)cache_age_s(&o->about->policy, now),
               (long long)cache_left_s(&o->about->policy, now), (unsigned long long)o->hits, (unsigned long long)o->bytes_given,
               (long long)memory, (long long)kept, o->fills ? "true" : "false");
    buf_put(out, S(",\"etag\":"));
    json_put(out, o->about->valid.etag);
    if (slices) {
        buf_put(out, S(",\"slices\":["));
        for (uint32_t i = 0, n = 0; i < o->slice_cap && n < SLICES_SHOWN_MAX; i++) {
            const slice *s = o->slices[i];
            if (!s)
                continue;
            buf_format(out, "%s{\"number\":%u,\"bytes\":%u,\"where\":\"%s%s%s\"}", n++ ? "," : "", i, s->len, s->bytes ? "memory" : "",
                       s->bytes && s->place.segment ? " and " : "", s->place.segment ? "disk" : "");
        }
        buf_put(out, S("]"));
    }
    buf_put(out, S("}"));
}

// "http://host/path" of a site of ours, as a key.
static bool key_of(edge *e, str url, arena *msg, str *key)
{
    buf space = buf_make(3 * URL_BYTES_MAX);
    str authority, target;
    site *s = NULL;
    if (url.len && url.len < HTTP_LINE_BYTES_MAX && url_normal(url, &space, &authority, &target) && authority.len)
        s = site_find(e, authority);
    if (s)
        *key = str_format(msg, "%s://" STR_FMT STR_FMT, str_starts_nocase(url, S("https:")) ? "https" : "http", STR_ARG(s->name), STR_ARG(target));
    buf_free(&space);
    return s != NULL;
}

static void on_show(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    edge *e = arg;
    str key;
    if (!key_of(e, http_query_get(q, S("url"), msg), msg, &key)) {
        control_error(reply, 400, S("url wants http://HOST/PATH of a configured site"), msg);
        return;
    }
    resource *r = edge_resource_find(e, key);
    buf out = buf_make(JSON_BYTES_MAX);
    buf_put(&out, S("{\"objects\":["));
    bool first = true;
    for (list_link *k = r ? list_first(&r->objects) : NULL; k; k = list_next(&r->objects, k), first = false) {
        buf_put(&out, first ? S("\n") : S(",\n"));
        put_object(e, LIST_OF(k, object, in_resource), true, &out);
    }
    buf_put(&out, S("]}\n"));
    control_answer(reply, &out, msg);
}

static int by_hits(const void *a, const void *b)
{
    const object *x = *(const object *const *)a, *y = *(const object *const *)b;
    if (x->hits != y->hits)
        return x->hits > y->hits ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void on_top(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    edge *e = arg;
    uint64_t wanted = TOP_USUAL;
    str count = http_query_get(q, S("count"), msg);
    if (count.len && (!str_to_u64(count, &wanted) || wanted < 1 || wanted > TOP_MAX)) {
        control_error(reply, 400, S("count is a number from 1 to 1000"), msg);
        return;
    }
    const object **all = memory_new((size_t)(e->object_count + 1) * sizeof(object *));
    size_t n = 0;
    for (list_link *k = list_first(&e->all); k; k = list_next(&e->all, k))
        all[n++] = LIST_OF(k, object, in_all);
    qsort(all, n, sizeof *all, by_hits);
    buf out = buf_make(JSON_BYTES_MAX);
    buf_format(&out, "{\"all\":%zu,\"objects\":[", n);
    for (size_t i = 0; i < n && i < wanted; i++) {
        buf_put(&out, i ? S(",\n") : S("\n"));
        put_object(e, all[i], false, &out);
    }
    memory_free(all);
    buf_put(&out, S("]}\n"));
    control_answer(reply, &out, msg);
}

// ---- purges -----------------------------------------------------------------------------------------------------------------------

static void on_purge(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    edge *e = arg;
    str url = http_query_get(q, S("url"), msg), tag = http_query_get(q, S("tag"), msg), key = {0};
    bool soft = str_eq(http_query_get(q, S("soft"), msg), S("yes")), all = str_eq(http_query_get(q, S("all"), msg), S("yes"));
    if (!str_eq(q->method, S("POST"))) {
        control_error(reply, 405, S("a purge is a POST"), msg);
        return;
    }
    if ((url.len != 0) + (tag.len != 0) + all != 1 || (url.len && !key_of(e, url, msg, &key))) {
        control_error(reply, 400, S("say one of url=http://HOST/PATH (of a configured site), tag=TAG, all=yes"), msg);
        return;
    }
    int64_t count = all ? purge_all(e, soft) : tag.len ? purge_tag(e, tag, soft) : purge_key(e, key, soft);
    err x = disk_put_purge(e, key, tag, all, soft);
    meter_add(&edge_purged, count);
    log_line("edge", LOG_NOTICE, "purge", F_STR("what", all ? S("all") : tag.len ? tag : url), F_STR("how", soft ? S("soft") : S("hard")),
             F_INT("objects", count));
    if (x) {
        control_error(reply, 500, str_format(msg, "it is purged, but after a restart it may be there again: the disk says %s", err_text(x)), msg);
        return;
    }
    http_answer(reply, 200, S("application/json"), str_format(msg, "{\"purged\":%lld,\"soft\":%s}\n", (long long)count, soft ? "true" : "false"));
}

void edge_routes_open(edge *e)
{
    enum { ROUTES = 4 };
    control_route *routes = arena_array(e->room->memory, control_route, ROUTES);
    routes[0] = (control_route){"/about", on_status, e};
    routes[1] = (control_route){"/show", on_show, e};
    routes[2] = (control_route){"/top", on_top, e};
    routes[3] = (control_route){"/purge", on_purge, e};
    control_add(e->room, routes, ROUTES);
}
