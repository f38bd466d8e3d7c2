#include "rooms/steering/reports.h"

#include <string.h>

enum { NODES = 64, CLIENT_IPV6_BYTES = 8 };

// One household has 2^64 IPv6 addresses; it is one voice.
static addr voice_of(addr client)
{
    client.port = 0;
    if (client.family == 6)
        memset(client.ip + CLIENT_IPV6_BYTES, 0, sizeof client.ip - CLIENT_IPV6_BYTES);
    return client;
}

static uint64_t set_of(const reports *r, addr voice) { return str_hash(str_of(voice.ip, sizeof voice.ip), r->key) % REPORTS_SETS; }

static bool believed(const reporter *p, const report_rules *rules, int64_t now_ns)
{
    return p->client.family && now_ns - p->at_ns < rules->life_ns;
}

// The reporter's own place, else a free or forgotten one; NULL: all are fresh. An address has one place a session, but all of its
// sessions share one allowance (the newest tells it).
static reporter *place_of(reports *r, const report_rules *rules, addr voice, uint64_t session, int64_t now_ns, int64_t *paid_ns)
{
    reporter *set = r->places[set_of(r, voice)], *own = NULL, *free = NULL;
    int sessions = 0;
    *paid_ns = 0;
    for (int i = 0; i < REPORTS_WAYS; i++) {
        reporter *p = &set[i];
        bool same = p->client.family && addr_eq_ip(p->client, voice);
        if (same && p->paid_ns > *paid_ns)
            *paid_ns = p->paid_ns;
        if (same && p->session == session)
            own = p;
        else if (!believed(p, rules, now_ns))
            free = p;
        else
            sessions += same;
    }
    return own ? own : sessions < REPORTS_WAYS / 2 ? free : NULL;
}

static bool is_complaint(const reporter *before, const report_rules *rules, const report *in)
{
    bool stalled = before->node == in->node && before->stalls >= 0 && in->stalls > before->stalls;
    return in->failed || stalled || (in->throughput_bps > 0 && in->throughput_bps < rules->slow_bps);
}

report_verdict reports_take(reports *r, const report_rules *rules, const report *in, int64_t now_ns)
{
    if (in->node < 0 || in->node >= NODES)
        return REPORT_UNKNOWN_NODE;
    int64_t paid_ns;
    addr voice = voice_of(in->client);
    reporter *p = place_of(r, rules, voice, in->session, now_ns, &paid_ns);
    if (!p)
        return REPORT_NO_ROOM;
    paid_ns = paid_ns > now_ns ? paid_ns : now_ns;
    if (paid_ns - now_ns > rules->every_ns * (REPORTS_BURST - 1))
        return REPORT_TOO_FAST;
    if (!addr_eq_ip(p->client, voice) || p->session != in->session || !believed(p, rules, now_ns))
        *p = (reporter){.client = voice, .session = in->session, .node = -1};
    uint64_t bit = UINT64_C(1) << in->node;
    bool bad = is_complaint(p, rules, in);
    p->bad = bad ? p->bad | bit : p->bad & ~bit;
    p->good = bad ? p->good & ~bit : p->good | bit;
    p->at_ns = now_ns;
    p->paid_ns = paid_ns + rules->every_ns;
    p->node = in->node;
    p->stalls = in->stalls;
    p->network = in->network;
    return REPORT_TAKEN;
}

uint64_t reports_own(const reports *r, const report_rules *rules, addr client, uint64_t session, int64_t now_ns)
{
    addr voice = voice_of(client);
    const reporter *set = r->places[set_of(r, voice)];
    uint64_t bad = 0;
    for (int i = 0; i < REPORTS_WAYS; i++)
        if (believed(&set[i], rules, now_ns) && addr_eq_ip(set[i].client, voice) && (!session || set[i].session == session))
            bad |= set[i].bad;
    return bad;
}

// An address with several sessions votes once, and against a node only when none of its sessions finds it good.
typedef struct { int against[NODES], all[NODES]; } votes;

static void set_count(const reporter *set, const report_rules *rules, int network, int64_t now_ns, votes *v)
{
    for (int i = 0; i < REPORTS_WAYS; i++) {
        uint64_t bad = set[i].bad, good = set[i].good;
        bool first = believed(&set[i], rules, now_ns) && set[i].network == network;
        for (int k = 0; k < REPORTS_WAYS && first; k++) {
            bool same = k != i && believed(&set[k], rules, now_ns) && set[k].network == network && addr_eq_ip(set[k].client, set[i].client);
            first = !same || k > i;
            bad |= same ? set[k].bad : 0;
            good |= same ? set[k].good : 0;
        }
        for (int n = 0; n < NODES && first && (bad | good); n++) {
            v->against[n] += (bad & ~good) >> n & 1 ? 1 : 0;
            v->all[n] += (int)((bad | good) >> n & 1);
        }
    }
}

uint64_t reports_of_network(const reports *r, const report_rules *rules, int network, int64_t now_ns)
{
    votes v = {0};
    uint64_t bad = 0;
    for (int s = 0; s < REPORTS_SETS; s++)
        set_count(r->places[s], rules, network, now_ns, &v);
    for (int n = 0; n < NODES; n++)
        if (v.against[n] >= rules->voters && v.against[n] * 2 >= v.all[n])
            bad |= UINT64_C(1) << n;
    return bad;
}

int reports_count(const reports *r, const report_rules *rules, int64_t now_ns)
{
    int count = 0;
    for (int s = 0; s < REPORTS_SETS; s++)
        for (int i = 0; i < REPORTS_WAYS; i++)
            count += believed(&r->places[s][i], rules, now_ns);
    return count;
}
