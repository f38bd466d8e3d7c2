#include "rooms/swarm/local_discovery.h"

#include <string.h>

#include "base/hex.h"
#include "base/heap_memory.h"
#include "base/list.h"
#include "base/map.h"
#include "base/must.h"
#include "rooms/swarm/peer_address.h"

enum { COOKIE_BYTES = 8, RECEIVE_BYTES_MAX = 2048, LINES_MAX = 64, MINUTE_S = 60,
       GATHER_MS = 100,                                 // torrents of one start go into one message
       HASH_DIGITS = 2 * LOCAL_HASH_BYTES };

static const char group_4[] = "239.192.152.143", group_6[] = "ff15::efc0:988f";

// ---- messages ---------------------------------------------------------------------------------------------------------------

static bool port_take(str value, local_message *out)
{
    uint64_t n;
    if (!str_to_u64(value, &n) || n < 1 || n > UINT16_MAX)
        return false;
    out->port = (uint16_t)n;
    return true;
}

static bool hash_take(str value, local_message *out)
{
    unsigned char hash[LOCAL_HASH_BYTES];
    if (value.len != HASH_DIGITS || !hex_decode(hash, value))
        return false;
    if (out->hash_count < LOCAL_HASHES_MAX)
        memcpy(out->hashes[out->hash_count++], hash, sizeof hash);
    return true;
}

static str line_take(str *in)
{
    str line = str_cut(in, '\n');
    return str_ends(line, S("\r")) ? str_first(line, line.len - 1) : line;
}

static bool printable(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] > '~')
            return false;
    return true;
}

bool local_message_read(str in, local_message *out)
{
    *out = (local_message){0};
    if (in.len > LOCAL_MESSAGE_BYTES_MAX || !str_eq(line_take(&in), S("BT-SEARCH * HTTP/1.1")))
        return false;
    for (int i = 0; i < LINES_MAX && in.len; i++) {
        str value = line_take(&in), name;
        if (!value.len)
            break;
        name = str_cut(&value, ':');
        value = str_trim(value);
        if (str_eq_nocase(name, S("Port")) && !port_take(value, out))
            return false;
        if (str_eq_nocase(name, S("Infohash")) && !hash_take(value, out))
            return false;
        if (str_eq_nocase(name, S("cookie")) && value.len <= LOCAL_COOKIE_BYTES_MAX && printable(value))
            out->cookie = value;
    }
    return out->port && out->hash_count;
}

bool local_message_write(buf *out, int family, const local_message *m)
{
    if (family == 6)
        buf_format(out, "BT-SEARCH * HTTP/1.1\r\nHost: [%s]:%d\r\nPort: %u\r\n", group_6, LOCAL_PORT, m->port);
    else
        buf_format(out, "BT-SEARCH * HTTP/1.1\r\nHost: %s:%d\r\nPort: %u\r\n", group_4, LOCAL_PORT, m->port);
    for (int i = 0; i < m->hash_count; i++) {
        unsigned char digits[HASH_DIGITS];
        buf_put(out, S("Infohash: "));
        hex_encode(digits, str_of(m->hashes[i], LOCAL_HASH_BYTES));
        buf_put(out, str_of(digits, sizeof digits));
        buf_put(out, S("\r\n"));
    }
    if (m->cookie.len)
        buf_format(out, "cookie: " STR_FMT "\r\n", STR_ARG(m->cookie));
    return buf_put(out, S("\r\n\r\n"));
}

// ---- the fibers -------------------------------------------------------------------------------------------------------------

typedef struct {
    list_link link;                              // the longest untold first
    uint8_t   hash[LOCAL_HASH_BYTES];
    int64_t   told_ns;                           // 0: never
} told_torrent;

typedef struct {
    struct local_discovery *all;
    addr    group;
    sock   *sock;                                // NULL: not joined
    unsigned char in[RECEIVE_BYTES_MAX];
} group_place;

struct local_discovery {
    local_settings settings;
    map       torrents;
    list      order;
    group_place group[2];
    char      cookie[2 * COOKIE_BYTES + 1];
    uint64_t  secret;
    int64_t   minute_ns;                         // since then the counts below count
    uint8_t   of_sender[LOCAL_SENDERS];
    int       heard, burst_left;
    int64_t   sent_ns;
    gate      wake;
    scope_end end;
};

static bool may_be_heard(local_discovery *l, addr from)
{
    int64_t now = world_now_ns(l->settings.world);
    uint8_t *sender = &l->of_sender[str_hash(str_of(from.ip, sizeof from.ip), l->secret) % LOCAL_SENDERS];
    if (now - l->minute_ns >= seconds(MINUTE_S)) {
        l->minute_ns = now;
        l->heard = 0;
        memset(l->of_sender, 0, sizeof l->of_sender);
    }
    if (*sender >= LOCAL_HEARD_PER_SENDER_MAX || l->heard >= LOCAL_HEARD_MAX)
        return false;
    ++*sender;
    l->heard++;
    return true;
}

static void message_take(local_discovery *l, addr from, str in)
{
    local_message m;
    if ((l->settings.private_only && !addr_is_private(from)) || !may_be_heard(l, from) || !local_message_read(in, &m))
        return;
    if (str_eq(m.cookie, str_z(l->cookie)))      // ourselves
        return;
    addr peer = addr_with_port(from, m.port);
    peer_address_rules rules = {.private_allowed = true};
    if (peer_address_acceptable(peer, PEER_FROM_LOCAL, &rules) != PEER_ACCEPTABLE)
        return;
    for (int i = 0; i < m.hash_count; i++)
        if (map_get(&l->torrents, str_of(m.hashes[i], LOCAL_HASH_BYTES)))
            l->settings.found(l->settings.arg, m.hashes[i], peer);
}

static void listen_body(void *arg)
{
    group_place *g = arg;
    fiber_world(g->all->settings.world);
    for (err e = E_OK; e != E_CANCELED && e != E_CRASHED && e != E_TIMEOUT; ) {
        datagram in = {.at = g->in, .size = sizeof g->in};
        int got = 0;
        e = sock_receive(g->sock, &in, 1, &got);
        if (e == E_OK && got)
            message_take(g->all, in.peer, str_of(in.at, in.len));
        else if (e == E_AGAIN)
            e = sock_wait(g->sock, WAIT_READ, NEVER_NS);
        else if (e != E_CRASHED)
            e = fiber_sleep(seconds(1));         // the network is down; nothing that retrying at once would help
    }
}

// The torrents whose turn it is, as many as one message holds.
static bool message_make(local_discovery *l, local_message *m)
{
    int64_t now = world_now_ns(l->settings.world);
    *m = (local_message){.port = l->settings.port, .cookie = str_z(l->cookie)};
    while (m->hash_count < LOCAL_HASHES_MAX && !list_empty(&l->order)) {
        told_torrent *t = LIST_OF(list_first(&l->order), told_torrent, link);
        if (t->told_ns && now - t->told_ns < seconds(LOCAL_AGAIN_S))
            break;
        memcpy(m->hashes[m->hash_count++], t->hash, LOCAL_HASH_BYTES);
        t->told_ns = now;
        list_remove(&t->link);
        list_append(&l->order, &t->link);
    }
    return m->hash_count > 0;
}

static void message_send(local_discovery *l, const local_message *m)
{
    for (int i = 0; i < 2; i++) {
        group_place *g = &l->group[i];
        buf text = buf_make(LOCAL_MESSAGE_BYTES_MAX);
        int sent;
        if (g->sock && local_message_write(&text, g->group.family, m)) {
            datagram out = {.peer = g->group, .at = text.at, .len = text.len, .size = text.len};
            (void)sock_send(g->sock, &out, 1, &sent);        // lost is lost: told again in five minutes
        }
        buf_free(&text);
    }
}

// When the next message may go: BEP 14 wants one a minute at most; a few at the start may follow each other.
static int64_t pause_of(local_discovery *l)
{
    int64_t since = world_now_ns(l->settings.world) - l->sent_ns;
    if (since >= seconds(LOCAL_PAUSE_S) * LOCAL_BURST || !l->sent_ns)
        l->burst_left = LOCAL_BURST;
    if (l->burst_left > 0 || since >= seconds(LOCAL_PAUSE_S))
        return 0;
    return seconds(LOCAL_PAUSE_S) - since;
}

static int64_t next_due_ns(const local_discovery *l)
{
    list_link *first = list_first(&l->order);
    if (!first)
        return NEVER_NS;
    const told_torrent *t = LIST_OF(first, told_torrent, link);
    return t->told_ns ? t->told_ns + seconds(LOCAL_AGAIN_S) : world_now_ns(l->settings.world);
}

static void tell_body(void *arg)
{
    local_discovery *l = arg;
    world *w = l->settings.world;
    fiber_world(w);
    for (err e = E_OK; e == E_OK || e == E_TIMEOUT; ) {
        local_message m;
        int64_t pause = pause_of(l), due = next_due_ns(l), now = world_now_ns(w);
        if (due && due <= now && pause == 0) {
            e = fiber_sleep(millis(GATHER_MS));
            if (e == E_OK && message_make(l, &m)) {
                l->burst_left -= l->burst_left > 0;
                l->sent_ns = world_now_ns(w);
                message_send(l, &m);
            }
            continue;
        }
        e = gate_wait(&l->wake, due && due < now + pause ? now + pause : due, "the next torrent to be told");
        if (fiber_canceled())
            break;
    }
}

// ---- starting -----------------------------------------------------------------------------------------------------------------

static void local_free(void *arg)
{
    local_discovery *l = arg;
    for (list_link *k; (k = list_take(&l->order)); )
        memory_free(LIST_OF(k, told_torrent, link));
    map_free(&l->torrents);
    for (int i = 0; i < 2; i++)
        if (l->group[i].sock)
            sock_close(l->group[i].sock);
    memory_free(l);
}

static err group_join(local_discovery *l, int i, const char *text)
{
    group_place *g = &l->group[i];
    g->all = l;
    must(addr_parse_ip(str_z(text), LOCAL_PORT, &g->group));
    return sock_datagram_group(l->settings.world, g->group, &g->sock);
}

err local_discovery_start(scope *s, const local_settings *settings, local_discovery **out)
{
    local_discovery *l = memory_zeroed(1, sizeof *l);
    uint8_t random[COOKIE_BYTES];
    l->settings = *settings;
    l->secret = world_random_u64(settings->world);
    l->torrents = map_make(world_random_u64(settings->world), LOCAL_TORRENTS_MAX);
    list_init(&l->order);
    world_random(settings->world, random, sizeof random);
    hex_encode((unsigned char *)l->cookie, str_of(random, sizeof random));
    err e4 = group_join(l, 0, group_4), e6 = group_join(l, 1, group_6);
    if (e4 && e6) {
        local_free(l);
        return e4;
    }
    scope_at_end(s, &l->end, local_free, l);
    err e = scope_go(s, "local discovery", tell_body, l);
    for (int i = 0; i < 2 && !e; i++)
        if (l->group[i].sock)
            e = scope_go(s, "local discovery", listen_body, &l->group[i]);
    *out = e ? NULL : l;
    return e;
}

bool local_discovery_add(local_discovery *l, const uint8_t hash[LOCAL_HASH_BYTES])
{
    if (map_get(&l->torrents, str_of(hash, LOCAL_HASH_BYTES)))
        return true;
    if (l->torrents.count >= LOCAL_TORRENTS_MAX)
        return false;
    told_torrent *t = memory_zeroed(1, sizeof *t);
    memcpy(t->hash, hash, LOCAL_HASH_BYTES);
    (void)map_put(&l->torrents, str_of(t->hash, LOCAL_HASH_BYTES), t);
    list_prepend(&l->order, &t->link);
    gate_wake_all(&l->wake);
    return true;
}

void local_discovery_remove(local_discovery *l, const uint8_t hash[LOCAL_HASH_BYTES])
{
    told_torrent *t = map_remove(&l->torrents, str_of(hash, LOCAL_HASH_BYTES));
    if (!t)
        return;
    list_remove(&t->link);
    memory_free(t);
}
