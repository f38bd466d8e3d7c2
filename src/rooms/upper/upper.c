#include "rooms/upper/upper.h"

#include <string.h>

#include "base/must.h"
#include "rooms/upper/upper_text.h"
#include "rt/log.h"
#include "rt/story.h"

enum {
    PIECE_BYTES = 2048,                     // of a TCP stream, put into upper case at once
    DOORS_MAX = WORLD_ADDRESSES_MAX,
    PORT_TRUSTED_MIN = 1024,
};

static const setting settings[] = {
    {.key = "loops", .type = SETTING_TEXT, .fallback = "1",
     .help_en = "threads that serve side by side under `naru up`: a number, or auto: one a processor",
     .help_ko = "`naru up`에서 나란히 일하는 스레드 수: 숫자, 또는 auto(프로세서마다 하나)"},
    {.key = "port", .type = SETTING_INT, .fallback = "12000", .min = 1, .max = 65535,
     .help_en = "UDP and TCP port", .help_ko = "UDP와 TCP 포트"},
    {.key = "idle", .type = SETTING_DURATION, .fallback = "10m", .min = NS_PER_S, .max = 24 * 3600 * NS_PER_S,
     .help_en = "a TCP client that says nothing for so long is left", .help_ko = "이 시간 동안 말이 없는 TCP 클라이언트는 끊음"},
    {.key = "connections", .type = SETTING_INT, .fallback = "20000", .min = 1, .max = DOOR_CONNS_MAX,
     .help_en = "TCP connections at once", .help_ko = "동시에 받는 TCP 연결 수"},
    {0},
};

typedef struct {
    uint16_t port, real_port;
    int64_t  idle_ns;
    door    *tcp[DOORS_MAX];
    int      count;
} upper_room;

// ---- UDP: one datagram in, one out ----------------------------------------------------------------------------------------

// Two servers that answer each other's answers would never stop, and a datagram "from" such a port is an attempt at
// that: what comes from a well-known port, or from our own, gets no answer.
static bool may_be_a_server(const upper_room *u, addr peer)
{
    return peer.port < PORT_TRUSTED_MIN || peer.port == u->port || peer.port == u->real_port;
}

static size_t answer_datagram(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max)
{
    (void)d;
    const upper_room *u = arg;
    if (may_be_a_server(u, in->peer))
        return 0;
    size_t size = out_max < UPPER_DATAGRAM_BYTES_MAX ? out_max : UPPER_DATAGRAM_BYTES_MAX;
    return upper_text_fit(out, size, str_of(in->at, in->len));
}

// ---- TCP: each chunk is answered at once ----------------------------------------------------------------------------------

// What has come of the stream and is not answered yet: a character that was cut short, and the bytes behind it.
typedef struct {
    unsigned char bytes[UPPER_TAIL_BYTES_MAX + PIECE_BYTES];
    ptrdiff_t     len;
} piece;

static void piece_answer(conn *c, piece *p, ptrdiff_t len)
{
    unsigned char out[sizeof p->bytes * UPPER_GROWTH + UPPER_SLACK_BYTES];
    str made = str_of(out, upper_text(out, (str){p->bytes, len}));
    if (made.len > 0)
        story_tell("upper", STORY_OUT, c->local, c->peer, made);
    conn_put(c, made);
    p->len -= len;
    memmove(p->bytes, p->bytes + len, (size_t)p->len);
}

// Answers a chunk piece by piece; a character that is cut short at its end waits in the piece for the next chunk.
static void chunk_answer(conn *c, piece *p, str chunk)
{
    while (chunk.len > 0) {
        str part = str_first(chunk, PIECE_BYTES);
        memcpy(p->bytes + p->len, part.at, (size_t)part.len);
        p->len += part.len;
        piece_answer(c, p, upper_text_whole((str){p->bytes, p->len}));
        chunk = str_from(chunk, part.len);
    }
}

static void converse(conn *c, void *arg)
{
    const upper_room *u = arg;
    piece p = {.len = 0};
    fiber_set_trace(story_trace_new());
    for (;;) {
        conn_deadline(c, u->idle_ns);
        str chunk = conn_some(c);           // sends what was put, then waits
        if (chunk.len == 0)
            break;
        size_t got = (size_t)chunk.len;
        story_tell("upper", STORY_IN, c->local, c->peer, chunk);
        chunk_answer(c, &p, chunk);
        conn_used(c, got);
    }
    piece_answer(c, &p, p.len);             // never became whole: passes as it is
    conn_flush(c);
    log_line("upper", LOG_INFO, "conversation", F_ADDR("peer", &c->peer), F_INT("bytes_in", c->bytes_in),
             F_INT("bytes_out", c->bytes_out), F_STR("end", str_z(err_name(c->error))));
}

// ---- the room -------------------------------------------------------------------------------------------------------------

static err doors_open(room *r, upper_room *u, addr at)
{
    datagram_door *udp;
    bool share = r->node->loops > 1;
    err e = datagram_open(r->scope, r->world, "upper", at, share, answer_datagram, u, &udp);
    if (e)
        return e;
    door_options options = {
        .service = "upper", .at = at, .share_port = share,
        .conns_max = (int)config_int(r->settings, settings, "connections"),
    };
    return door_open(r->scope, r->world, options, converse, u, &u->tcp[u->count++]);
}

// The node's own addresses, or every address of the machine: 0.0.0.0 and, where it has IPv6, [::].
static int addresses_of(room *r, uint16_t port, addr out[DOORS_MAX])
{
    int count;
    const addr *own = world_addresses(r->world, &count);
    for (int i = 0; i < count; i++)
        out[i] = addr_with_port(own[i], port);
    if (count > 0)
        return count;
    out[0] = addr_v4(0, port);
    out[1] = (addr){.family = 6, .port = port};
    return 2;
}

static bool no_ipv6_here(addr at, err e)
{
    return at.family == 6 && addr_is_any(at) && (e == E_UNSUPPORTED || e == E_UNREACHABLE);
}

static err start(room *r, str *why)
{
    upper_room *u = arena_new(r->memory, upper_room);
    u->port = (uint16_t)config_int(r->settings, settings, "port");
    u->real_port = world_port(r->world, u->port);
    u->idle_ns = config_int(r->settings, settings, "idle");
    r->state = u;
    addr at[DOORS_MAX];
    int count = addresses_of(r, u->port, at);
    for (int i = 0; i < count; i++) {
        err e = doors_open(r, u, at[i]);
        if (e && !no_ipv6_here(at[i], e)) {
            *why = str_format(r->memory, "upper cannot listen on " STR_FMT ": %s. Set another port (upper { port N }), "
                              "or end the program that has it: ss -lntup shows which.",
                              STR_ARG(addr_text(r->memory, at[i])), err_text(e));
            return e;
        }
    }
    return E_OK;
}

static void stop(room *r)
{
    upper_room *u = r->state;
    for (int i = 0; i < u->count; i++)
        door_stop(u->tcp[i]);
}

const room_kind upper_kind = {.name = "upper", .settings = settings, .every_loop = true, .start = start, .stop = stop};
