// naru torment --try: the small Internet of `naru try` as a child, one process that is killed as a whole.
#include <jansson.h>
#include <string.h>

#include "cmd/torment.h"
#include "rt/child.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { MAP_BYTES_MAX = 1 << 20, START_LOOK_MS = 10, START_SECONDS = 60 };

typedef struct { torment *t; bool there; str map, ca; } look;

static char *path_of(torment *t, arena *a, const char *name)
{
    return str_to_z(a, str_format(a, "%s/%s", t->data, name));
}

// Blocking: its map and its certificate authority, once they lie there.
static void look_blocking(void *arg)
{
    look *l = arg;
    arena *a = &l->t->map_memory;
    file_stat st;
    l->there = path_stat(l->t->world, path_of(l->t, a, "try.json"), &st) == E_OK &&
               file_read_all(l->t->world, path_of(l->t, a, "try.json"), a, MAP_BYTES_MAX, &l->map) == E_OK &&
               file_read_all(l->t->world, path_of(l->t, a, "ca.pem"), a, MAP_BYTES_MAX, &l->ca) == E_OK;
}

static void forget_blocking(void *arg)
{
    torment *t = arg;
    path_remove(t->world, path_of(t, &t->map_memory, "try.json"));
}

static bool place(torment *t, const json_t *host, const char *service, addr *out)
{
    return addr_parse(str_copy(&t->map_memory, str_z(json_string_value(json_object_get(host, service)))), 0, out);
}

static int host_of(torment *t, const char *name, const json_t *where)
{
    for (int i = 0; i < t->host_count; i++)
        if (str_eq(t->hosts[i].name, str_z(name)))
            return i;
    torment_host *h = &t->hosts[t->host_count];
    *h = (torment_host){.name = str_copy(&t->map_memory, str_z(name))};
    bool good = place(t, where, "smtp", &h->smtp) && place(t, where, "submission", &h->submission) && place(t, where, "pop3", &h->pop3);
    return good && t->host_count < TORMENT_HOSTS_MAX - 1 ? t->host_count++ : -1;
}

// People and their doors, in the order of the map: the same at every start.
static bool map_read(torment *t, str text)
{
    json_t *all = json_loadb((const char *)text.at, (size_t)text.len, 0, NULL), *person;
    size_t i;
    t->host_count = t->people_count = 0;
    json_array_foreach(json_object_get(all, "accounts"), i, person) {
        const char *address = json_string_value(json_object_get(person, "address"));
        const char *at = address ? strchr(address, '@') : NULL;
        json_t *where = at ? json_object_get(json_object_get(all, "hosts"), at + 1) : NULL;
        int h = where && t->people_count < TORMENT_PEOPLE_MAX ? host_of(t, at + 1, where) : -1;
        if (h < 0 || t->hosts[h].people_count == 8)
            continue;
        t->hosts[h].people[t->hosts[h].people_count++] = t->people_count;
        t->people[t->people_count++] = (torment_person){
            .address = str_copy(&t->map_memory, str_z(address)), .host = h,
            .password = str_copy(&t->map_memory, str_z(json_string_value(json_object_get(person, "password"))))};
    }
    json_decref(all);
    return t->people_count > 0;
}

bool torment_try_start(torment *t)
{
    const char *argv[] = {"naru", "try", "--json", "--dir", t->data, NULL};
    look l = {.t = t};
    str why;
    work(forget_blocking, t);
    if (child_start(argv, t->output, t->directory, &t->pid) != E_OK)
        return t->pid = 0, torment_failed(t, "the small Internet cannot be started");
    int64_t until_ns = world_now_ns(t->world) + seconds(START_SECONDS);
    while (!l.there) {
        if (fiber_sleep(millis(START_LOOK_MS)) != E_OK)
            return false;
        if (child_ended(t->pid))
            return t->pid = 0, torment_failed(t, "the small Internet ended by itself");
        if (world_now_ns(t->world) > until_ns)
            return torment_failed(t, "the small Internet did not answer within a minute");
        work(look_blocking, &l);
    }
    if (!map_read(t, l.map))
        return torment_failed(t, "the small Internet says nothing about its people");
    t->tls = tls_client_new(t->world, l.ca, NULL, &t->map_memory, &why);
    t->tls_all[t->tls_count++] = t->tls;
    t->starts++;
    return t->up = true;
}
