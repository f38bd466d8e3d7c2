// naru torment: two `naru up` on loopback that write to each other, one locked process a service, killed one by one.
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/torment.h"
#include "base/must.h"
#include "rt/conn.h"
#include "rt/loop.h"
#include "rt/own_dir.h"
#include "rt/worker.h"
#include "talk/http_fetch.h"

enum {
    PEOPLE_A_NODE = 4, LOOK_MS = 10, START_SECONDS = 60, ANSWER_BYTES_MAX = 1 << 20, ARENA_BYTES = 8 << 20,
    CONFIG_BYTES_MAX = 16 * 1024, START_AGAIN_MAX = 5,
    PORT_DNS = 15353, PORT_SMTP = 15325, PORT_SUBMISSION = 15387, PORT_SUBMISSIONS = 15365, PORT_POP3 = 15310, PORT_POP3S = 15395,
};
static const char *const node_names[TORMENT_NODES] = {"amber.test", "blue.test"};
static const char OUTSIDE[] = "outside.test";

// Each run has a network of its own, 127.x.y.0/24: two of them may run side by side. The last bytes:
enum { AT_NODE = 10, AT_RESOLVER = 20, AT_NAMES = 30, AT_SINK = 40 };         // plus the node's number

static addr place(const torment *t, int last, uint16_t port)
{
    uint32_t own = (uint32_t)getpid();
    (void)t;
    return addr_v4(0x7f000000u | (64 + own / 250 % 128) << 16 | (1 + own % 250) << 8 | (uint32_t)last, port);
}

static str place_text(const torment *t, arena *a, int last) { return addr_ip_text(a, place(t, last, 0)); }

static char *path_of(const torment *t, arena *a, const char *directory, const char *name)
{
    (void)t;
    return str_to_z(a, str_format(a, "%s/%s", directory, name));
}

// ---- before the start ---------------------------------------------------------------------------------------------------

// The root of this Internet, and all there is in it.
static bool zone_write(torment *t, arena *a)
{
    buf out = buf_make(CONFIG_BYTES_MAX);
    buf_put(&out, S("$TTL 60\n. IN SOA ns.test. root.test. ( 1 30m 15m 1w 1m )\n. IN NS ns.test.\n"));
    buf_format(&out, "ns.test. IN A " STR_FMT "\n", STR_ARG(place_text(t, a, AT_NAMES)));
    for (int i = 0; i < TORMENT_NODES; i++)
        buf_format(&out, "%s. IN MX 10 mail.%s.\nmail.%s. IN A " STR_FMT "\n", node_names[i], node_names[i], node_names[i],
                   STR_ARG(place_text(t, a, AT_NODE + i)));
    buf_format(&out, "%s. IN MX 10 mail.%s.\nmail.%s. IN A " STR_FMT "\n", OUTSIDE, OUTSIDE, OUTSIDE, STR_ARG(place_text(t, a, AT_SINK)));
    bool good = file_replace(t->world, path_of(t, a, t->directory, "root.zone"), buf_str(&out), 0644) == E_OK;
    buf_free(&out);
    return good;
}

static bool config_write(torment *t, int node, arena *a)
{
    buf out = buf_make(CONFIG_BYTES_MAX);
    const char *name = node_names[node];
    str keys = str_format(a, "certificate \"%s/%s.cert.pem\"; key \"%s/%s.key.pem\"", t->directory, name, t->directory, name);
    buf_format(&out, "host mail.%s\naddress " STR_FMT "\n", name, STR_ARG(place_text(t, a, AT_NODE + node)));
    buf_format(&out, "ports { dns %d; smtp %d; submission %d; submissions %d; pop3 %d; pop3s %d }\n", PORT_DNS, PORT_SMTP, PORT_SUBMISSION,
               PORT_SUBMISSIONS, PORT_POP3, PORT_POP3S);
    buf_format(&out, "domain %s\nresolver { listen " STR_FMT "; root ns.test " STR_FMT " }\n", name,
               STR_ARG(place_text(t, a, AT_RESOLVER + node)), STR_ARG(place_text(t, a, AT_NAMES)));
    buf_format(&out, "mta { retry 1s; retry-max 4s; sent-copies no; " STR_FMT " }\nmailstore { plaintext loopback; " STR_FMT " }\n",
               STR_ARG(keys), STR_ARG(keys));
    if (node == 0)
        buf_format(&out, "authoritative { listen " STR_FMT "; zone . \"%s/root.zone\" }\n", STR_ARG(place_text(t, a, AT_NAMES)), t->directory);
    bool good = file_replace(t->world, path_of(t, a, t->directory, str_to_z(a, str_format(a, "%s.conf", name))), buf_str(&out), 0644) == E_OK;
    buf_free(&out);
    return good;
}

static bool certificate_write(torment *t, const certificate *ca, const char *name, arena *a)
{
    certificate own;
    str names[] = {str_format(a, "mail.%s", name)};
    char *cert = path_of(t, a, t->directory, str_to_z(a, str_format(a, "%s.cert.pem", name)));
    char *key = path_of(t, a, t->directory, str_to_z(a, str_format(a, "%s.key.pem", name)));
    return certificate_make(t->world, ca, names, 1, 30, a, &own) && file_replace(t->world, cert, own.cert_pem, 0644) == E_OK &&
           file_replace(t->world, key, own.key_pem, 0600) == E_OK;
}

typedef struct { torment *t; bool good; } preparing;

static void prepare_blocking(void *arg)
{
    preparing *p = arg;
    torment *t = p->t;
    arena a = arena_make(ARENA_BYTES);
    certificate ca;
    p->good = certificate_authority_make(t->world, S("naru torment"), 30, &a, &ca) && zone_write(t, &a);
    for (int i = 0; i < TORMENT_NODES && p->good; i++)
        p->good = certificate_write(t, &ca, node_names[i], &a) && config_write(t, i, &a);
    if (p->good)
        t->ca_pem = str_copy(&t->memory, ca.cert_pem);
    arena_free(&a);
}

bool torment_up_prepare(torment *t)
{
    preparing p = {.t = t};
    str why;
    work(prepare_blocking, &p);
    if (!p.good)
        return torment_failed(t, "its configuration cannot be written");
    t->tls = tls_client_new(t->world, t->ca_pem, NULL, &t->memory, &why);
    t->tls_all[t->tls_count++] = t->tls;
    for (int i = 0; i < TORMENT_NODES; i++)
        t->hosts[t->host_count++] = (torment_host){
            .name = str_z(node_names[i]), .smtp = place(t, AT_NODE + i, PORT_SMTP), .submission = place(t, AT_NODE + i, PORT_SUBMISSION),
            .pop3 = place(t, AT_NODE + i, PORT_POP3)};
    for (int i = 0; i < TORMENT_NODES * PEOPLE_A_NODE; i++) {
        torment_host *h = &t->hosts[i % TORMENT_NODES];
        h->people[h->people_count++] = t->people_count;
        t->people[t->people_count++] = (torment_person){
            .address = str_format(&t->memory, "p%d@%s", i, node_names[i % TORMENT_NODES]), .host = i % TORMENT_NODES,
            .password = str_format(&t->memory, "torment-%d-ketchup", i)};
    }
    t->outside = t->people_count;
    t->people[t->people_count++] = (torment_person){.address = str_format(&t->memory, "somebody@%s", OUTSIDE), .host = -1};
    t->sink = place(t, AT_SINK, PORT_SMTP);
    return true;
}

// ---- asking it ------------------------------------------------------------------------------------------------------------

static http_result ask(torment *t, int node, str method, str target, str body, arena *a)
{
    char *path = path_of(t, a, torment_up_directory(t, node, a), "control.sock");
    conn *c = conn_open_unix(t->world, path, seconds(5));
    conn_deadline(c, seconds(20));
    http_result r = http_fetch(c, method, S("naru"), target, NULL, 0, body, ANSWER_BYTES_MAX, a);
    conn_close(c);
    return r;
}

typedef struct { char name[24]; int pid; bool ready; } process;

// The node's services; -1: it does not answer.
static int processes(torment *t, int node, process *out)
{
    arena a = arena_make(ARENA_BYTES);
    http_result r = ask(t, node, S("GET"), S("/status"), (str){0}, &a);
    json_t *all = r.error == E_OK && r.status == 200 ? json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL) : NULL, *one;
    int count = all ? 0 : -1;
    size_t i;
    json_array_foreach(json_object_get(all, "processes"), i, one) {
        const char *name = json_string_value(json_object_get(one, "service")), *state = json_string_value(json_object_get(one, "state"));
        if (!name || !state || count == TORMENT_SERVICES_MAX)
            continue;
        process *p = &out[count++];
        snprintf(p->name, sizeof p->name, "%s", name);
        p->pid = (int)json_integer_value(json_object_get(one, "pid"));
        p->ready = strcmp(state, "ready") == 0;
    }
    json_decref(all);
    arena_free(&a);
    return count;
}

static bool all_ready(torment *t, int node)
{
    process found[TORMENT_SERVICES_MAX];
    int count = processes(t, node, found);
    for (int i = 0; i < count; i++)
        if (!found[i].ready)
            return false;
    return count > 0;
}

// ---- its life ---------------------------------------------------------------------------------------------------------------

char *torment_up_directory(const torment *t, int node, arena *a)
{
    return t->restoring ? path_of(t, a, t->directory, "restored") : path_of(t, a, t->data, node_names[node]);
}

static bool child_begin(torment *t, int node)
{
    arena a = arena_make(ARENA_BYTES);
    const char *argv[] = {"naru", "up", str_to_z(&a, str_format(&a, "%s/%s.conf", t->directory, node_names[node])), "--dir",
                          torment_up_directory(t, node, &a), NULL};
    bool good = child_start(argv, t->output, t->directory, &t->pids[node]) == E_OK;
    if (!good)
        t->pids[node] = 0;
    arena_free(&a);
    return good;
}

bool torment_up_start(torment *t, int node)
{
    int64_t until_ns = world_now_ns(t->world) + seconds(START_SECONDS);
    if (!child_begin(t, node))
        return torment_failed(t, "`naru up` cannot be started");
    for (int again = 0; !all_ready(t, node);) {
        if (fiber_sleep(millis(LOOK_MS)) != E_OK)
            return false;
        if (child_ended(t->pids[node])) {                // the disk may be full, or a port not free yet
            t->pids[node] = 0;
            if (again++ == START_AGAIN_MAX || fiber_sleep(millis(200)) != E_OK || !child_begin(t, node))
                return torment_failed(t, "`naru up` ended by itself");
        }
        if (world_now_ns(t->world) > until_ns)
            return torment_failed(t, "the services of `naru up` were not ready within a minute");
    }
    return true;
}

bool torment_up_people(torment *t)
{
    for (int i = 0; i < t->outside; i++) {
        const torment_person *p = &t->people[i];
        arena a = arena_make(ARENA_BYTES);
        http_result r = ask(t, p->host, S("POST"), str_format(&a, "/accounts/add?address=" STR_FMT, STR_ARG(p->address)), p->password, &a);
        arena_free(&a);
        if (r.error || r.status != 200)
            return torment_failed(t, "an account cannot be made");
    }
    return true;
}

static const char *const service_names[] = {"accounts", "resolver", "mailstore", "mta", "authoritative", "control"};
enum { SERVICE_NAMES = sizeof service_names / sizeof *service_names };

str torment_service_name(const torment *t, int service)
{
    (void)t;
    return service < SERVICE_NAMES ? str_z(service_names[service]) : (str){0};
}

bool torment_up_kill(torment *t, int node, int which)
{
    process found[TORMENT_SERVICES_MAX];
    int count = processes(t, node, found);
    if (count <= 0)
        return false;
    const process *p = &found[which % count];
    if (!grandchild_kill(p->pid, t->pids[node]))         // between two lives
        return false;
    for (int i = 0; i < SERVICE_NAMES; i++)
        t->killed_service[i] += strcmp(p->name, service_names[i]) == 0;
    return true;
}

static void kill_all(torment *t, int node)
{
    process found[TORMENT_SERVICES_MAX];
    int pids[TORMENT_SERVICES_MAX], count = processes(t, node, found);
    for (int i = 0; i < count; i++)
        pids[i] = found[i].pid;
    if (t->pids[node])
        family_kill(t->pids[node], pids, count < 0 ? 0 : count);
    t->pids[node] = 0;
}

bool torment_up_cut(torment *t, int node)
{
    kill_all(t, node);
    t->power_cuts++;
    return torment_up_start(t, node);
}

void torment_up_stop(torment *t)
{
    t->up = false;
    for (int i = 0; i < TORMENT_NODES; i++)
        kill_all(t, i);
}
