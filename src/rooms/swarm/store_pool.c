// What all torrents of a room share, and the fiber that syncs, settles and tidies up behind.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/swarm/store_inside.h"

enum { CHUNKS_MAX = 1 << 20 };

// ---- the fiber -------------------------------------------------------------------------------------------------------------------------

static bool store_rests(const store *s) { return !s->session && !s->layout && list_empty(&s->handles); }

static int64_t tidy_ns(const store *s)
{
    bool holds = !list_empty(&s->handles) || list_linked(&s->of_layouts);
    return holds ? s->used_ns + s->pool->limits.idle_ns : INT64_MAX;
}

// The torrent that is due, or NULL and when the next one is.
static store *due_find(store_pool *p, int64_t now_ns, int64_t *next_ns)
{
    *next_ns = INT64_MAX;
    for (list_link *k = list_first(&p->active), *next; k; k = next) {
        next = list_next(&p->active, k);
        store *s = LIST_OF(k, store, of_active);
        int64_t due = store_due_ns(s), tidy = tidy_ns(s);
        due = tidy < due ? tidy : due;
        if (store_rests(s))
            list_remove(&s->of_active);
        else if (s->alone)
            continue;                            // it wakes us
        else if (due <= now_ns)
            return s;
        else if (due < *next_ns)
            *next_ns = due;
    }
    return NULL;
}

static void store_serve(store *s, int64_t now_ns)
{
    int64_t due = store_due_ns(s);
    if (due <= now_ns && (s->dirty_since_ns || s->dirty_bytes)) {
        store_enter(s);
        (void)store_flush_entered(s);            // trouble is remembered
        store_leave(s);
    } else if (due <= now_ns) {
        store_enter_alone(s);
        (void)store_settle_entered(s);
        store_leave_alone(s);
    } else {
        store_enter(s);
        s->used_ns = now_ns;
        store_handles_close(s, false);
        store_leave(s);
    }
}

static void pool_run(void *arg)
{
    store_pool *p = arg;
    err e = E_OK;
    while (!p->closing && e != E_CANCELED) {
        int64_t now = world_now_ns(p->world), next;
        store_layouts_trim(p, now, false);
        store *s = due_find(p, now, &next);
        if (s) {
            store_serve(s, now);
            e = fiber_canceled() ? E_CANCELED : E_OK;
        } else {
            e = gate_wait(&p->wake, next == INT64_MAX ? NEVER_NS : next, "something to record");
        }
    }
    p->running = false;
    gate_wake_all(&p->ended);
}

// ---- opening and closing ---------------------------------------------------------------------------------------------------------------

static int64_t or_default(int64_t value, int64_t otherwise) { return value > 0 ? value : otherwise; }

err store_pool_open(scope *s, store_limits limits, store_pool **out)
{
    store_pool *p = memory_zeroed(1, sizeof *p);
    p->world = world_here();
    p->scope = s;
    p->limits = limits;
    p->limits.cache_bytes_max = or_default(limits.cache_bytes_max, STORE_CACHE_BYTES);
    p->limits.files_open_max = (int)or_default(limits.files_open_max, STORE_FILES_OPEN);
    p->limits.sync_ns = or_default(limits.sync_ns, seconds(STORE_SYNC_S));
    p->limits.sync_bytes = or_default(limits.sync_bytes, STORE_SYNC_BYTES);
    p->limits.settle_ns = or_default(limits.settle_ns, seconds(STORE_SETTLE_S));
    p->limits.idle_ns = or_default(limits.idle_ns, seconds(STORE_IDLE_S));
    p->chunk_map = map_make(world_random_u64(p->world), CHUNKS_MAX);
    list *const lists[] = {&p->stores, &p->active, &p->handles, &p->chunks, &p->layouts};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    p->running = true;
    err e = scope_go(s, "torrents' disk", pool_run, p);
    if (e) {
        memory_free(p);
        return e;
    }
    *out = p;
    return E_OK;
}

void store_pool_close(store_pool *p)
{
    if (!p)
        return;
    must(list_empty(&p->stores));
    p->closing = true;
    gate_wake_all(&p->wake);
    while (p->running || p->ahead_count)
        gate_wait_uncanceled(&p->ended, "torrents' disk");
    memory_free(p->spare);
    map_free(&p->chunk_map);
    memory_free(p);
}

store_figures store_figures_now(const store_pool *p)
{
    store_figures f = p->figures;
    f.files_open = p->handle_count;
    return f;
}
