// The account of viewings, as players tell it and its owner sees it.
#include "rooms/console/console_inside.h"

// So many an address in a minute: a record is for ever.
static bool may_begin(visit *v)
{
    session *s = visit_session(v);
    int64_t now_ns = world_now_ns(v->c->w);
    if (s && now_ns - s->minute_ns >= minutes(1)) {
        s->minute_ns = now_ns;
        s->begins = 0;
    }
    return s && s->begins++ < CONSOLE_BEGINS_A_MINUTE_MAX;
}

void account_begin(visit *v)
{
    char id[VIEWING_ID_DIGITS + 1];
    json_t *body = visit_body(v);
    if (!body)
        return;
    str film = str_copy(v->msg, str_z(json_string_value(json_object_get(body, "film")))), title = {0};
    json_decref(body);
    if (!film_id_sound(film) || !films_know(v->c, film, &title, v->msg)) {
        visit_refuse(v, 404, "film");
        return;
    }
    if (!may_begin(v)) {
        visit_refuse(v, 429, "too-many");
        return;
    }
    if (viewings_begin(v->c->viewings, v->session, v->who, film, title, id)) {
        visit_refuse(v, 503, "disk");
        return;
    }
    console_count_viewing();
    console_json_answer(v->reply, 201, json_pack("{s:s, s:i}", "viewing", id, "every_s", (int)VIEWING_EVERY_S));
}

void account_tell(visit *v, str id)
{
    json_t *body = visit_body(v);
    if (!body)
        return;
    err e = viewings_tell(v->c->viewings, v->session, id, body);
    json_decref(body);
    if (e)
        visit_refuse(v, e == E_NO_ENTRY ? 404 : e == E_LIMIT ? 429 : 503, e == E_NO_ENTRY ? "viewing" : e == E_LIMIT ? "too-soon" : "disk");
    else
        console_json_answer(v->reply, 200, json_pack("{s:b}", "written", 1));
}

// The owner sees everybody's, everybody his own.
void account_answer(visit *v)
{
    bool owner = visit_is_owner(v);
    json_t *o = json_pack("{s:b, s:o}", "owner", (int)owner, "viewings", viewings_list(v->c->viewings, owner ? (str){0} : v->who, CONSOLE_ACCOUNTING_MAX));
    if (owner)
        json_object_set_new(o, "sums", viewings_sums(v->c->viewings));
    console_json_answer(v->reply, 200, o);
}
