#include "rooms/tracker/peer_set.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

// A record: the endpoint as it goes over the wire, the minute, the flags, the tag.
enum {
    STATE_BYTES = 6, RECORD_V4_BYTES = ENDPOINT_V4_BYTES + STATE_BYTES, RECORD_V6_BYTES = ENDPOINT_V6_BYTES + STATE_BYTES,
    CAPACITY_MIN = 2, CAPACITY_DOUBLES_MAX = 16,
};
#define SLOT_EMPTY UINT32_MAX

static uint32_t record_bytes(const peer_set *s) { return s->family == 6 ? RECORD_V6_BYTES : RECORD_V4_BYTES; }
static unsigned char *record_at(const peer_set *s, uint32_t i) { return s->records + (size_t)i * record_bytes(s); }
static unsigned char *state_of(const peer_set *s, uint32_t i) { return record_at(s, i) + endpoint_bytes(s->family); }

static unsigned char *given_of(const peer_set *s, uint32_t i) { return &state_of(s, i)[1]; }

static uint32_t tag_at(const peer_set *s, uint32_t i)
{
    uint32_t tag;
    memcpy(&tag, state_of(s, i) + 2, sizeof tag);
    return tag;
}

static void record_write(peer_set *s, uint32_t i, const peer *p, unsigned given)
{
    writer w = wr_into(record_at(s, i), record_bytes(s));
    endpoint_write(&w, p->at);
    wr_u8(&w, p->minute);
    wr_u8(&w, given);
    memcpy(state_of(s, i) + 2, &p->tag, sizeof p->tag);
}

peer peer_set_at(const peer_set *s, uint32_t position)
{
    reader r = rd_of(str_of(record_at(s, position), record_bytes(s)));
    return (peer){endpoint_read(&r, s->family), tag_at(s, position), state_of(s, position)[0], position < s->seeds};
}

uint8_t peer_set_minute(const peer_set *s, uint32_t position) { return state_of(s, position)[0]; }

// ---- the index: positions, by tag, linear probing ---------------------------------------------------------------------------

static uint32_t slots_for(uint32_t capacity) { return capacity > PEER_SCAN_MAX ? capacity + capacity / 3 + 1 : 0; }
static uint32_t *slots_of(const peer_set *s) { return (uint32_t *)(void *)record_at(s, s->capacity); }
static uint32_t slot_home(uint32_t tag, uint32_t slots) { return (uint32_t)((uint64_t)tag * slots >> 32); }
static uint32_t slot_next(uint32_t slot, uint32_t slots) { return slot + 1 == slots ? 0 : slot + 1; }

static uint32_t slot_find(const peer_set *s, uint32_t tag)
{
    uint32_t count = slots_for(s->capacity), slot = slot_home(tag, count);
    const uint32_t *slots = slots_of(s);
    while (slots[slot] != SLOT_EMPTY && tag_at(s, slots[slot]) != tag)
        slot = slot_next(slot, count);
    return slot;
}

// The slot of a record that is in the index: found by its position, which is cheaper than by the record.
static uint32_t slot_of(const peer_set *s, uint32_t position)
{
    uint32_t count = slots_for(s->capacity), slot = slot_home(tag_at(s, position), count);
    while (slots_of(s)[slot] != position)
        slot = slot_next(slot, count);
    return slot;
}

// What stands behind the hole and may stand in it moves up, until a gap is reached (Knuth, TAOCP 3, algorithm 6.4R).
static void slot_remove(peer_set *s, uint32_t hole)
{
    uint32_t count = slots_for(s->capacity), *slots = slots_of(s);
    for (uint32_t i = slot_next(hole, count); slots[i] != SLOT_EMPTY; i = slot_next(i, count)) {
        uint32_t home = slot_home(tag_at(s, slots[i]), count);
        bool between = hole <= i ? hole < home && home <= i : hole < home || home <= i;
        if (between)
            continue;
        slots[hole] = slots[i];
        hole = i;
    }
    slots[hole] = SLOT_EMPTY;
}

static void index_build(peer_set *s)
{
    uint32_t count = slots_for(s->capacity);
    if (!count)
        return;
    memset(slots_of(s), 0xff, (size_t)count * sizeof(uint32_t));
    for (uint32_t i = 0; i < s->count; i++)
        slots_of(s)[slot_find(s, tag_at(s, i))] = i;
}

// ---- memory -----------------------------------------------------------------------------------------------------------------

static size_t bytes_for(const peer_set *s, uint32_t capacity)
{
    return (size_t)capacity * record_bytes(s) + (size_t)slots_for(capacity) * sizeof(uint32_t);
}

static void capacity_set(peer_set *s, uint32_t capacity)
{
    must(capacity >= s->count && capacity <= PEER_SET_MAX);
    s->records = memory_resize(s->records, bytes_for(s, capacity));
    s->capacity = capacity;
    index_build(s);
}

// A quarter more, so that a peer costs at most 12 * 1.25 + 4 * 1.25 * 4/3 bytes however many there are.
static void grow(peer_set *s)
{
    uint32_t c = s->capacity;
    capacity_set(s, c < CAPACITY_MIN ? CAPACITY_MIN : c < CAPACITY_DOUBLES_MAX ? c * 2 : c + c / 4);
}

void peer_set_fit(peer_set *s)
{
    if (s->count == 0)
        peer_set_free(s);
    else if (s->capacity > CAPACITY_DOUBLES_MAX && s->count < s->capacity / 2)
        capacity_set(s, s->count + s->count / 8 + CAPACITY_MIN);
}

void peer_set_free(peer_set *s)
{
    memory_free(s->records);
    *s = (peer_set){.family = s->family};
}

uint64_t peer_set_bytes(const peer_set *s) { return s->records ? bytes_for(s, s->capacity) : 0; }

// ---- finding, adding, changing, removing ------------------------------------------------------------------------------------

uint32_t peer_set_find(const peer_set *s, uint32_t tag)
{
    if (slots_for(s->capacity))
        return slots_of(s)[slot_find(s, tag)];          // SLOT_EMPTY is PEER_NONE
    for (uint32_t i = 0; i < s->count; i++)
        if (tag_at(s, i) == tag)
            return i;
    return PEER_NONE;
}

uint32_t peer_set_find_address(const peer_set *s, addr at)
{
    unsigned char wanted[ENDPOINT_V6_BYTES];
    writer w = wr_into(wanted, sizeof wanted);
    endpoint_write(&w, at);
    for (uint32_t i = 0; i < s->count; i++)
        if (memcmp(record_at(s, i), wanted, (size_t)endpoint_bytes(s->family)) == 0)
            return i;
    return PEER_NONE;
}

static void record_move(peer_set *s, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    if (slots_for(s->capacity))
        slots_of(s)[slot_of(s, from)] = to;
    memcpy(record_at(s, to), record_at(s, from), record_bytes(s));
}

// Changes the places of two records; one of them stands at the border between seeds and others.
static void records_swap(peer_set *s, uint32_t a, uint32_t b)
{
    unsigned char kept[RECORD_V6_BYTES];
    if (a == b)
        return;
    if (slots_for(s->capacity)) {
        uint32_t slot_a = slot_of(s, a), slot_b = slot_of(s, b);
        slots_of(s)[slot_a] = b, slots_of(s)[slot_b] = a;
    }
    memcpy(kept, record_at(s, a), record_bytes(s));
    memcpy(record_at(s, a), record_at(s, b), record_bytes(s));
    memcpy(record_at(s, b), kept, record_bytes(s));
}

// Makes a seed of a leecher or the other way round; returns where it stands then.
static uint32_t side_change(peer_set *s, uint32_t position, bool seed)
{
    if (seed == (position < s->seeds))
        return position;
    uint32_t border = seed ? s->seeds++ : --s->seeds;
    records_swap(s, position, border);
    return border;
}

uint32_t peer_set_add(peer_set *s, const peer *p)
{
    if (s->count == s->capacity)
        grow(s);
    uint32_t at = s->count;
    if (slots_for(s->capacity)) {
        uint32_t slot = slot_find(s, p->tag);
        must(slots_of(s)[slot] == SLOT_EMPTY);
        slots_of(s)[slot] = at;
    }
    unsigned oldest = at ? *given_of(s, 0) : 0;
    record_write(s, at, p, oldest < PEER_NEWCOMER_LEAD ? 0 : oldest - PEER_NEWCOMER_LEAD);
    s->count++;
    return side_change(s, at, p->seed);
}

uint32_t peer_set_change(peer_set *s, uint32_t position, const peer *p)
{
    must(position < s->count);
    if (tag_at(s, position) != p->tag) {
        peer_set_remove(s, position);
        return peer_set_add(s, p);
    }
    record_write(s, position, p, *given_of(s, position));
    return side_change(s, position, p->seed);
}

void peer_set_remove(peer_set *s, uint32_t position)
{
    must(position < s->count);
    if (slots_for(s->capacity))
        slot_remove(s, slot_of(s, position));
    if (position < s->seeds) {                           // the last seed fills the gap, then its own is the gap
        record_move(s, --s->seeds, position);
        position = s->seeds;
    }
    record_move(s, --s->count, position);
}

// ---- picking ----------------------------------------------------------------------------------------------------------------

// Different positions from `first` up, without shuffling: the range is cut into `count` equal parts, and one is taken of each.
typedef struct {
    uint32_t first, self, count, turn;  // self: passed over; turn: whose part comes next
    uint64_t part;                      // how long one is, in 2^-32 positions
    uint64_t luck;                      // random bits for two
    bool     half;                      // one of the two is left
} sample;

static sample sample_of(uint32_t first, uint32_t end, uint32_t self, uint32_t wanted, chance *c)
{
    bool inside = self >= first && self < end;
    uint32_t range = end - first - inside, n = wanted < range ? wanted : range;
    return (sample){.first = first, .self = inside ? self : PEER_NONE, .count = n, .turn = n ? chance_below(c, n) : 0,
                    .part = n ? (((uint64_t)range << 32) + n - 1) / n : 0};
}

static inline uint32_t sample_next(sample *x, chance *c)
{
    x->luck = x->half ? x->luck >> 32 : chance_u64(c);
    x->half = !x->half;
    uint64_t start = x->part * x->turn;
    x->turn = x->turn + 1 == x->count ? 0 : x->turn + 1;
    uint32_t low = (uint32_t)(start >> 32), high = (uint32_t)((start + x->part) >> 32);
    uint32_t at = x->first + low + (uint32_t)((uint64_t)(high - low) * (uint32_t)x->luck >> 32);
    return at + (at >= x->self);
}

// So that counts do not run out: differences matter, not how high they stand. Once in many thousand picks.
static void given_lower(peer_set *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        unsigned char *given = given_of(s, i);
        *given = (unsigned char)(*given < PEER_GIVEN_STEP ? 0 : *given - PEER_GIVEN_STEP);
    }
}

// Keeps the `wanted` that were given the least often (in place, in their order), and counts that they are given once more.
static int least_given(peer_set *s, uint32_t *at, int n, int wanted)
{
    int often[PEER_GIVEN_MAX + 1] = {0}, limit = 0, below = 0, kept = 0;
    for (int i = 0; i < n; i++)
        often[*given_of(s, at[i])]++;
    while (limit < PEER_GIVEN_MAX && below + often[limit] < wanted)
        below += often[limit++];
    int at_limit = wanted - below;
    for (int i = 0; i < n; i++) {
        unsigned char *given = given_of(s, at[i]);
        bool take = *given < limit || (*given == limit && at_limit-- > 0);
        *given = (unsigned char)(*given + (take && *given < PEER_GIVEN_MAX));
        if (take)
            at[kept++] = at[i];
    }
    if (n > wanted && limit >= PEER_GIVEN_HIGH)
        given_lower(s);
    return kept;
}

static inline void endpoint_copy(const peer_set *s, uint32_t position, unsigned char *out, int i)
{
    if (s->family == 4)                                  // sizes that the compiler knows
        memcpy(out + i * ENDPOINT_V4_BYTES, s->records + (size_t)position * RECORD_V4_BYTES, ENDPOINT_V4_BYTES);
    else
        memcpy(out + i * ENDPOINT_V6_BYTES, s->records + (size_t)position * RECORD_V6_BYTES, ENDPOINT_V6_BYTES);
}

static int pick_managed(peer_set *s, sample *x, int wanted, chance *c, unsigned char *out)
{
    uint32_t at[PEER_PICK_MAX * PEER_SAMPLE];
    for (uint32_t i = 0; i < x->count; i++)
        at[i] = sample_next(x, c);
    int n = least_given(s, at, (int)x->count, wanted);
    for (int i = 0; i < n; i++)
        endpoint_copy(s, at[i], out, i);
    return n;
}

int peer_set_pick(peer_set *s, const peer_wish *wish, chance *c, unsigned char *out)
{
    int wanted = wish->wanted < PEER_PICK_MAX ? wish->wanted : PEER_PICK_MAX;
    if (wanted <= 0)
        return 0;
    sample x = sample_of(wish->leechers_only ? s->seeds : 0, s->count, wish->self,
                         (uint32_t)(wish->managed ? wanted * PEER_SAMPLE : wanted), c);
    if (wish->managed)
        return pick_managed(s, &x, wanted, c, out);
    for (uint32_t i = 0; i < x.count; i++)
        endpoint_copy(s, sample_next(&x, c), out, (int)i);
    return (int)x.count;
}
