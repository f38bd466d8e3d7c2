// The catalogue: what the origin has, as the pages want it.
#include "rooms/console/console_inside.h"

#include <string.h>

#include "talk/http_fetch.h"

// ---- asking the origin ----------------------------------------------------------------------------------------------------------

static json_t *catalogue_read(str text)
{
    const char *why;
    json_t *whole = console_json_read(text, &why), *films = json_object_get(whole, "presentations");
    json_t *all = json_is_array(films) ? json_incref(films) : NULL;
    json_decref(whole);
    return all;
}

// Takes the catalogue when the one in memory is old; an origin that does not answer leaves the old one.
static void catalogue_look(console *c, arena *msg)
{
    str host;
    uint16_t port;
    int64_t now_ns = world_now_ns(c->w);
    if (!c->origin.len || (c->films && now_ns - c->films_ns < seconds(CONSOLE_CATALOGUE_S)) || !relay_authority(c->origin, &host, &port))
        return;
    conn *at = relay_dial(c, host, port, msg);
    conn_deadline(at, seconds(CONSOLE_FETCH_S));
    http_result r = http_fetch(at, S("GET"), c->origin, S("/catalogue.json"), NULL, 0, (str){0}, CONSOLE_CATALOGUE_BYTES_MAX, msg);
    conn_close(at);
    json_t *films = r.error || r.status != 200 ? NULL : catalogue_read(r.body);
    if (films) {
        json_decref(c->films);
        c->films = films;
        c->films_ns = now_ns;
    }
}

static str text_of(const json_t *o, const char *key) { return str_z(json_string_value(json_object_get(o, key))); }

bool films_know(console *c, str id, str *title, arena *msg)
{
    size_t i;
    json_t *one;
    catalogue_look(c, msg);
    json_array_foreach(c->films, i, one)
        if (str_eq(text_of(one, "id"), id)) {
            *title = str_copy(msg, text_of(one, "title"));
            return true;
        }
    return false;
}

// ---- searching --------------------------------------------------------------------------------------------------------------------

static bool found_in(str text, str wanted)
{
    for (ptrdiff_t i = 0; i + wanted.len <= text.len; i++)
        if (str_eq_nocase(str_sub(text, i, wanted.len), wanted))
            return true;
    return false;
}

// Every word is in the title, the id or the description.
static bool is_wanted(const json_t *film, str words)
{
    for (str word = str_word(&words); word.len; word = str_word(&words))
        if (!found_in(text_of(film, "title"), word) && !found_in(text_of(film, "id"), word) && !found_in(text_of(film, "about"), word))
            return false;
    return true;
}

// The film with where its manifest is.
static json_t *film_shown(const console *c, json_t *film, arena *msg)
{
    json_t *one = json_copy(film);
    str id = text_of(film, "id");
    str base = c->video.len ? c->video : S("/media");
    json_object_set_new(one, "manifest", json_string(str_to_z(msg, str_format(msg, STR_FMT "/" STR_FMT "/manifest.mpd", STR_ARG(base), STR_ARG(id)))));
    json_object_set_new(one, "poster", json_string(str_to_z(msg, str_format(msg, "/media/" STR_FMT "/poster.jpg", STR_ARG(id)))));
    return one;
}

void films_answer(visit *v)
{
    console *c = v->c;
    str words = http_query_get(v->q, S("q"), v->msg);
    size_t i;
    json_t *film, *shown = json_array();
    catalogue_look(c, v->msg);
    json_array_foreach(c->films, i, film)
        if (json_array_size(shown) < CONSOLE_FILMS_MAX && film_id_sound(text_of(film, "id")) && is_wanted(film, words))
            json_array_append_new(shown, film_shown(c, film, v->msg));
    console_json_answer(v->reply, 200, json_pack("{s:o, s:b}", "films", shown, "known", (int)(c->films != NULL)));
}
