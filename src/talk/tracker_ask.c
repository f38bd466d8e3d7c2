#include "talk/tracker_ask.h"

#include "base/must.h"
#include "talk/dns_ask.h"
#include "talk/tracker_ask_inside.h"
#include "wire/dns/message.h"

enum { DNS_TIMEOUT_S = 10, TRY_S_MIN = 5 };

// ---- the host's own record (BEP 34) -----------------------------------------------------------------------------------------

static void way_take(tracker_asking *x, str wire, tracker_host *out)
{
    dns_message m;
    if (!dns_message_read(wire, x->a, &m, NULL))
        return;
    for (int i = 0; i < m.count[DNS_ANSWER] && !out->said; i++) {
        const dns_record *r = dns_message_record(&m, DNS_ANSWER, i);
        if (r->type == DNS_TXT)
            tracker_host_from_rdata(r->rdata, x->a, out);
    }
}

// What the host says; a host that says nothing, and DNS trouble, leave everything as the URL has it.
static tracker_host host_ask(tracker_asking *x, const tracker_url *u)
{
    const tracker_asker *who = x->who;
    tracker_host said = {0};
    if (!who->ways || u->numeric.family || !who->dns_count)
        return said;
    const tracker_host *known = tracker_ways_find(who->ways, u->host, world_now_ns(who->world));
    if (known)
        return *known;
    dns_answer d = dns_ask(who->world, who->dns, who->dns_count, u->host, DNS_TXT, seconds(DNS_TIMEOUT_S), x->a);
    int64_t keep_s = d.verdict == DNS_TROUBLE ? TRACKER_WAY_TROUBLE_S : TRACKER_WAY_NONE_S;
    if (d.error == E_CANCELED || d.error == E_CRASHED)
        return said;
    if (d.verdict == DNS_FOUND)
        way_take(x, d.message, &said);
    if (said.said)
        keep_s = d.ttl_s < TRACKER_WAY_TTL_S_MIN ? TRACKER_WAY_TTL_S_MIN
               : d.ttl_s > TRACKER_WAY_TTL_S_MAX ? TRACKER_WAY_TTL_S_MAX : d.ttl_s;
    tracker_ways_put(who->ways, u->host, &said, world_now_ns(who->world), keep_s);
    return said;
}

// The URL on one of the ways that the host named. What was to be encrypted stays encrypted.
static bool way_apply(tracker_url *u, tracker_way way)
{
    if (way.is_udp && u->scheme == TRACKER_HTTPS)
        return false;
    if (way.is_udp)
        u->scheme = TRACKER_UDP;
    else if (u->scheme == TRACKER_UDP) {
        u->scheme = TRACKER_HTTP;
        if (str_eq(u->path, S("/")))
            u->path = S("/announce");
    }
    u->port = way.port;
    return true;
}

// ---- addresses --------------------------------------------------------------------------------------------------------------

static bool world_may(const world *w, int family)
{
    for (int i = 0; i < w->address_count; i++)
        if (w->addresses[i].family == family)
            return true;
    return w->address_count == 0;
}

typedef struct { addr at[TRACKER_ASK_ADDRESSES_MAX]; int count; } addresses;

static err addresses_find(tracker_asking *x, const tracker_url *u, addresses *out)
{
    addr all[DNS_ASK_ADDRESSES_MAX];
    int count = 1;
    all[0] = u->numeric;
    if (!u->numeric.family) {
        if (!x->who->dns_count)
            return tracker_ask_fail(x, E_NO_ENTRY, S("there is no name server to ask for its address"));
        int64_t left = x->until_ns - world_now_ns(x->who->world);
        int64_t timeout = left < seconds(DNS_TIMEOUT_S) ? left : seconds(DNS_TIMEOUT_S);
        dns_answer d = dns_ask_addresses(x->who->world, x->who->dns, x->who->dns_count, u->host, all, DNS_ASK_ADDRESSES_MAX,
                                         &count, timeout, x->a);
        if (d.error == E_CANCELED || d.error == E_CRASHED)
            return d.error;
        if (d.verdict == DNS_TROUBLE)
            return tracker_ask_fail(x, E_AGAIN, str_format(x->a, "its address is not known now: " STR_FMT, STR_ARG(d.why)));
        if (d.verdict != DNS_FOUND)
            return tracker_ask_fail(x, E_NO_ENTRY, str_format(x->a, "there is no host " STR_FMT, STR_ARG(u->host)));
    }
    for (int i = 0; i < count; i++) {
        if (!world_may(x->who->world, all[i].family))
            continue;
        x->out->has_v4 |= all[i].family == 4;
        x->out->has_v6 |= all[i].family == 6;
        if ((!x->q->family || x->q->family == all[i].family) && out->count < TRACKER_ASK_ADDRESSES_MAX)
            out->at[out->count++] = all[i];
    }
    return out->count ? E_OK : tracker_ask_fail(x, E_UNSUPPORTED, S("it has no address of a family that we have"));
}

// A fair share of the time that is left for each of `count` tries, but no hopelessly short one.
static int64_t share_until(const tracker_asking *x, int64_t until_ns, int count)
{
    int64_t now = world_now_ns(x->who->world), share = (until_ns - now) / (count > 0 ? count : 1);
    int64_t end = now + (share < seconds(TRY_S_MIN) ? seconds(TRY_S_MIN) : share);
    return end < until_ns ? end : until_ns;
}

// Is it worth to try another address or way after this?
static bool is_final(err e)
{
    return e == E_OK || e == E_CANCELED || e == E_CRASHED || e == E_ACCESS || e == E_PROTOCOL || e == E_TOO_LONG;
}

static err url_try(tracker_asking *x, const tracker_url *u, addr before, int64_t until_ns, str *redirect)
{
    addresses found = {0};
    err e = addresses_find(x, u, &found), last = E_OK;
    for (int i = 0; !e && i < found.count; i++) {
        tracker_try t = {.url = u, .at = found.at[i], .until_ns = share_until(x, until_ns, found.count - i)};
        const char *refusal = tracker_url_guard(u, t.at, before, x->who->private_allowed);
        *x->why = (str){0};
        x->out->from = addr_with_port(t.at, u->port);
        if (refusal)
            return tracker_ask_fail(x, E_ACCESS, str_z(refusal));
        e = u->scheme == TRACKER_UDP ? tracker_ask_udp(x, &t) : tracker_ask_http(x, &t);
        *redirect = t.redirect;
        if (is_final(e))
            return e;
        last = e, e = E_OK;
    }
    return e ? e : last;
}

// ---- redirects --------------------------------------------------------------------------------------------------------------

static err no_redirect(tracker_asking *x, const char *why)
{
    return tracker_ask_fail(x, E_ACCESS, str_format(x->a, "the redirect leads astray: %s", why));
}

// The URL of a Location. Servers often repeat our parameters there; they are taken off, since they will be added again.
static err redirect_read(tracker_asking *x, const tracker_url *from, str location, tracker_url *out)
{
    str own = tracker_ask_own_query(x->q, x->a);
    const char *why = "";
    if (str_starts(location, S("/")) && !str_starts(location, S("//"))) {
        tracker_url root = *from;
        root.path = root.query = (str){0};
        location = str_join(x->a, tracker_url_text(x->a, &root), location);
    }
    if (str_ends(location, own))
        location = str_first(location, location.len - own.len);
    if (str_ends(location, S("?")) || str_ends(location, S("&")))
        location = str_first(location, location.len - 1);
    if (!tracker_url_read(location, x->a, out, &why))
        return no_redirect(x, why);
    if (out->scheme == TRACKER_UDP || (from->scheme == TRACKER_HTTPS && out->scheme != TRACKER_HTTPS))
        return no_redirect(x, "from HTTPS to HTTP, or to UDP");
    tracker_host said = host_ask(x, out);
    bool listed = !said.said;
    for (int i = 0; i < said.count; i++)
        listed |= !said.way[i].is_udp && said.way[i].port == out->port;
    return listed ? E_OK : no_redirect(x, "its host says in the DNS that it has no tracker there");
}

static err follow(tracker_asking *x, tracker_url u, int64_t until_ns)
{
    addr before = {0};
    for (int hops = 0; hops <= TRACKER_ASK_REDIRECTS_MAX; hops++) {
        str redirect = {0};
        tracker_url next;
        x->out->url = tracker_url_text(x->a, &u);
        err e = url_try(x, &u, before, until_ns, &redirect);
        if (e || !redirect.len)
            return e;
        if (!before.family || !addr_is_private(x->out->from))       // once public, always public
            before = x->out->from;
        e = redirect_read(x, &u, redirect, &next);
        if (e)
            return e;
        u = next;
    }
    return tracker_ask_fail(x, E_PROTOCOL, S("it redirects again and again"));
}

// ---- the whole --------------------------------------------------------------------------------------------------------------

static err way_follow(tracker_asking *x, tracker_url u, int64_t until_ns)
{
    tracker_url scrape;
    if (u.scheme == TRACKER_HTTPS && !x->who->tls)
        return tracker_ask_fail(x, E_UNSUPPORTED, S("HTTPS is not set up here"));
    if (!x->q->scrape)
        return follow(x, u, until_ns);
    if (!tracker_url_scrape(&u, x->a, &scrape))
        return tracker_ask_fail(x, E_UNSUPPORTED, S("this tracker's URL has no scrape"));
    return follow(x, scrape, until_ns);
}

static err ways_follow(tracker_asking *x, const tracker_url *u, const tracker_host *said)
{
    err e = tracker_ask_fail(x, E_ACCESS, S("its host says in the DNS that it has no tracker (BEP 34)"));
    for (int i = 0; i < said->count; i++) {
        tracker_url on = *u;
        if (!way_apply(&on, said->way[i]))
            continue;
        *x->why = (str){0};
        e = way_follow(x, on, share_until(x, x->until_ns, said->count - i));
        if (is_final(e))
            break;
    }
    return e;
}

err tracker_ask(const tracker_asker *who, const tracker_question *q, arena *a, tracker_answer *out, str *why)
{
    int64_t began = world_now_ns(who->world), timeout = q->timeout_ns ? q->timeout_ns : TRACKER_ASK_TIMEOUT_NS;
    tracker_asking x = {who, q, a, out, why, began + timeout};
    tracker_url u;
    const char *reason = "";
    must(!q->scrape || (q->hash_count > 0 && q->hash_count <= TRACKER_ASK_HASHES_MAX));
    *out = (tracker_answer){.reply = {.complete = -1, .incomplete = -1}};
    *why = (str){0};
    if (!tracker_url_read(q->url, a, &u, &reason))
        return tracker_ask_fail(&x, E_PROTOCOL, str_z(reason));
    tracker_host said = host_ask(&x, &u);
    err e = said.said ? ways_follow(&x, &u, &said) : way_follow(&x, u, x.until_ns);
    out->took_ns = world_now_ns(who->world) - began;
    if (e == E_TIMEOUT && !why->len)
        *why = str_format(a, "no answer within %lld s", (long long)(out->took_ns / NS_PER_S));
    if (e && !why->len)
        *why = str_z(err_text(e));
    return e;
}
