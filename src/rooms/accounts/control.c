// What `naru account` asks through the control socket (docs/accounts.md). The body is the password as it is.
//     GET  /accounts/list
//     POST /accounts/add?address=A[&role=admin]      body: password
//     POST /accounts/passwd?address=A                body: password
//     POST /accounts/remove?address=A
//     POST /accounts/app-add?address=A&label=L       answers the generated password, once
//     POST /accounts/app-remove?address=A&id=N
#include "rooms/accounts/accounts.h"
#include "rooms/accounts/accounts_inside.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "talk/control.h"

enum { LIST_BYTES_MAX = 32 << 20 };

static void answer_error(http_reply *reply, int status, str why)
{
    buf out = buf_make(4096);
    buf_put(&out, S("{\"error\":"));
    json_put(&out, why);
    buf_put(&out, S("}\n"));
    http_answer(reply, status, S("application/json"), buf_str(&out));
    buf_free(&out);
}

static void answer_err(http_reply *reply, err e, str why)
{
    int status = e == E_EXISTS ? 409 : e == E_NO_ENTRY ? 404 : e == E_PROTOCOL ? 400 : e == E_NO_SPACE ? 507 : 500;
    answer_error(reply, status, why.len ? why : str_z(err_text(e)));
}

static void answer_ok(http_reply *reply, str who)
{
    buf out = buf_make(4096);
    buf_put(&out, S("{\"address\":"));
    json_put(&out, who);
    buf_put(&out, S("}\n"));
    http_answer(reply, 200, S("application/json"), buf_str(&out));
    buf_free(&out);
}

static bool is_post(const http_request *q, http_reply *reply)
{
    bool post = str_eq(q->method, S("POST"));
    if (!post)
        answer_error(reply, 405, S("this wants POST"));
    return post;
}

static void person_put(buf *out, const person *who)
{
    buf_put(out, S("{\"address\":"));
    json_put(out, who->address);
    buf_format(out, ",\"role\":\"%s\",\"created\":%lld,\"app_passwords\":[", who->role, (long long)who->created_s);
    for (const app_password *app = who->apps; app; app = app->next) {
        buf_format(out, "%s{\"id\":%lld,\"label\":", app == who->apps ? "" : ",", (long long)app->id);
        json_put(out, str_z(app->label));
        buf_put(out, S("}"));
    }
    buf_put(out, S("]}"));
}

static void route_list(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    accounts *s = arg;
    buf out = buf_make(LIST_BYTES_MAX);
    person *who;
    bool first = true;
    (void)q, (void)msg;
    buf_put(&out, S("{\"accounts\":["));
    for (size_t cursor = 0; people_each(s->people, &cursor, &who); first = false) {
        buf_put(&out, first ? S("\n") : S(",\n"));
        person_put(&out, who);
    }
    buf_put(&out, S("]}\n"));
    http_answer(reply, out.full ? 500 : 200, S("application/json"),
                out.full ? S("{\"error\":\"too many\"}") : buf_str(&out));
    buf_free(&out);
}

static void route_add(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    accounts *s = arg;
    str why = {0}, who = http_query_get(q, S("address"), msg), role = http_query_get(q, S("role"), msg);
    if (!is_post(q, reply))
        return;
    err e = accounts_add(s->r, who, q->body, role, msg, &why);
    if (e == E_OK)
        answer_ok(reply, who);
    else
        answer_err(reply, e, why);
}

// The person that the request names, or NULL with the answer given.
static person *named(accounts *s, const http_request *q, http_reply *reply, arena *msg)
{
    str why = {0}, key = accounts_key(http_query_get(q, S("address"), msg), msg, &why);
    person *who = key.len ? people_find(s->people, key) : NULL;
    if (is_post(q, reply) && !who)
        answer_error(reply, 404, key.len ? str_format(msg, "there is no account " STR_FMT, STR_ARG(key)) : why);
    return str_eq(q->method, S("POST")) ? who : NULL;
}

static void route_passwd(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    accounts *s = arg;
    char hash[PASSWORD_HASH_MAX];
    str why = {0};
    person *who = named(s, q, reply, msg);
    if (!who)
        return;
    if (!accounts_password_usable(q->body, &why))
        return answer_error(reply, 400, why);
    str key = str_copy(msg, who->address);
    err e = accounts_hash(s, q->body, s->cost, hash);
    who = people_find(s->people, key);             // hashing parked
    if (e == E_OK)
        e = who ? people_set_hash(s->people, who, hash) : E_NO_ENTRY;
    if (e != E_OK)
        return answer_err(reply, e, (str){0});
    backoff_forgive(&s->names, key);
    log_line("accounts", LOG_NOTICE, "password-changed", F_STR("account", key));
    answer_ok(reply, key);
}

static void route_remove(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    accounts *s = arg;
    person *who = named(s, q, reply, msg);
    if (!who)
        return;
    str key = str_copy(msg, who->address);
    err e = people_remove(s->people, who);
    if (e != E_OK)
        return answer_err(reply, e, (str){0});
    log_line("accounts", LOG_NOTICE, "removed", F_STR("account", key));
    answer_ok(reply, key);
}

static void route_app_add(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    accounts *s = arg;
    char secret[APP_PASSWORD_BYTES + 1], hash[PASSWORD_HASH_MAX];
    int64_t id = 0;
    person *who = named(s, q, reply, msg);
    if (!who)
        return;
    str key = str_copy(msg, who->address);
    app_password_make(s->w, secret);
    err e = accounts_hash(s, str_z(secret), app_password_cost(), hash);
    who = people_find(s->people, key);
    if (e == E_OK)
        e = who ? people_app_add(s->people, who, http_query_get(q, S("label"), msg), hash, &id) : E_NO_ENTRY;
    if (e != E_OK)
        return answer_err(reply, e, e == E_LIMIT ? S("this account has as many app passwords as it may have") : (str){0});
    str body = str_format(msg, "{\"id\":%lld,\"password\":\"%s\"}\n", (long long)id, secret);
    http_answer(reply, 200, S("application/json"), body);
}

static void route_app_remove(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    accounts *s = arg;
    uint64_t id = 0;
    person *who = named(s, q, reply, msg);
    if (!who)
        return;
    str key = str_copy(msg, who->address);
    bool sound = str_to_u64(http_query_get(q, S("id"), msg), &id);
    err e = sound ? people_app_remove(s->people, who, (int64_t)id) : E_NO_ENTRY;
    if (e != E_OK)
        return answer_err(reply, e, e == E_NO_ENTRY ? S("there is no such app password") : (str){0});
    answer_ok(reply, key);
}

void accounts_control(accounts *s)
{
    control_route *routes = arena_array(s->r->memory, control_route, 6);
    routes[0] = (control_route){"/list", route_list, s};
    routes[1] = (control_route){"/add", route_add, s};
    routes[2] = (control_route){"/passwd", route_passwd, s};
    routes[3] = (control_route){"/remove", route_remove, s};
    routes[4] = (control_route){"/app-add", route_app_add, s};
    routes[5] = (control_route){"/app-remove", route_app_remove, s};
    control_add(s->r, routes, 6);
}
