// naru torment: waiting until the queues are empty, and what lies in the mailboxes then.
#include <jansson.h>

#include "base/crc32c.h"
#include "cmd/torment.h"
#include "rt/conn.h"
#include "talk/http_fetch.h"
#include "talk/pop3_fetch.h"

enum {
    READ_ARENA_BYTES = 32 << 20, QUEUE_ANSWER_BYTES_MAX = 16 << 20,
    DRAIN_LOOK_MS = 300,                     // between two looks at the queues
    DRAIN_PUSHED_MAX = 500,                  // letters of a queue that are told to go now, in one look
    POP3_TRIES = 50,
};

// ---- the queues -------------------------------------------------------------------------------------------------------

static http_result ask(torment *t, const torment_host *h, str method, str target, arena *a)
{
    char *path = str_to_z(a, str_format(a, "%s/" STR_FMT "/control.sock", t->data, STR_ARG(h->name)));
    conn *c = conn_open_unix(t->world, path, seconds(5));
    conn_deadline(c, seconds(20));
    http_result r = http_fetch(c, method, S("naru"), target, NULL, 0, (str){0}, QUEUE_ANSWER_BYTES_MAX, a);
    conn_close(c);
    return r;
}

// How many letters wait there, -1 when nobody answers. Those that back off are told to go now: that is the person at `naru queue retry`.
static int64_t waiting(torment *t, const torment_host *h)
{
    arena a = arena_make(READ_ARENA_BYTES);
    http_result r = ask(t, h, S("GET"), S("/mta/queue"), &a);
    json_t *all = r.error == E_OK && r.status == 200 ? json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL) : NULL;
    int64_t count = all ? json_integer_value(json_object_get(all, "count")) : -1;
    json_t *list = json_object_get(all, "letters"), *letter;
    size_t i;
    json_array_foreach(list, i, letter) {
        const char *id = json_string_value(json_object_get(letter, "id"));
        if (i >= DRAIN_PUSHED_MAX)
            break;
        arena b = arena_make(1 << 20);
        if (id)
            ask(t, h, S("POST"), str_format(&b, "/mta/queue/%s/retry", id), &b);
        arena_free(&b);
    }
    json_decref(all);
    arena_free(&a);
    return count;
}

bool torment_drain(torment *t)
{
    int64_t until_ns = world_now_ns(t->world) + seconds(t->patience_s);
    while (!fiber_canceled()) {
        int64_t sum = 0;
        for (int i = 0; i < t->host_count; i++) {
            int64_t n = waiting(t, &t->hosts[i]);
            sum += n < 0 ? 1 : n;
        }
        if (sum == 0)
            return true;
        if (world_now_ns(t->world) > until_ns)
            return false;
        fiber_sleep(millis(DRAIN_LOOK_MS));
    }
    return false;
}

// ---- the mailboxes ----------------------------------------------------------------------------------------------------

static pop3_client *maildrop_open(torment *t, const torment_person *who, conn **c, arena *a, str *why)
{
    err e;
    for (int i = 0; i < POP3_TRIES; i++) {               // a vandal's session may hold the lock for a moment
        arena_reset(a);
        *c = conn_open(t->world, t->hosts[who->host].pop3, seconds(5));
        pop3_client_options options = {.user = who->address, .password = who->password};
        pop3_client *p = pop3_client_start(*c, options, a, &e, why);
        if (p)
            return p;
        conn_close(*c);
        if (fiber_sleep(millis(100)) != E_OK)
            break;
    }
    *c = NULL;
    return NULL;
}

// The id in the Received line at the start of `head`; 0 when there is none.
static uint32_t id_of(str head)
{
    ptrdiff_t at = str_find_str(head, S(" id "));
    str id = str_from(head, at + 4);
    ptrdiff_t n = 0;
    while (at >= 0 && n < id.len && is_alnum(id.at[n]))
        n++;
    return at < 0 ? 0 : crc32c(0, str_first(id, n));
}

static torment_way way_of(str head)
{
    torment_way way = {0};
    ptrdiff_t at;
    for (str rest = head; (at = str_find_str(rest, S("\r\nReceived: "))) >= 0;) {
        rest = str_from(rest, at + 2);
        way.first = id_of(rest);                         // the newest stands on top
        if (!way.last)
            way.last = way.first;
    }
    return way;
}

void torment_count_letter(torment *t, int person, str text, uint32_t last)
{
    uint64_t n;
    ptrdiff_t at = str_find_str(text, S("\r\nX-Torment: ")), end = str_find_str(text, S("\r\n\r\n"));
    str rest = str_from(text, at + 13);
    if (at < 0 || end < at || !str_to_u64(str_trim(str_cut(&rest, '\n')), &n) || n >= (uint64_t)t->letters)
        return;                                          // not one of ours (a vandal's, a bounce)
    torment_letter *l = &t->ledger[n];
    if (crc32c(0, str_from(text, end + 4)) != l->sum)
        l->damaged = true;
    for (int i = 0; i < l->count && t->restoring; i++)
        l->restored[i] = l->restored[i] || l->to[i] == person;
    for (int i = 0; i < l->count && !t->restoring; i++)
        if (l->to[i] == person && l->seen[i] < UINT8_MAX) {
            if (l->seen[i] < TORMENT_COPIES_MAX) {
                torment_way way = way_of(str_first(text, end));
                way.last = last ? last : way.last;
                l->ways[i][l->seen[i]] = way;
            }
            l->seen[i]++;
        }
}

static bool read_one(torment *t, int person, bool *break_one)
{
    arena a = arena_make(READ_ARENA_BYTES);
    buf text = buf_make(TORMENT_LETTER_BYTES_MAX * 2);
    conn *c;
    pop3_listed *list;
    int count = 0;
    str why = {0};
    pop3_client *p = maildrop_open(t, &t->people[person], &c, &a, &why);
    bool good = p && pop3_client_list(p, &a, &list, &count);
    for (int i = 0; good && i < count; i++) {
        buf_clear(&text);
        good = pop3_client_retrieve(p, list[i].number, -1, &text);
        if (good && *break_one)                          // --break: as if the program had lost it
            good = pop3_client_delete(p, list[i].number);
        else if (good)
            torment_count_letter(t, person, buf_str(&text), 0);
        *break_one = false;
    }
    if (!good)
        t->trouble = str_format(&t->memory, "the mailbox of " STR_FMT " cannot be read: " STR_FMT, STR_ARG(t->people[person].address),
                                STR_ARG(p ? pop3_client_trouble(p) : why));
    if (p)
        pop3_client_quit(p, &why, &a);
    conn_close(c);
    buf_free(&text);
    arena_free(&a);
    return good;
}

bool torment_read_all(torment *t)
{
    bool good = true, break_one = t->break_one;
    for (int i = 0; i < t->people_count && good; i++)
        good = i == t->outside || read_one(t, i, &break_one);
    return good;
}

bool torment_read_host(torment *t, int host)
{
    bool good = true, none = false;
    for (int i = 0; i < t->people_count && good; i++)
        good = t->people[i].host != host || read_one(t, i, &none);
    return good;
}
