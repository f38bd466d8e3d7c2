#include <string.h>

#include "letter.h"
#include "letter_pem.h"
#include "rooms/accounts/accounts.h"
#include "rooms/authoritative/authoritative.h"
#include "rooms/mailstore/mailstore.h"
#include "rooms/mta/mta.h"
#include "rooms/resolver/resolver.h"
#include "rt/worker.h"

static const char root_zone[] =
    "$TTL 3600\n"
    ". SOA a.root-servers.net. admin.root-servers.net. 1 3600 600 86400 60\n"
    ". NS a.root-servers.net.\n"
    "a.root-servers.net. A 198.41.0.4\n"
    "edu. NS a.tld-servers.net.\n"
    "fr. NS a.tld-servers.net.\n"
    "a.tld-servers.net. A 192.5.6.30\n";
static const char edu_zone[] =
    "$TTL 3600\n"
    "@ SOA a.tld-servers.net. admin.tld-servers.net. 1 3600 600 86400 60\n"
    "@ NS a.tld-servers.net.\n"
    "hamburger NS dns.hamburger.edu.\n"
    "dns.hamburger A 10.1.0.53\n";
static const char fr_zone[] =
    "$TTL 3600\n"
    "@ SOA a.tld-servers.net. admin.tld-servers.net. 1 3600 600 86400 60\n"
    "@ NS a.tld-servers.net.\n"
    "crepes NS dns.crepes.fr.\n"
    "dns.crepes A 10.1.0.53\n";
static const char hamburger_zone[] =
    "$TTL 60\n"
    "@ SOA dns admin 1 3600 600 86400 60\n"
    "@ NS dns\n"
    "@ MX 10 mail\n"
    "dns A 10.1.0.53\n"
    "mail A 10.2.0.25\n"
    "mail AAAA 2001:db8:2::25\n";
static const char crepes_zone[] =
    "$TTL 60\n"
    "@ SOA dns admin 1 3600 600 86400 60\n"
    "@ NS dns\n"
    "@ MX 10 mail\n"
    "dns A 10.1.0.53\n"
    "mail A 10.3.0.25\n"
    "mail AAAA 2001:db8:3::25\n";

typedef struct { const char *name, *file, *text; } scene_zone;

static const struct {
    const char *name;
    uint32_t    ip;
    const char *ip6;
    const char *mail_domain;
    const char *people[3];
    scene_zone  zones[3];
} plan[HOSTS] = {
    [HOST_ROOT] = {.name = "root", .ip = 0xc6290004, .zones = {{".", "zones/root", root_zone}}},
    [HOST_TLD] = {.name = "tld", .ip = 0xc005061e,
                  .zones = {{"edu", "zones/edu", edu_zone}, {"fr", "zones/fr", fr_zone}}},
    [HOST_NAMES] = {.name = "names", .ip = 0x0a010035,
                    .zones = {{"hamburger.edu", "zones/hamburger", hamburger_zone},
                              {"crepes.fr", "zones/crepes", crepes_zone}}},
    [HOST_RESOLVER] = {.name = "resolver", .ip = 0x0a000035},
    [HOST_HAMBURGER] = {.name = "hamburger.edu", .ip = 0x0a020019, .ip6 = "2001:db8:2::25",
                        .mail_domain = "hamburger.edu", .people = {"bob@hamburger.edu", "betty@hamburger.edu"}},
    [HOST_CREPES] = {.name = "crepes.fr", .ip = 0x0a030019, .ip6 = "2001:db8:3::25",
                     .mail_domain = "crepes.fr", .people = {"alice@crepes.fr", "albert@crepes.fr"}},
};

addr host_address(host_place place) { return addr_v4(plan[place].ip, 0); }

void hosts_make(letter_scene *s)
{
    for (int i = 0; i < HOSTS; i++) {
        addr at[2] = {host_address((host_place)i)};
        int count = 1 + (plan[i].ip6 && addr_parse_ip(str_z(plan[i].ip6), 0, &at[1]));
        s->hosts[i] = (scene_host){.scene = s, .place = (host_place)i, .name = plan[i].name};
        s->hosts[i].world = sim_host(s->trial->sim, str_z(plan[i].name), at, count, SOUND_DISK);
    }
    for (int i = 0; i < SENDER_HOSTS; i++) {
        addr at = addr_v4(0x0a090001u + (uint32_t)i, 0);
        s->desks[i] = sim_host(s->trial->sim, str_format(&s->memory, "desk%d", i), &at, 1, (sim_disk){0});
    }
}

// ---- files that an administrator would have put there ------------------------------------------------------

typedef struct { scene_host *h; err trouble; } preparing;

static void prepare(void *arg)
{
    preparing *p = arg;
    world *w = p->h->world;
    file_stat there;
    if (path_stat(w, "prepared", &there) == E_OK)
        return;
    p->trouble = dir_make(w, "data", 0700);
    if (!p->trouble)
        p->trouble = dir_make(w, "zones", 0700);
    const scene_zone *zones = plan[p->h->place].zones;
    for (int i = 0; !p->trouble && zones[i].name; i++)
        p->trouble = file_replace(w, zones[i].file, str_z(zones[i].text), 0644);
    if (!p->trouble)
        p->trouble = file_replace(w, "cert.pem", str_z(letter_cert_pem), 0644);
    if (!p->trouble)
        p->trouble = file_replace(w, "key.pem", str_z(letter_key_pem), 0600);
    if (!p->trouble)
        p->trouble = dir_sync(w, "/");
    if (!p->trouble)
        p->trouble = file_replace(w, "prepared", S("yes\n"), 0644);
}

// ---- services ----------------------------------------------------------------------------------------------

static err room_start(scene_host *h, node *n, const room_kind *kind, str settings)
{
    config_error error = {0};
    str why = {0};
    statement *block = config_parse(str_z(kind->name), settings, &n->memory, NULL, NULL, &error);
    if (!block || !config_check(block, kind->settings, &n->memory, &error)) {
        trial_failed(h->scene->trial, "%s: settings of %s: " STR_FMT, h->name, kind->name, STR_ARG(error.text));
        return E_PROTOCOL;
    }
    err e = node_add(n, kind, block, NULL, &why);
    if (e && sim_is_up(h->world) && (e == E_CORRUPT || e == E_PROTOCOL || h->scene->calm))
        trial_failed(h->scene->trial, "%s: %s does not start: %s: " STR_FMT, h->name, kind->name, err_text(e),
                     STR_ARG(why));
    return e;
}

static err names_start(scene_host *h, node *n)
{
    str settings = {0};
    const scene_zone *zones = plan[h->place].zones;
    for (int i = 0; zones[i].name; i++)
        settings =
            str_format(&n->memory, STR_FMT "zone \"%s\" \"%s\"\n", STR_ARG(settings), zones[i].name, zones[i].file);
    return room_start(h, n, &authoritative_kind, settings);
}

static err mail_start(scene_host *h, node *n)
{
    // The domain that people send from has TLS, since its submission asks for it; the other need not: servers
    // cope with both.
    const char *tls = h->place == HOST_CREPES || h->scene->both_tls ? "certificate cert.pem\nkey key.pem\n" : "";
    str settings =
        str_format(&n->memory,
                   "%shost mail.%s\ndomain %s\nresolver 10.0.0.53\npostmaster %s\n"
                   "retry 2s\nretry-max 20s\nexpire 5m\n",
                   tls, plan[h->place].mail_domain, plan[h->place].mail_domain, plan[h->place].people[0]);
    err e = room_start(h, n, &accounts_kind, S("hash-memory 64KiB\nhash-passes 1\n"));
    room *accounts = node_room(n, "accounts");
    for (int i = 0; !e && plan[h->place].people[i]; i++) {
        arena a = arena_make(64 * 1024);
        str why = {0};
        e = accounts_add(accounts, str_z(plan[h->place].people[i]), S(SCENE_PASSWORD), S("user"), &a, &why);
        e = e == E_EXISTS ? E_OK : e;
        arena_free(&a);
    }
    if (!e)
        e = room_start(h, n, &mailstore_kind, S("certificate cert.pem\nkey key.pem\n"));
    if (!e)
        e = room_start(h, n, &mta_kind, settings);
    return e;
}

static err services_start(scene_host *h, node *n)
{
    preparing p = {.h = h};
    work(prepare, &p);
    if (p.trouble)
        return p.trouble;
    if (h->place == HOST_RESOLVER)
        return room_start(h, n, &resolver_kind, S("root a.root-servers.net 198.41.0.4\nallow 0.0.0.0/0\n"));
    return plan[h->place].mail_domain ? mail_start(h, n) : names_start(h, n);
}

// What a supervisor does: services that cannot start (a full disk) are started again after a while.
static void host_boot(void *arg)
{
    scene_host *h = arg;
    while (!fiber_canceled()) {
        node n = {0};
        err e = node_start(&n, h->world, str_z(h->name), S("data"));
        if (!e)
            e = services_start(h, &n);
        h->serves = !e;
        h->node = &n;
        if (!e)
            while (fiber_sleep(seconds(3600)) == E_OK)
                ;
        h->serves = false;
        h->node = NULL;
        node_stop(&n);
        fiber_sleep(seconds(2));
    }
}

void host_start(scene_host *h)
{
    if (sim_boot(h->world, &h->scene->life, host_boot, h))
        trial_failed(h->scene->trial, "%s cannot be switched on", h->name);
}

bool hosts_serve(letter_scene *s, int64_t patience_ns)
{
    int64_t until = sim_now_ns(s->trial->sim) + patience_ns;
    for (;;) {
        int serving = 0;
        for (int i = 0; i < HOSTS; i++)
            serving += s->hosts[i].serves;
        if (serving == HOSTS)
            return true;
        if (sim_now_ns(s->trial->sim) >= until || fiber_sleep(millis(100)))
            return false;
    }
}
