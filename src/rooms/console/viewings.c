#include "rooms/console/viewings.h"

#include <string.h>

#include "base/date.h"
#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/utf8.h"
#include "rooms/console/json.h"
#include "rooms/console/read_back.h"

enum { RECORD_BYTES_MAX = 4096, SUMS_MAX = 64 };
#define NUMBER_MAX INT64_C(4000000000000000)         // what JSON's readers in browsers still tell apart

struct viewings {
    world   *w;
    journal *j;
    map      by_id;
    viewing *ring[VIEWINGS_MAX];                     // in the order of their beginning
    int      first, count;
    int64_t  unread;                                 // records that hold something else
};

journal *viewings_journal(viewings *v) { return v->j; }
int viewings_count(const viewings *v) { return v->count; }

static void text_keep(char *out, size_t bytes_max, str text)
{
    text = utf8_first(text, (ptrdiff_t)bytes_max);
    if (text.len)
        memcpy(out, text.at, (size_t)text.len);
    out[text.len] = 0;
}

// ---- in memory ------------------------------------------------------------------------------------------------------------------

static viewing *at_index(const viewings *v, int i) { return v->ring[(v->first + i) % VIEWINGS_MAX]; }

static viewing *viewing_keep(viewings *v, const viewing *what)
{
    if (v->count == VIEWINGS_MAX) {
        viewing *oldest = v->ring[v->first];
        map_remove(&v->by_id, str_z(oldest->id));
        memory_free(oldest);
        v->first = (v->first + 1) % VIEWINGS_MAX;
        v->count--;
    }
    viewing *kept = memory_zeroed(1, sizeof *kept);
    *kept = *what;
    v->ring[(v->first + v->count++) % VIEWINGS_MAX] = kept;
    map_put(&v->by_id, str_z(kept->id), kept);
    return kept;
}

// ---- records --------------------------------------------------------------------------------------------------------------------

static json_t *servers_json(const viewing *one)
{
    json_t *servers = json_array();
    for (int i = 0; i < one->server_count; i++)
        json_array_append_new(servers, json_string(one->servers[i]));
    return servers;
}

static json_t *viewing_json(const viewing *one)
{
    char start[DATE_TEXT_MAX];
    date_print_rfc3339(start, one->start_s);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:b}", "viewing", one->id, "film", one->film, "title",
                     one->title, "who", one->who, "start", start, "watched_ms", (json_int_t)one->watched_ms, "bytes",
                     (json_int_t)one->bytes, "stalls", (json_int_t)one->stalls, "stall_ms", (json_int_t)one->stall_ms, "startup_ms",
                     (json_int_t)one->startup_ms, "mean_bps", (json_int_t)one->mean_bps, "servers", servers_json(one), "ended",
                     (int)one->ended);
}

static void number_take(const json_t *said, const char *key, int64_t max, int64_t *out)
{
    const json_t *n = json_object_get(said, key);
    if (json_is_integer(n) && json_integer_value(n) >= 0)
        *out = json_integer_value(n) < max ? json_integer_value(n) : max;
}

// A server's name is shown on pages and in tables: letters, digits and "-._:" only.
static bool server_sound(str name)
{
    for (ptrdiff_t i = 0; i < name.len; i++)
        if (!is_alnum(name.at[i]) && str_find(S("-._:"), name.at[i]) < 0)
            return false;
    return name.len > 0 && name.len <= VIEWING_SERVER_BYTES_MAX;
}

static void servers_take(viewing *one, const json_t *servers)
{
    size_t i;
    json_t *name;
    if (!json_is_array(servers))
        return;
    one->server_count = 0;
    json_array_foreach(servers, i, name) {
        str text = str_z(json_string_value(name));
        if (one->server_count < VIEWING_SERVERS_MAX && server_sound(text))
            text_keep(one->servers[one->server_count++], VIEWING_SERVER_BYTES_MAX, text);
    }
}

// elapsed_ms: since it began, by our clock; nobody watched for longer (times 8: fast forward).
static void said_take(viewing *one, const json_t *said, int64_t elapsed_ms)
{
    number_take(said, "watched_ms", elapsed_ms > NUMBER_MAX / 8 ? NUMBER_MAX : elapsed_ms * 8, &one->watched_ms);
    number_take(said, "bytes", NUMBER_MAX, &one->bytes);
    number_take(said, "stalls", NUMBER_MAX, &one->stalls);
    number_take(said, "stall_ms", elapsed_ms, &one->stall_ms);
    number_take(said, "startup_ms", elapsed_ms, &one->startup_ms);
    number_take(said, "mean_bps", NUMBER_MAX, &one->mean_bps);
    servers_take(one, json_object_get(said, "servers"));
    one->ended |= json_is_true(json_object_get(said, "ended"));
}

static bool record_read(str bytes, viewing *out)
{
    const char *why;
    int64_t start_s;
    json_t *o = console_json_read(bytes, &why);
    str id = str_z(json_string_value(json_object_get(o, "viewing"))), start = str_z(json_string_value(json_object_get(o, "start")));
    bool good = id.len == VIEWING_ID_DIGITS && date_parse_rfc3339(start, &start_s);
    *out = (viewing){0};
    if (good) {
        text_keep(out->id, VIEWING_ID_DIGITS, id);
        text_keep(out->film, VIEWING_FILM_BYTES_MAX, str_z(json_string_value(json_object_get(o, "film"))));
        text_keep(out->title, VIEWING_TITLE_BYTES_MAX, str_z(json_string_value(json_object_get(o, "title"))));
        text_keep(out->who, VIEWING_WHO_BYTES_MAX, str_z(json_string_value(json_object_get(o, "who"))));
        out->start_s = start_s;
        said_take(out, o, NUMBER_MAX);
    }
    json_decref(o);
    return good;
}

static err record_append(viewings *v, const viewing *one)
{
    journal_place place;
    buf text = buf_make(RECORD_BYTES_MAX);
    json_t *o = viewing_json(one);
    bool fits = console_json_put(&text, o);
    json_decref(o);
    str piece = buf_str(&text);
    err e = fits ? journal_append(v->j, &piece, 1, &place) : E_TOO_LONG;
    if (!e)
        journal_hold(v->j, place.segment);               // for ever: this is the account
    buf_free(&text);
    return e;
}

static void replay(void *arg, journal_place place, str bytes)
{
    viewings *v = arg;
    viewing one;
    if (v->j)
        journal_hold(v->j, place.segment);
    if (!record_read(bytes, &one)) {
        v->unread++;
        return;
    }
    viewing *known = map_get(&v->by_id, str_z(one.id));
    if (known)
        *known = one;
    else
        viewing_keep(v, &one);
}

// ---- opening and closing ----------------------------------------------------------------------------------------------------------

err viewings_open(world *w, str directory, arena *a, viewings **out, str *why)
{
    viewings *v = memory_zeroed(1, sizeof *v);
    v->w = w;
    v->by_id = map_make(world_random_u64(w), VIEWINGS_MAX);
    err e = journal_open(w, str_join(a, directory, S("/viewings")), (journal_options){.record_bytes_max = RECORD_BYTES_MAX}, replay, v, a,
                         &v->j, why);
    *out = v;
    if (e) {
        viewings_close(v);
        *out = NULL;
    }
    return e;
}

void viewings_close(viewings *v)
{
    if (!v)
        return;
    journal_close(v->j);
    for (int i = 0; i < v->count; i++)
        memory_free(at_index(v, i));
    map_free(&v->by_id);
    memory_free(v);
}

err console_read_back(world *w, str directory, console_read *out, arena *a, str *why)
{
    viewings *v;
    *out = (console_read){0};
    err e = viewings_open(w, directory, a, &v, why);
    if (e)
        return e;
    out->viewings = v->count;
    if (v->unread) {
        *why = str_format(a, "%lld records of " STR_FMT "/viewings are no viewings", (long long)v->unread, STR_ARG(directory));
        e = E_CORRUPT;
    }
    viewings_close(v);
    return e;
}

// ---- telling ------------------------------------------------------------------------------------------------------------------------

err viewings_begin(viewings *v, uint64_t session, str who, str film, str title, char id[VIEWING_ID_DIGITS + 1])
{
    unsigned char chance[VIEWING_ID_DIGITS / 2];
    int64_t now_ns = world_now_ns(v->w);
    viewing one = {.session = session, .start_s = world_wall_s(v->w), .begun_ns = now_ns, .told_ns = now_ns, .tells = 1};
    world_random(v->w, chance, sizeof chance);
    hex_encode((unsigned char *)one.id, str_of(chance, sizeof chance));
    text_keep(one.film, VIEWING_FILM_BYTES_MAX, film);
    text_keep(one.title, VIEWING_TITLE_BYTES_MAX, title);
    text_keep(one.who, VIEWING_WHO_BYTES_MAX, who);
    err e = record_append(v, &one);
    if (e)
        return e;
    viewing_keep(v, &one);
    memcpy(id, one.id, sizeof one.id);
    return E_OK;
}

err viewings_tell(viewings *v, uint64_t session, str id, const json_t *said)
{
    viewing *one = map_get(&v->by_id, id);
    int64_t now_ns = world_now_ns(v->w);
    bool last = json_is_true(json_object_get(said, "ended"));
    if (!one || !session || one->session != session || one->ended || now_ns - one->begun_ns > VIEWING_DAYS_MAX * 24 * 3600 * NS_PER_S)
        return E_NO_ENTRY;
    if (!last && (now_ns - one->told_ns < seconds(VIEWING_EVERY_S) || one->tells >= VIEWING_TELLS_MAX))
        return E_LIMIT;
    said_take(one, said, (now_ns - one->begun_ns) / NS_PER_MS);
    one->told_ns = now_ns;
    one->tells++;
    viewing copy = *one;                                 // it may be forgotten while the disk is waited for
    return record_append(v, &copy);
}

// ---- looking ------------------------------------------------------------------------------------------------------------------------

json_t *viewings_list(const viewings *v, str who, int limit)
{
    json_t *all = json_array();
    for (int i = v->count - 1; i >= 0 && (int)json_array_size(all) < limit; i--) {
        const viewing *one = at_index(v, i);
        if (!who.len || str_eq(who, str_z(one->who)))
            json_array_append_new(all, viewing_json(one));
    }
    return all;
}

static void sum_add(json_t *sums, const char *key, json_int_t n)
{
    json_object_set_new(sums, key, json_integer(json_integer_value(json_object_get(sums, key)) + n));
}

static void group_add(json_t *groups, const char *name, const viewing *one)
{
    json_t *sums = json_object_get(groups, name);
    if (!sums && json_object_size(groups) < SUMS_MAX) {
        sums = json_object();
        json_object_set_new(groups, name, sums);
    }
    if (!sums)
        return;
    sum_add(sums, "viewings", 1);
    sum_add(sums, "watched_ms", one->watched_ms);
    sum_add(sums, "bytes", one->bytes);
    sum_add(sums, "stalls", one->stalls);
}

json_t *viewings_sums(const viewings *v)
{
    json_t *whole = json_object(), *films = json_object(), *servers = json_object(), *all = json_object();
    for (int i = 0; i < v->count; i++) {
        const viewing *one = at_index(v, i);
        group_add(all, "all", one);
        group_add(films, one->film, one);
        for (int k = 0; k < one->server_count; k++)
            group_add(servers, one->servers[k], one);
    }
    json_t *total = json_object_get(all, "all");
    json_object_set_new(whole, "all", total ? json_incref(total) : json_object());
    json_object_set_new(whole, "films", films);
    json_object_set_new(whole, "servers", servers);
    json_decref(all);
    return whole;
}
