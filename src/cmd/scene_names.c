// The course's cases about names.
#include <stdio.h>
#include <string.h>

#include "cmd/play.h"
#include "rt/fiber.h"
#include "rt/story.h"
#include "rt/worker.h"
#include "talk/dns_ask.h"
#include "wire/dns/message.h"
#include "wire/dns/type.h"

enum { EVENTS_MAX = 512, ADDRESSES_MAX = 16 };
#define ASK_NS seconds(30)

// ---- asking -------------------------------------------------------------------------------------------------------------

typedef struct {
    dns_answer answer;
    addr       addresses[ADDRESSES_MAX];
    int        count;
    uint64_t   trace;
} asked;

static asked ask(play *p, const char *name)
{
    asked a = {0};
    small_host *from = small_find(p->net, S("poly.edu")), *local = small_find(p->net, S("local"));
    addr server = addr_with_port(local->host->here[0], 53);
    world *before = world_here();
    a.trace = story_trace_new();
    fiber_set_trace(a.trace);
    fiber_world(from->world);                            // the story is told by the asking host
    a.answer = dns_ask(from->world, &server, 1, str_z(name), DNS_A, ASK_NS, &p->memory);
    fiber_world(before);
    dns_message m = {0};
    if (a.answer.verdict == DNS_FOUND && dns_message_read(a.answer.message, &p->memory, &m, NULL))
        for (int i = 0; i < m.count[DNS_ANSWER] && a.count < ADDRESSES_MAX; i++) {
            const dns_record *r = dns_message_record(&m, DNS_ANSWER, i);
            if (r->type == DNS_A && r->rdata.len == 4) {
                a.addresses[a.count].family = 4;
                memcpy(a.addresses[a.count++].ip, r->rdata.at, 4);
            }
        }
    play_tell(p, "cis.poly.edu asks its local server for %s: " STR_FMT "%s", name,
              STR_ARG(a.count ? addr_ip_text(&p->memory, a.addresses[0]) : a.answer.why), a.count > 1 ? " and others" : "");
    return a;
}

static bool answered(const asked *a, const char *ip)
{
    addr want;
    addr_parse_ip(str_z(ip), 0, &want);
    for (int i = 0; i < a->count; i++)
        if (addr_eq_ip(a->addresses[i], want))
            return true;
    return false;
}

// How many messages of this story went to a host.
static int questions_to(play *p, uint64_t trace, const char *host)
{
    const small_host *h = small_find(p->net, str_z(host));
    story_event *events = arena_array(&p->memory, story_event, EVENTS_MAX);
    int count = events ? story_read(trace, events, EVENTS_MAX) : 0, asked_there = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < h->host->address_count && events[i].direction == STORY_OUT; k++)
            asked_there += addr_eq_ip(events[i].peer, h->host->here[k]);
    return asked_there;
}

// ---- scenes -------------------------------------------------------------------------------------------------------------

static void iterated(play *p)
{
    asked a = ask(p, "gaia.cs.umass.edu");
    p->trace = a.trace;
    play_check(p, answered(&a, "128.119.245.12"), "gaia.cs.umass.edu is 128.119.245.12");
    static const char *const path[] = {"root", "edu", "umass.edu", "cs.umass.edu"};
    for (int i = 0; i < 4; i++)
        play_check(p, questions_to(p, a.trace, path[i]) >= 1, "the local server asked %s%s", path[i], i < 3 ? " and was referred onwards" : ", which knew");
}

// The same names for both ways, and the load on every level: questions that came, questions it asked itself.
enum { LOAD_NAMES = 5, LOAD_SERVERS = 5 };

static const struct { const char *name, *ip; } load_names[LOAD_NAMES] = {
    {"gaia.cs.umass.edu", "128.119.245.12"}, {"www.umass.edu", NULL}, {"www.amazon.com", "205.251.242.103"},
    {"www.networkutopia.com", "212.212.212.20"}, {"www.netcinema.com", NULL},
};
static const char *const load_servers[LOAD_SERVERS] = {"local", "root", "edu", "com", "umass.edu"};

typedef struct { int came[LOAD_SERVERS], went[LOAD_SERVERS], upper; } load;

// Told by the askers: a question that left `here` for an address of the host came to the host.
static void load_count(play *p, uint64_t trace, load *l)
{
    arena scratch = arena_make(1 << 20);
    story_event *events = arena_array(&scratch, story_event, EVENTS_MAX);
    int count = events ? story_read(trace, events, EVENTS_MAX) : 0;
    for (int i = 0; i < count; i++)
        for (int s = 0; s < LOAD_SERVERS && events[i].direction == STORY_OUT; s++) {
            const small_host *h = small_find(p->net, str_z(load_servers[s]));
            l->went[s] += str_eq(str_z(events[i].here), h->host->name);
            for (int k = 0; k < h->host->address_count; k++)
                l->came[s] += addr_eq_ip(events[i].peer, h->host->here[k]);
        }
    arena_free(&scratch);
}

static void load_measure(play *p, load *l)
{
    for (int i = 0; i < LOAD_NAMES; i++) {
        asked a = ask(p, load_names[i].name);
        play_check(p, load_names[i].ip ? answered(&a, load_names[i].ip) : a.count > 0, "%s is found", load_names[i].name);
        load_count(p, a.trace, l);
        if (i == 0)
            p->trace = a.trace;
    }
    for (int s = 1; s < LOAD_SERVERS; s++)
        l->upper += l->came[s] + l->went[s];
}

static void recursive(play *p)
{
    load n1 = {0}, n2 = {0};
    str why = {0};
    play_tell(p, "First iterated, as in N1: a server that does not know says who may");
    load_measure(p, &n1);
    if (!play_check(p, small_recursion_begin(p->net, &why), "now every server recurses" STR_FMT, STR_ARG(why)))
        return;
    play_tell(p, "The same names recursively: each server asks the next on the asker's behalf, and the answer comes back the same way");
    load_measure(p, &n2);
    play_tell(p, "            iterated (N1)        recursive (N2)\n            asked   asks others  asked   asks others");
    for (int s = 0; s < LOAD_SERVERS && !p->quiet; s++)
        printf("%-11s %5d   %11d  %5d   %11d\n", load_servers[s], n1.came[s], n1.went[s], n2.came[s], n2.went[s]);
    play_check(p, n1.went[1] == 0 && n1.came[1] == 2, "iterated: the root was asked twice (for edu and for com) and asked nobody");
    play_check(p, n2.came[1] == LOAD_NAMES && n2.went[1] == LOAD_NAMES,
               "recursive: the root got all %d questions, asked on for each, and kept each in mind until its answer came", LOAD_NAMES);
    play_check(p, n2.went[0] == LOAD_NAMES && n1.went[0] > n2.went[0], "the local server has less to do: %d questions instead of %d",
               n2.went[0], n1.went[0]);
    play_check(p, n2.upper > n1.upper, "the work has moved upwards: the upper servers heard and asked %d questions instead of %d", n2.upper, n1.upper);
    play_tell(p, "The local server learns no delegations this way: there is nothing in its cache that would let it skip the root.");
}

static void three_steps(play *p)
{
    asked first = ask(p, "www.amazon.com");
    p->trace = first.trace;
    play_check(p, answered(&first, "205.251.242.103"), "www.amazon.com is 205.251.242.103");
    play_check(p, questions_to(p, first.trace, "root") > 0 && questions_to(p, first.trace, "com") > 0 &&
               questions_to(p, first.trace, "amazon.com") > 0, "in three steps: root, com, amazon.com");
    asked second = ask(p, "www.networkutopia.com");
    play_check(p, answered(&second, "212.212.212.20"), "www.networkutopia.com is 212.212.212.20");
    play_check(p, questions_to(p, second.trace, "root") == 0, "the second query skips the root: the servers of com are cached");
}

typedef struct { small_host *h; str text; err e; } zone_change;

static void zone_write(void *arg)
{
    zone_change *z = arg;
    arena a = arena_make(65536);
    z->e = file_replace(z->h->world, str_to_z(&a, str_format(&a, STR_FMT "/zones/schlot.ac.kr.zone", STR_ARG(z->h->directory))), z->text, 0644);
    arena_free(&a);
}

static bool zone_becomes(play *p, const char *ip, int serial)
{
    small_host *h = small_find(p->net, S("schlot.ac.kr"));
    zone_change z = {.h = h};
    z.text = str_format(&p->memory, "$TTL 2s\n@ IN SOA ns hostmaster ( %d 2h 30m 2w 2s )\n@ IN NS ns\nns IN A " STR_FMT "\nwww IN A %s\n",
                        serial, STR_ARG(addr_ip_text(&p->memory, h->host->here[0])), ip);
    work(zone_write, &z);
    room *r = node_room(&h->node, "authoritative");
    str why = {0};
    world *before = world_here();
    fiber_world(h->world);
    err e = z.e ? z.e : r->kind->reload(r, r->settings, &why);
    fiber_world(before);
    return e == E_OK;
}

static void stale_mapping(play *p)
{
    play_check(p, zone_becomes(p, "10.10.10.10", 10), "schlot.ac.kr says 10.10.10.10, for 2 seconds at a time");
    int64_t before_ns = world_now_ns(p->net->world);
    asked a = ask(p, "www.schlot.ac.kr");
    int64_t asked_ns = world_now_ns(p->net->world);
    p->trace = a.trace;
    play_check(p, answered(&a, "10.10.10.10"), "www.schlot.ac.kr is 10.10.10.10");
    play_check(p, zone_becomes(p, "11.11.11.11", 11), "the zone changes to 11.11.11.11");
    asked stale = ask(p, "www.schlot.ac.kr");
    bool within = world_now_ns(p->net->world) - before_ns < seconds(1);
    play_check(p, !within || answered(&stale, "10.10.10.10"), "within the TTL askers still see the old address: a stale mapping");
    fiber_sleep(asked_ns + millis(3100) - world_now_ns(p->net->world));
    asked fresh = ask(p, "www.schlot.ac.kr");
    play_check(p, answered(&fresh, "11.11.11.11") && !answered(&fresh, "10.10.10.10"), "after the TTL nobody sees it any more");
}

static void services(play *p)
{
    asked a = ask(p, "www.ibm.com");
    p->trace = a.trace;
    play_check(p, answered(&a, "129.42.60.216"), "host aliasing: www.ibm.com is an alias of servereast.backup2.ibm.com");
    a = ask(p, "www.daum.net");
    play_check(p, answered(&a, "211.249.220.24"), "and www.daum.net of www.g.daum.net");
    mail_exchanger mx[DNS_ASK_MX_MAX];
    int count = 0;
    bool null_mx;
    addr server = addr_with_port(small_find(p->net, S("local"))->host->here[0], 53);
    dns_ask_mail(small_find(p->net, S("poly.edu"))->world, &server, 1, S("gmail.com"), mx, DNS_ASK_MX_MAX, &count, &null_mx, ASK_NS, &p->memory);
    play_tell(p, "the mail exchangers of gmail.com:");
    play_check(p, count == 2 && str_eq(mx[0].host, S("gmail-smtp-in.l.google.com")), "mail-server aliasing: gmail.com's mail goes to gmail-smtp-in.l.google.com");
    asked first = ask(p, "naver.com");
    bool rotated = false;
    for (int i = 0; i < 8 && !rotated; i++) {
        asked next = ask(p, "naver.com");
        rotated = next.count == first.count && !addr_eq_ip(next.addresses[0], first.addresses[0]);
    }
    play_check(p, first.count == 4, "load distribution: naver.com has four addresses");
    play_check(p, rotated, "and their order rotates");
}

static void records(play *p)
{
    static const struct { const char *name; uint16_t type; const char *label; } rows[] = {
        {"www.amazon.com", DNS_A, "A"}, {"amazon.com", DNS_NS, "NS"}, {"www.ibm.com", DNS_CNAME, "CNAME"}, {"gmail.com", DNS_MX, "MX"},
        {"servereast.backup2.ibm.com", DNS_AAAA, "AAAA"},
    };
    addr server = addr_with_port(small_find(p->net, S("local"))->host->here[0], 53);
    world *w = small_find(p->net, S("poly.edu"))->world;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dns_answer a = dns_ask(w, &server, 1, str_z(rows[i].name), rows[i].type, ASK_NS, &p->memory);
        dns_message m = {0};
        bool read = a.verdict == DNS_FOUND && dns_message_read(a.message, &p->memory, &m, NULL);
        play_check(p, read && m.count[DNS_ANSWER] >= 1, "(%s, value, %s, ttl %u): id %04x, reply, %s%s, 1 question, %d answer%s", rows[i].name,
                   rows[i].label, (unsigned)a.ttl_s, m.header.id, m.header.recursion_available ? "recursion available" : "no recursion",
                   m.header.authoritative ? ", authoritative" : "", m.count[DNS_ANSWER], m.count[DNS_ANSWER] == 1 ? "" : "s");
    }
    play_tell(p, "`naru query www.amazon.com --wire` shows the message field by field.");
}

static void failures(play *p)
{
    asked before = ask(p, "www.sch.ac.kr");
    play_check(p, before.count == 1, "www.sch.ac.kr is found");
    ask(p, "www.amazon.com");
    play_tell(p, "the root dies, all 13 names of it");
    small_host_stop(p->net, small_find(p->net, S("root")));
    asked a = ask(p, "www.netcinema.com");
    p->trace = a.trace;
    play_check(p, a.count == 1, "names below com are still found: its delegation is cached");
    play_tell(p, "one of the two servers of sch.ac.kr dies");
    small_host_stop(p->net, small_find(p->net, S("ns1.sch.ac.kr")));
    asked b = ask(p, "mail.sch.ac.kr");
    play_check(p, b.count == 1, "the other one answers");
}

const scene name_scenes[] = {
    {"N1", "An iterated query, from the root down", iterated, NULL},
    {"N2", "A recursive query, each server on the asker's behalf; the load", recursive, NULL},
    {"N3", "www.amazon.com in three steps; the second skips the root", three_steps, NULL},
    {"N4", "Caching and stale mappings", stale_mapping, "UPDATE and NOTIFY come later; the TTL half plays"},
    {"N5", "Aliases, mail servers, load distribution", services, NULL},
    {"N6", "Records and messages", records, NULL},
    {"N7", "Network Utopia enters com by UPDATE", NULL, "UPDATE is not built yet; the names themselves resolve"},
    {"N8", "What happens when servers fail", failures, "the one-central-server comparison comes later; the two halves with caches and two servers play"},
    {"N9", "How a host learns its name server", NULL, "naru doctor dns is not built yet"},
    {0},
};
