// Signing in and out, and registering. The accounts service judges passwords; nobody else sees one.
#include "rooms/console/console_inside.h"

#include "rt/log.h"
#include "talk/login.h"

enum { CREDENTIAL_BYTES_MAX = 320, RETRY_S = 30 };

// Only a page of this host over TLS may set or see a cookie with this prefix (RFC 6265bis section 4.1.3.2).
static str cookie_name(const console *c) { return c->tls ? S("__Host-naru") : S("naru"); }

str sign_cookie(const console *c, const http_request *q)
{
    str cookies = http_header_get(q, S("Cookie")), name = cookie_name(c);
    while (cookies.len) {
        str value = str_trim(str_cut(&cookies, ';')), key = str_cut(&value, '=');
        if (str_eq(key, name))
            return value;
    }
    return (str){0};
}

static void cookie_put(const visit *v, const char *token, int64_t life_s)
{
    http_answer_header(v->reply, S("Set-Cookie"),
                       str_format(v->msg, STR_FMT "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", STR_ARG(cookie_name(v->c)), token,
                                  (long long)life_s, v->c->tls ? "; Secure" : ""));
}

static bool from_this_machine(const visit *v)
{
    int count;
    const addr *own = world_addresses(v->c->w, &count);
    bool here = addr_is_loopback(v->q->peer) || world_is_simulated(v->c->w);
    for (int i = 0; i < count && !here; i++)
        here = addr_eq_ip(own[i], v->q->peer);
    return here;
}

// A password goes over no wire in the open: only under TLS, or within this machine where `plaintext loopback` says so.
bool sign_wire_is_safe(const visit *v) { return v->c->tls || (v->c->plaintext_loopback && from_this_machine(v)); }

// ---- who am I ---------------------------------------------------------------------------------------------------------------------

static json_t *hosts_json(const console *c)
{
    json_t *all = json_array();
    for (int i = 0; i < c->relay_count; i++)
        json_array_append_new(all, json_stringn((const char *)c->relays[i].at, (size_t)c->relays[i].len));
    return all;
}

static json_t *me_json(visit *v)
{
    const console *c = v->c;
    session *s = visit_session(v);
    json_t *o = json_pack("{s:s%, s:b, s:b, s:b, s:o}", "title", (const char *)c->title.at, (size_t)c->title.len, "registration",
                          (int)c->registration, "films", (int)(c->origin.len > 0), "safe", (int)sign_wire_is_safe(v), "relay", hosts_json(c));
    if (c->steering.len)
        json_object_set_new(o, "steering", json_stringn((const char *)c->steering.at, (size_t)c->steering.len));
    if (s) {
        json_object_set_new(o, "who", json_string(s->who));
        json_object_set_new(o, "role", json_string(s->role));
        json_object_set_new(o, "csrf", json_string(s->csrf));
    }
    return o;
}

void sign_me(visit *v) { console_json_answer(v->reply, 200, me_json(v)); }

// ---- in -----------------------------------------------------------------------------------------------------------------------------

typedef struct { str user, password; } credentials;

static bool credentials_take(visit *v, json_t *body, credentials *out)
{
    out->user = str_copy(v->msg, str_z(json_string_value(json_object_get(body, "user"))));
    out->password = str_copy(v->msg, str_z(json_string_value(json_object_get(body, "password"))));
    json_decref(body);
    bool good = out->user.len && out->password.len && out->user.len <= CREDENTIAL_BYTES_MAX && out->password.len <= CREDENTIAL_BYTES_MAX;
    if (!good)
        visit_refuse(v, 400, "malformed");
    return good;
}

// A session of its own for each sign-in: whatever token the browser came with is over.
static void admit(visit *v, str who, str role)
{
    char token[SESSION_TOKEN_DIGITS + 1];
    session *before = visit_session(v);
    if (before)
        session_end(v->c->sessions, before);
    session *s = session_begin(v->c->sessions, who, role, world_now_ns(v->c->w), token);
    if (!s) {
        visit_refuse(v, 500, "trouble");
        return;
    }
    v->session = s->number;
    cookie_put(v, token, v->c->life_s);
    log_line("console", LOG_INFO, "signed-in", F_STR("account", who), F_ADDR("peer", &v->q->peer));
    console_json_answer(v->reply, 200, me_json(v));
}

static void wait_refuse(visit *v)
{
    http_answer_header(v->reply, S("Retry-After"), str_format(v->msg, "%d", RETRY_S));
    visit_refuse(v, 429, "too-many");
}

void sign_in(visit *v)
{
    credentials given;
    str account, role;
    json_t *body = sign_wire_is_safe(v) ? visit_body(v) : NULL;
    if (!body && !sign_wire_is_safe(v))
        visit_refuse(v, 403, "plaintext");
    if (!body || !credentials_take(v, body, &given))
        return;
    login_verdict verdict = login_check_role(v->c->r, "console", v->q->peer, given.user, given.password, v->msg, &account, &role);
    console_count_sign_in(verdict == LOGIN_OK ? SIGN_IN_OK : verdict == LOGIN_WRONG ? SIGN_IN_WRONG
                          : verdict == LOGIN_TOO_MANY ? SIGN_IN_TOO_MANY : SIGN_IN_TROUBLE);
    if (verdict == LOGIN_OK)
        admit(v, account, role);
    else if (verdict == LOGIN_TOO_MANY)
        wait_refuse(v);
    else
        visit_refuse(v, verdict == LOGIN_TROUBLE ? 503 : 401, verdict == LOGIN_TROUBLE ? "trouble" : "wrong");
}

void sign_register(visit *v)
{
    static const struct { int status; const char *code; } refusals[] = {
        [JOIN_TAKEN] = {409, "taken"}, [JOIN_CLOSED] = {403, "closed"}, [JOIN_NAME] = {422, "name"},
        [JOIN_PASSWORD] = {422, "password"}, [JOIN_TROUBLE] = {503, "trouble"},
    };
    credentials given;
    str account;
    if (!v->c->registration || !sign_wire_is_safe(v)) {
        visit_refuse(v, 403, v->c->registration ? "plaintext" : "closed");
        return;
    }
    json_t *body = visit_body(v);
    if (!body || !credentials_take(v, body, &given))
        return;
    if (!newcomers_let_in(&v->c->newcomers, v->q->peer, world_now_ns(v->c->w))) {
        wait_refuse(v);
        return;
    }
    join_verdict verdict = login_join(v->c->r, "console", v->q->peer, given.user, given.password, v->msg, &account);
    if (verdict == JOIN_OK) {
        console_count_sign_in(SIGN_IN_JOINED);
        admit(v, account, S("viewer"));
    } else {
        visit_refuse(v, refusals[verdict].status, refusals[verdict].code);
    }
}

// ---- another password -------------------------------------------------------------------------------------------------------------

// Who changes it is signed out everywhere else: whoever knew the old one is out, too.
void sign_password(visit *v)
{
    static const struct { int status; const char *code; } refusals[] = {
        [CHANGE_WRONG] = {422, "wrong-password"}, [CHANGE_PASSWORD] = {422, "password"}, [CHANGE_TROUBLE] = {503, "trouble"},
    };
    json_t *body = sign_wire_is_safe(v) ? visit_body(v) : NULL;
    if (!sign_wire_is_safe(v))
        visit_refuse(v, 403, "plaintext");
    if (!body)
        return;
    str old = str_copy(v->msg, str_z(json_string_value(json_object_get(body, "password"))));
    str fresh = str_copy(v->msg, str_z(json_string_value(json_object_get(body, "new"))));
    json_decref(body);
    if (!old.len || !fresh.len || old.len > CREDENTIAL_BYTES_MAX || fresh.len > CREDENTIAL_BYTES_MAX) {
        visit_refuse(v, 400, "malformed");
        return;
    }
    change_verdict verdict = login_change(v->c->r, "console", v->q->peer, v->who, old, fresh, v->msg);
    if (verdict == CHANGE_OK) {
        sessions_end_of(v->c->sessions, v->who);
        admit(v, v->who, v->role);
    } else if (verdict == CHANGE_TOO_MANY) {
        wait_refuse(v);
    } else {
        visit_refuse(v, refusals[verdict].status, refusals[verdict].code);
    }
}

// ---- still somebody -------------------------------------------------------------------------------------------------------------------

// An account that was removed, or got another password at the command line, is signed out everywhere within a minute; another role counts
// as soon. While the accounts service is silent nothing changes.
void sign_look(visit *v)
{
    str role, mark;
    session *s = visit_session(v);
    int64_t now_ns = world_now_ns(v->c->w);
    if (!s || (s->looked_ns && now_ns - s->looked_ns < seconds(CONSOLE_LOOK_S)))
        return;
    s->looked_ns = now_ns;
    role_verdict verdict = login_role(v->c->r, v->who, v->msg, &role, &mark);
    if (verdict == ROLE_GONE)
        sessions_end_of(v->c->sessions, v->who);
    s = visit_session(v);                    // it parked
    if (s && verdict == ROLE_IS && session_renew(v->c->sessions, s, role, mark))
        v->role = role;
    if (!visit_session(v))
        v->session = 0;
}

// ---- out ----------------------------------------------------------------------------------------------------------------------------

void sign_out(visit *v)
{
    session *s = visit_session(v);
    if (s)
        session_end(v->c->sessions, s);
    v->session = 0;
    cookie_put(v, "", 0);
    console_json_answer(v->reply, 200, me_json(v));
}

void sign_out_everywhere(visit *v)
{
    sessions_end_of(v->c->sessions, v->who);
    sign_out(v);
}
