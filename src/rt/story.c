#include "rt/story.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "base/utf8.h"

// One ring for all loops and workers of the process. A number is drawn, and the event goes into slot number % size. A
// slot is busy while somebody copies into or out of it; whoever tells never waits: a busy slot (a reader at the very
// event that is being replaced, 16,384 events ago) loses the new event.
typedef struct {
    _Atomic bool busy;
    story_event  event;              // number 0: nothing yet
} slot;

static _Atomic(slot *)  slots;       // made when the first event is told; pages are given when they are first written
static pthread_once_t   slots_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t told, forgotten;

static void slots_make(void) { slots = memory_zeroed(STORY_RING_EVENTS, sizeof(slot)); }

static bool slot_take(slot *s) { return !atomic_exchange_explicit(&s->busy, true, memory_order_acquire); }
static void slot_give(slot *s) { atomic_store_explicit(&s->busy, false, memory_order_release); }

uint64_t story_trace_new(void)
{
    uint64_t trace;
    do
        trace = world_random_u64(world_here());
    while (trace == 0);
    return trace;
}

// ---- telling: no formatting, no waiting, bounded copies ----

static void copy_name(char *into, size_t size, str name)
{
    size_t n = (size_t)name.len < size - 1 ? (size_t)name.len : size - 1;
    if (n)
        memcpy(into, name.at, n);
    into[n] = 0;
}

// No byte below ' ' and none from DEL up; eight at a time.
static bool plain_ascii(const char *s, ptrdiff_t n)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t odd = 0;
    for (ptrdiff_t i = 0; i < n; i += 8) {
        uint64_t x = ones * ' ';
        memcpy(&x, s + i, (size_t)(n - i < 8 ? n - i : 8));
        odd |= ((x - ones * ' ') & ~x) | (x + ones) | x;
    }
    return (odd & tops) == 0;
}

// Controls become '?'; a character that would be cut in half is left out. Almost every line is ASCII without controls.
static uint8_t copy_line(char *into, str line)
{
    ptrdiff_t n = line.len < STORY_LINE_BYTES_MAX ? line.len : STORY_LINE_BYTES_MAX;
    if (n)
        memcpy(into, line.at, (size_t)n);
    if (plain_ascii(into, n))
        return (uint8_t)n;
    n = 0;
    line = utf8_first(line, STORY_LINE_BYTES_MAX);
    while (line.len) {
        uint32_t code = 0;
        int taken = utf8_decode(line, &code);
        if (taken == 0 || utf8_is_control(code))
            into[n++] = '?';
        else
            for (int i = 0; i < taken; i++)
                into[n++] = (char)line.at[i];
        line = str_from(line, taken ? taken : 1);
    }
    return (uint8_t)n;
}

// The wall clock of the real world is asked ten times a second; in between it follows the monotonic one: a clock costs as
// much as all the rest here.
static int64_t wall_at(world *w, int64_t mono_ns)
{
    enum { ASK_AGAIN_MS = 100 };
    static _Thread_local int64_t ahead_ns, until_ns;
    if (world_is_simulated(w))
        return world_wall_ns(w);
    if (mono_ns >= until_ns) {
        ahead_ns = world_wall_ns(w) - mono_ns;
        until_ns = mono_ns + millis(ASK_AGAIN_MS);
    }
    return mono_ns + ahead_ns;
}

// The ring is larger than the caches: the slot that comes next is fetched while this one is written.
static void prefetch(const slot *s)
{
    for (size_t at = 0; at < offsetof(slot, event.line) + 64; at += 64)
        __builtin_prefetch((const char *)s + at, 1);
}

static void tell(const char *protocol, story_direction direction, addr local, addr peer, str line)
{
    slot *ring = atomic_load_explicit(&slots, memory_order_acquire);
    if (!ring) {
        pthread_once(&slots_once, slots_make);
        ring = slots;
    }
    uint64_t number = atomic_fetch_add_explicit(&told, 1, memory_order_relaxed) + 1;
    slot *s = &ring[number % STORY_RING_EVENTS];
    prefetch(&ring[(number + 1) % STORY_RING_EVENTS]);
    if (!slot_take(s))
        return;
    story_event *e = &s->event;
    e->number = number;
    world *w = world_here();         // also on a worker; NULL outside loops
    struct timespec wall = {0}, mono = {0};
    if (!w) {
        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_MONOTONIC, &mono);
    }
    e->mono_ns = w ? world_now_ns(w) : mono.tv_sec * NS_PER_S + mono.tv_nsec;
    e->wall_ns = w ? wall_at(w, e->mono_ns) : wall.tv_sec * NS_PER_S + wall.tv_nsec;
    e->trace = fiber_trace();
    copy_name(e->here, sizeof e->here, w ? world_name(w) : (str){0});
    copy_name(e->protocol, sizeof e->protocol, str_z(protocol));
    e->local = local;
    e->peer = peer;
    e->direction = direction;
    e->len = copy_line(e->line, line);
    slot_give(s);
}

void story_tell(const char *protocol, story_direction direction, addr local, addr peer, str line)
{
    tell(protocol, direction, local, peer, str_chomp(line));
}

void story_note(const char *protocol, str line) { tell(protocol, STORY_NOTE, (addr){0}, (addr){0}, line); }

void story_forget(void) { atomic_store(&forgotten, atomic_load(&told)); }

// ---- names of addresses ----

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { addr at; char host[24]; } names[STORY_NAMES_MAX];
static int name_count;

void story_name(addr at, str host)
{
    pthread_mutex_lock(&names_lock);
    int i = 0;
    while (i < name_count && !addr_eq_ip(names[i].at, at))
        i++;
    if (i < STORY_NAMES_MAX) {
        names[i].at = at;
        copy_name(names[i].host, sizeof names[i].host, host);
        name_count = i < name_count ? name_count : i + 1;
    }
    pthread_mutex_unlock(&names_lock);
}

static void names_fill(story_event *events, int count)
{
    pthread_mutex_lock(&names_lock);
    for (int i = 0; i < count; i++) {
        events[i].there[0] = 0;
        for (int n = 0; n < name_count && events[i].peer.family; n++)
            if (addr_eq_ip(names[n].at, events[i].peer)) {
                memcpy(events[i].there, names[n].host, sizeof events[i].there);
                break;
            }
    }
    pthread_mutex_unlock(&names_lock);
}

// ---- reading ----

// Copies event `number` when it is still there (or there already) and wanted.
static bool event_copy(slot *ring, uint64_t number, uint64_t trace, story_event *out)
{
    slot *s = &ring[number % STORY_RING_EVENTS];
    while (!slot_take(s))
        ;                            // a writer holds it for some tens of nanoseconds
    bool wanted = s->event.number == number && (trace == 0 || s->event.trace == trace);
    if (wanted)
        *out = s->event;
    slot_give(s);
    return wanted;
}

// The first number that may still be in the ring.
static uint64_t oldest(uint64_t newest)
{
    uint64_t gone = atomic_load(&forgotten);
    uint64_t first = newest > STORY_RING_EVENTS ? newest - STORY_RING_EVENTS + 1 : 1;
    return first > gone ? first : gone + 1;
}

static void turn_round(story_event *events, int count)
{
    for (int i = 0, j = count - 1; i < j; i++, j--) {
        story_event keep = events[i];
        events[i] = events[j];
        events[j] = keep;
    }
}

int story_read(uint64_t trace, story_event *out, int max)
{
    slot *ring = atomic_load(&slots);
    if (!ring)
        return 0;
    uint64_t newest = atomic_load(&told), first = oldest(newest);
    int count = 0;
    for (uint64_t number = newest; number >= first && number && count < max; number--)
        count += event_copy(ring, number, trace, &out[count]);
    turn_round(out, count);
    names_fill(out, count);
    return count;
}

uint64_t story_last_trace(const char *protocol)
{
    slot *ring = atomic_load(&slots);
    if (!ring)
        return 0;
    uint64_t newest = atomic_load(&told), first = oldest(newest);
    story_event e;
    for (uint64_t number = newest; number >= first && number; number--)
        if (event_copy(ring, number, 0, &e) && e.trace && strncmp(e.protocol, protocol, sizeof e.protocol) == 0)
            return e.trace;
    return 0;
}

// ---- trace ids as text ----

void story_trace_text(char out[17], uint64_t trace)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[trace >> (60 - 4 * i) & 15];
    out[16] = 0;
}

bool story_trace_parse(str text, uint64_t *trace)
{
    uint64_t value;
    if (text.len < 1 || text.len > 16 || !str_hex_to_u64(text, &value) || value == 0)
        return false;
    *trace = value;
    return true;
}
