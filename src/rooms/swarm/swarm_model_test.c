#include "rooms/swarm/swarm_model_test.h"

#include "base/heap.h"
#include "base/heap_memory.h"
#include "base/list.h"
#include "rooms/swarm/seed_choice.h"
#include "test.h"

enum { QUEUE_MAX = 64, ASKED_MAX = 4, TICK_NS = 1000000000 };
#define START_NS 1000000000ll

// What a node knows about another.
typedef struct {
    bool    neighbour, gone;
    bool    unchoked;
    choker_reason reason;
    picker_block queue[QUEUE_MAX];           // asked by the other, not sent yet
    int     first, waiting;
    int32_t last_piece;
    int64_t sent, turn, unchoked_ns, empty_since_ns;
    int64_t got_now, got_before, put_now, put_before;        // bytes from it and to it, in this and the last round
    int32_t offered;                         // suggested, not begun: -1
} acquaintance;

typedef struct {
    heap_node at_heap;
    int       number;
    bool      tick;
} event;

typedef struct {
    picker  *picker;                         // NULL: the seed
    bitfield have;
    choker   choker;
    seed_choice *choice;
    acquaintance *of;                        // by number
    int64_t  bytes_per_s, idle_since_ns, idle_ns, done_ns;
    int      sending, turn;                  // to whom; -1: nobody
    event    done, tick;
} node;

typedef struct {
    const model_swarm *m;
    int      count;                          // nodes; 0 is the seed
    node    *nodes;
    heap     events;
    int64_t  now_ns;
    int      left;                           // leechers that lack something
    choker_peer *facts;
    arena    memory;
    int32_t  out;                            // pieces that some leecher has
    model_result result;
} swarm_model;

static void serve(swarm_model *s, int number);
static void choker_hold(swarm_model *s, int number);

// ---- asking ------------------------------------------------------------------------------------------------------------

static void ask(swarm_model *s, int who, int of)
{
    node *me = &s->nodes[who], *it = &s->nodes[of];
    acquaintance *seen = &it->of[who];
    int most = s->m->asked_max ? s->m->asked_max : ASKED_MAX;
    if (!me->picker || !seen->unchoked || seen->waiting >= most || me->of[of].gone)
        return;
    picker_block blocks[QUEUE_MAX];
    int n = picker_choose(me->picker, of, &it->have, most - seen->waiting, s->now_ns, blocks);
    for (int i = 0; i < n; i++)
        seen->queue[(seen->first + seen->waiting++) % QUEUE_MAX] = blocks[i];
    if (n && it->sending < 0)
        serve(s, of);
}

// ---- sending -----------------------------------------------------------------------------------------------------------

// One offer at a time to whom the seed sends: a new piece when the last has been begun.
static void offer(swarm_model *s, int to)
{
    node *me = &s->nodes[0], *it = &s->nodes[to];
    acquaintance *k = &me->of[to];
    if (!me->choice || k->offered >= 0)
        return;
    k->offered = seed_choice_next(me->choice, &it->have, NULL);
    if (k->offered >= 0)
        picker_suggest(it->picker, 0, k->offered);
}

static void serve(swarm_model *s, int number)
{
    node *me = &s->nodes[number];
    for (int i = 1; i <= s->count; i++) {
        int to = (me->turn + i) % s->count;
        acquaintance *k = &me->of[to];
        if (!k->unchoked || !k->waiting)
            continue;
        picker_block b = k->queue[k->first];
        me->turn = me->sending = to;
        if (number == 0 && k->offered == b.piece) {
            k->offered = -1;                             // begun
            offer(s, to);
        }
        if (me->idle_since_ns)
            me->idle_ns += s->now_ns - me->idle_since_ns;
        me->idle_since_ns = 0;
        heap_add(&s->events, &me->done.at_heap, s->now_ns + b.length * 1000000000ll / me->bytes_per_s);
        return;
    }
    me->sending = -1;
    if (!me->idle_since_ns)
        me->idle_since_ns = s->now_ns;
}

static void piece_complete(swarm_model *s, int number, int32_t piece)
{
    node *me = &s->nodes[number];
    picker_piece_done(me->picker, piece);
    bitfield_add(&me->have, piece);
    bool new = true;
    for (int i = 1; i < s->count; i++)
        new = new && (i == number || !bitfield_has(&s->nodes[i].have, piece));
    if (new && ++s->out == s->m->pieces)
        s->result.injected_ns = s->now_ns - START_NS;
    if (s->nodes[0].choice)
        seed_choice_seen(s->nodes[0].choice, piece);
    for (int i = 1; i < s->count; i++)
        if (me->of[i].neighbour && !me->of[i].gone)
            picker_peer_has(s->nodes[i].picker, piece);
    for (int i = 1; i < s->count; i++)
        if (me->of[i].neighbour)
            ask(s, i, number);
    if (!bitfield_all(&me->have))
        return;
    me->done_ns = s->now_ns - START_NS;
    s->left--;
    if (!s->result.first_ns)
        s->result.first_ns = me->done_ns;
    s->result.last_ns = s->left ? 0 : me->done_ns;
    for (int i = 0; s->m->leave && i < s->count; i++) {
        if (i == number || !me->of[i].neighbour || me->of[i].gone)
            continue;
        me->of[i].gone = s->nodes[i].of[number].gone = true;
        me->of[i].unchoked = s->nodes[i].of[number].unchoked = false;
        me->of[i].waiting = s->nodes[i].of[number].waiting = 0;
        if (i > 0)
            picker_peer_gone(s->nodes[i].picker, number, &me->have);
    }
}

static void block_arrives(swarm_model *s, int from)
{
    node *me = &s->nodes[from];
    int to = me->sending;
    node *it = &s->nodes[to];
    acquaintance *k = &me->of[to];
    me->sending = -1;
    if (k->waiting && !k->gone) {                        // else: choked meanwhile, its block came too late
        picker_block b = k->queue[k->first];
        k->first = (k->first + 1) % QUEUE_MAX;
        k->waiting--;
        if (!k->waiting)
            k->empty_since_ns = s->now_ns;
        k->last_piece = b.piece;
        k->sent += b.length, k->turn += b.length, k->put_now += b.length;
        it->of[from].got_now += b.length;
        s->result.seed_pieces += from == 0;
        int cancel[PICKER_ASKED_MAX], cancels;
        picker_receipt got = picker_received(it->picker, from, b, cancel, &cancels);
        s->result.blocks_wasted += got == PICKER_UNWANTED;
        for (int c = 0; c < cancels; c++) {
            acquaintance *other = &s->nodes[cancel[c]].of[to];
            int kept = 0;                                // what is on the wire cannot be canceled
            for (int i = 0; i < other->waiting; i++) {
                picker_block x = other->queue[(other->first + i) % QUEUE_MAX];
                bool on_wire = i == 0 && s->nodes[cancel[c]].sending == to;
                if (x.piece != b.piece || x.begin != b.begin || on_wire)
                    other->queue[(other->first + kept++) % QUEUE_MAX] = x;
            }
            other->waiting = kept;
        }
        if (got == PICKER_WHOLE)
            piece_complete(s, to, b.piece);
        ask(s, to, from);
    }
    bool between = !k->waiting || k->queue[k->first].piece != k->last_piece;
    if (s->m->mode != CHOKER_COURSE && between)
        choker_hold(s, from);
    if (me->sending < 0)
        serve(s, from);
}

// ---- choking -----------------------------------------------------------------------------------------------------------

static void choke_change(swarm_model *s, int number, int other, bool unchoked)
{
    acquaintance *k = &s->nodes[number].of[other];
    if (k->unchoked == unchoked)
        return;
    k->unchoked = unchoked;
    if (unchoked) {
        k->turn = 0;
        k->unchoked_ns = k->empty_since_ns = s->now_ns;
        if (number == 0)
            offer(s, other);
        ask(s, other, number);
        return;
    }
    bool on_wire = s->nodes[number].sending == other;    // goes out all the same
    for (int i = on_wire; i < k->waiting; i++)
        picker_returned(s->nodes[other].picker, number, k->queue[(k->first + i) % QUEUE_MAX]);
    k->waiting = on_wire;
    if (k->offered >= 0 && number == 0 && s->nodes[0].choice)
        seed_choice_returned(s->nodes[0].choice, k->offered);
    k->offered = -1;
    if (!on_wire)
        picker_returned_all(s->nodes[other].picker, number);
}

static void choker_hold(swarm_model *s, int number)
{
    node *me = &s->nodes[number];
    if (!bitfield_all(&me->have) && me->have.set == 0)
        return;
    int count = 0;
    bool round = s->now_ns - me->choker.round_ns >= CHOKER_ROUND_NS;
    for (int i = 1; i < s->count; i++) {
        acquaintance *k = &me->of[i];
        node *it = &s->nodes[i];
        if (!k->neighbour || k->gone)
            continue;
        if (round) {
            k->got_before = k->got_now, k->put_before = k->put_now;
            k->got_now = k->put_now = 0;
        }
        choker_peer *p = &s->facts[count++];
        *p = (choker_peer){.id = i, .interested = picker_wants(it->picker, &me->have), .unchoked = k->unchoked,
            .upload_only = bitfield_all(&it->have), .idle = k->unchoked && !k->waiting, .sent_bytes = k->sent,
            .rate_from = (k->got_before + k->got_now) / 10, .rate_to = (k->put_before + k->put_now) / 10,
            .turn_bytes = k->turn, .unchoked_ns = k->unchoked_ns, .lacks = s->m->pieces - it->have.set, .reason = k->reason,
            .mid_piece = k->waiting && k->queue[k->first].piece == k->last_piece};
    }
    choker_rules rules = {.mode = s->m->mode, .seeding = bitfield_all(&me->have), .piece_bytes = s->m->piece_bytes,
        .slots = s->m->slots ? s->m->slots : CHOKER_SLOTS, .uplink_idle = true};
    for (int i = 0; i < count; i++)
        rules.uplink_idle = rules.uplink_idle && !me->of[s->facts[i].id].waiting;
    choker_run(&me->choker, &rules, s->facts, count, s->now_ns);
    for (int i = 0; i < count; i++) {
        me->of[s->facts[i].id].reason = s->facts[i].reason;
        if (!s->facts[i].unchoked)
            choke_change(s, number, s->facts[i].id, false);
    }
    for (int i = 0; i < count; i++)                      // asking does not touch the facts
        if (s->facts[i].unchoked)
            choke_change(s, number, s->facts[i].id, true);
}

static void tick(swarm_model *s, int number)
{
    node *me = &s->nodes[number];
    choker_hold(s, number);
    for (int i = 1; i < s->count; i++)
        if (me->of[i].unchoked)
            ask(s, i, number);
    if (me->sending < 0)
        serve(s, number);
    heap_add(&s->events, &me->tick.at_heap, s->now_ns + TICK_NS);
}

// ---- the whole ---------------------------------------------------------------------------------------------------------

static void acquaint(swarm_model *s, uint64_t *chance)
{
    int n = s->m->neighbours;
    for (int i = 0; i < s->count; i++)
        for (int j = 0; j < s->count; j++)
            s->nodes[i].of[j] = (acquaintance){.neighbour = i != j && (i == 0 || j == 0 || n == 0), .offered = -1, .last_piece = -1};
    for (int i = 1; n && i < s->count; i++) {
        for (int k = 0; k < (n + 1) / 2; k++) {              // chosen by i, and on average as many that chose i
            int j = 1 + (int)(test_random(chance) % (uint64_t)(s->count - 1));
            if (j != i)
                s->nodes[i].of[j].neighbour = s->nodes[j].of[i].neighbour = true;
        }
    }
}

static void node_init(swarm_model *s, int number, uint64_t *chance)
{
    node *n = &s->nodes[number];
    const model_swarm *m = s->m;
    CHECK(bitfield_make(&s->memory, m->pieces, &n->have));
    n->bytes_per_s = number ? m->peer_bytes_per_s : m->seed_bytes_per_s;
    n->choker = choker_make(test_random(chance));
    n->of = arena_array(&s->memory, acquaintance, s->count);
    n->sending = -1;
    n->idle_since_ns = START_NS;
    n->done = (event){.number = number};
    n->tick = (event){.number = number, .tick = true};
    if (number) {
        picker_shape shape = {m->pieces * m->piece_bytes, m->piece_bytes, m->pieces};
        n->picker = picker_new(shape, NULL, test_random(chance));
    } else {
        bitfield_fill(&n->have);
        if (m->steered)
            n->choice = seed_choice_new(m->pieces, test_random(chance));
    }
    heap_add(&s->events, &n->tick.at_heap, START_NS);
}

static int64_t bound_ns(const model_swarm *m)
{
    int64_t file = m->pieces * m->piece_bytes, all = m->seed_bytes_per_s + m->leechers * m->peer_bytes_per_s;
    int64_t seed_ns = file * 1000000 / m->seed_bytes_per_s * 1000, all_ns = m->leechers * file * 1000 / all * 1000000;
    return seed_ns > all_ns ? seed_ns : all_ns;
}

model_result model_run(const model_swarm *m)
{
    uint64_t chance = m->seed;
    swarm_model s = {.m = m, .count = m->leechers + 1, .left = m->leechers, .memory = arena_make(256 << 20)};
    s.events = heap_make(100000);
    s.now_ns = START_NS;
    s.nodes = arena_array(&s.memory, node, s.count);
    s.facts = arena_array(&s.memory, choker_peer, s.count);
    for (int i = 0; i < s.count; i++)
        node_init(&s, i, &chance);
    acquaint(&s, &chance);
    for (int i = 1; i < s.count; i++)
        picker_peer_bitfield(s.nodes[i].picker, &s.nodes[0].have);
    s.result.bound_ns = bound_ns(m);
    while (s.left && s.now_ns < START_NS + 30 * s.result.bound_ns) {
        s.now_ns = heap_first_key(&s.events);
        event *e = LIST_OF(heap_take(&s.events), event, at_heap);
        if (e->tick)
            tick(&s, e->number);
        else
            block_arrives(&s, e->number);
    }
    for (int i = 1; i < s.count; i++) {
        s.result.idle_per_mille += s.nodes[i].idle_ns / ((s.now_ns - START_NS) / 1000) / m->leechers;
        picker_free(s.nodes[i].picker);
    }
    s.result.seed_pieces = s.result.seed_pieces * PICKER_BLOCK_BYTES / m->piece_bytes;
    seed_choice_free(s.nodes[0].choice);
    heap_free(&s.events);
    arena_free(&s.memory);
    return s.result;
}
