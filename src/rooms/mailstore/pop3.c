// POP3 before the login (RFC 1939 4, RFC 2449, 2595, 5034, 6856).
#include "rooms/mailstore/pop3.h"

#include "base/heap_memory.h"
#include "rt/log.h"
#include "rt/story.h"
#include "talk/login.h"
#include "wire/mail/sasl.h"

#define POP3_LOGIN_NS minutes(2)
#define POP3_IDLE_NS  minutes(10)            // RFC 1939 3: at least that

// ---- saying and hearing ----------------------------------------------------------------------------------------

static void send(pop3_session *s)
{
    conn_put(s->c, buf_str(&s->out));
    story_tell("pop3", STORY_OUT, s->c->local, s->c->peer, str_chomp(buf_str(&s->out)));
}

void pop3_say_ok(pop3_session *s, str text)
{
    buf_clear(&s->out);
    pop3_ok(&s->out, text);
    send(s);
}

void pop3_say_err(pop3_session *s, const char *code, str text)
{
    buf_clear(&s->out);
    pop3_err(&s->out, code, text);
    send(s);
}

// A password stands in PASS and in AUTH's answers: the story gets the verb alone.
static void tell(pop3_session *s, const pop3_command *q, str line)
{
    str told = q->verb == POP3_PASS ? S("PASS ...") : q->verb == POP3_AUTH && q->has_initial ? S("AUTH ... ...") : line;
    story_tell("pop3", STORY_IN, s->c->local, s->c->peer, told);
}

// For the next line; 0 or less: enough of this conversation.
static int64_t patience_ns(const pop3_session *s)
{
    int64_t whole = minutes(s->account ? 60 * POP3_LIFE_HOURS_MAX : POP3_LOGIN_MINUTES_MAX);
    int64_t left = s->begun_ns + whole - world_now_ns(s->m->w), usual = s->account ? POP3_IDLE_NS : POP3_LOGIN_NS;
    return left < usual ? left : usual;
}

bool pop3_next(pop3_session *s, pop3_command *q)
{
    while (!s->quitting && !s->c->error && s->mistakes < POP3_MISTAKES_MAX) {
        arena_reset(&s->msg);
        int64_t patience = patience_ns(s);
        if (patience <= 0)
            return pop3_say_err(s, "SYS/TEMP", S("this has gone on for too long, come again")), false;
        conn_deadline(s->c, patience);
        str line = conn_line(s->c, &s->msg, POP3_LINE_MAX);
        if (line.len == 0)
            return false;
        if (!str_ends(line, S("\n")))
            return pop3_say_err(s, "", S("that line is too long")), false;
        *q = pop3_command_read(str_chomp(line));
        if (q->verb == POP3_HTTP)
            return false;                          // a web page that talks to us: no answer (ALPACA)
        if (!s->account && ++s->commands_before_login > POP3_COMMANDS_BEFORE_LOGIN_MAX)
            return false;
        if (!q->complaint)
            return tell(s, q, str_chomp(line)), true;
        s->mistakes++;
        pop3_say_err(s, "", str_z(q->complaint));
    }
    return false;
}

// ---- what is offered -------------------------------------------------------------------------------------------

// From this machine: a loopback address, or an address of ours talking to itself (a network of one's own, naru try
// --shell).
static bool is_near(const conn *c)
{
    return c->is_inside || addr_is_loopback(c->peer) || (c->peer.family && addr_eq_ip(c->peer, c->local));
}

static bool may_log_in(const pop3_session *s)
{
    return s->c->is_tls || s->c->is_inside || (s->m->plaintext_loopback && is_near(s->c));
}

void pop3_capabilities(pop3_session *s)
{
    pop3_say_ok(s, S("what this server can do"));
    conn_put(s->c, S("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8\r\nEXPIRE NEVER\r\nIMPLEMENTATION naru\r\n"));
    if (s->m->login_delay_ns)
        conn_format(s->c, "LOGIN-DELAY %lld\r\n", (long long)(s->m->login_delay_ns / NS_PER_S));
    if (s->m->tls && !s->c->is_tls && !s->account)
        conn_put(s->c, S("STLS\r\n"));
    if (s->account || may_log_in(s))
        conn_put(s->c, S("USER\r\nSASL PLAIN LOGIN\r\n"));
    conn_put(s->c, S(".\r\n"));
}

static void start_tls(pop3_session *s)
{
    if (!s->m->tls || s->c->is_tls)
        return pop3_say_err(s, "", s->c->is_tls ? S("TLS is on already") : S("there is no TLS here"));
    pop3_say_ok(s, S("begin TLS"));
    if (!conn_flush(s->c) || !conn_tls_accept(s->c, s->m->tls)) {
        s->quitting = true;
        return;
    }
    s->user = (str){0};                            // RFC 2595 4: nothing said before counts
    story_note("pop3", S("from here on under TLS"));
}

// ---- logging in ------------------------------------------------------------------------------------------------

static void refuse(pop3_session *s, login_verdict v)
{
    s->user = (str){0};
    if (v != LOGIN_TROUBLE && ++s->logins_failed >= POP3_LOGINS_MAX)
        s->quitting = true;
    switch (v) {
    case LOGIN_TOO_MANY: return pop3_say_err(s, "LOGIN-DELAY", S("too many failed logins; wait a while"));
    case LOGIN_LOCKED:   return pop3_say_err(s, "AUTH", S("this account is locked"));
    case LOGIN_TROUBLE:  return pop3_say_err(s, "SYS/TEMP", S("the accounts service does not answer; try again later"));
    default:             return pop3_say_err(s, "AUTH", S("wrong name or password"));
    }
}

// Takes the maildrop's lock (RFC 1939 3). The account is held from here on.
static bool maildrop_take(pop3_session *s, str key)
{
    err e;
    account *a = account_hold(&s->m->accounts, key, &e);
    int64_t now = world_now_ns(s->m->w);
    if (!a) {
        pop3_say_err(s, "SYS/TEMP", str_format(&s->msg, "the mailbox cannot be opened: %s", err_text(e)));
        return false;
    }
    bool too_soon = s->m->login_delay_ns && a->last_login_ns && now - a->last_login_ns < s->m->login_delay_ns;
    if (a->pop3_locked)
        pop3_say_err(s, "IN-USE", S("another session has this maildrop"));
    else if (too_soon)
        pop3_say_err(s, "LOGIN-DELAY", S("too soon after the last login"));
    if (a->pop3_locked || too_soon)
        return account_release(a), false;
    a->pop3_locked = true;
    a->last_login_ns = now;
    s->account = a;
    return true;
}

static void log_in(pop3_session *s, str user, str password)
{
    str key;
    login_verdict v = login_check(s->m->r, "pop3", s->c->peer, user, password, &s->conversation, &key);
    if (v != LOGIN_OK)
        return refuse(s, v);
    s->user = key;
    if (maildrop_take(s, key))
        pop3_maildrop_serve(s);
}

static bool login_allowed(pop3_session *s)
{
    if (!may_log_in(s))
        pop3_say_err(s, "AUTH", s->m->tls ? S("passwords go under TLS only: STLS first") : S("passwords go under TLS only, and there is none here"));
    return may_log_in(s);
}

// One answer in AUTH: "+ challenge", then a line. Empty: canceled with "*", or the end.
static str auth_answer(pop3_session *s, str challenge)
{
    conn_put(s->c, S("+ "));
    conn_put(s->c, challenge);
    conn_put(s->c, S("\r\n"));
    str line = conn_line(s->c, &s->msg, POP3_LINE_MAX);
    bool whole = str_ends(line, S("\n"));
    line = str_chomp(line);
    return whole && !str_eq(line, S("*")) ? line : (str){0};
}

static void authenticate(pop3_session *s, const pop3_command *q)
{
    sasl_plain plain = {0};
    bool good = false;
    if (q->argument.len == 0) {                    // RFC 1734: the list
        pop3_say_ok(s, S("mechanisms"));
        conn_put(s->c, S("PLAIN\r\nLOGIN\r\n.\r\n"));
        return;
    }
    if (!login_allowed(s))
        return;
    if (str_eq_nocase(q->argument, S("PLAIN")))
        good = sasl_plain_read(q->has_initial ? q->initial : auth_answer(s, S("")), &s->msg, &plain);
    else if (str_eq_nocase(q->argument, S("LOGIN")))
        good = sasl_login_read(q->has_initial ? q->initial : auth_answer(s, S(SASL_LOGIN_USERNAME)), &s->msg,
                               &plain.name) &&
               sasl_login_read(auth_answer(s, S(SASL_LOGIN_PASSWORD)), &s->msg, &plain.password);
    else
        return pop3_say_err(s, "", S("this mechanism is not offered; PLAIN and LOGIN are"));
    if (!good)
        return pop3_say_err(s, "", S("malformed or canceled"));
    if (plain.authorize.len && !str_eq_nocase(plain.authorize, plain.name))
        return pop3_say_err(s, "AUTH", S("nobody may act as another here"));
    log_in(s, plain.name, plain.password);
}

static void pass(pop3_session *s, const pop3_command *q)
{
    if (s->user.len == 0)
        return pop3_say_err(s, "", S("USER comes first"));
    log_in(s, s->user, str_copy(&s->conversation, q->argument));
}

static void user(pop3_session *s, const pop3_command *q)
{
    if (!login_allowed(s))
        return;
    s->user = str_copy(&s->conversation, str_first(q->argument, SASL_NAME_MAX));
    pop3_say_ok(s, S("and the password?"));
}

static void obey(pop3_session *s, const pop3_command *q)
{
    switch (q->verb) {
    case POP3_USER: user(s, q); break;
    case POP3_PASS: pass(s, q); break;
    case POP3_AUTH: authenticate(s, q); break;
    case POP3_CAPA: pop3_capabilities(s); break;
    case POP3_STLS: start_tls(s); break;
    // RFC 6856: they are stored as they came
    case POP3_UTF8: pop3_say_ok(s, S("letters and names may be UTF-8")); break;
    case POP3_NOOP: pop3_say_ok(s, S("")); break;
    case POP3_QUIT: pop3_say_ok(s, S("goodbye")); s->quitting = true; break;
    default:
        s->mistakes++;
        pop3_say_err(s, "", q->verb == POP3_APOP || q->verb == POP3_LANG ? S("not offered here")
                                                                      : S("log in first: USER and PASS, or AUTH"));
    }
}

static void log_conversation(const pop3_session *s)
{
    const conn *c = s->c;
    str verdict = s->retrieved || s->removed ? S("read") : s->user.len ? S("login") : s->logins_failed ? S("refused") : S("nothing");
    log_line("pop3", LOG_INFO, "conversation", F_ADDR("peer", &c->peer), F_STR("user", s->user), F_INT("retrieved", s->retrieved),
             F_INT("removed", s->removed), F_INT("logins_failed", s->logins_failed), F_INT("tls", c->is_tls), F_STR("verdict", verdict),
             F_STR("end", str_z(c->error ? err_name(c->error) : "quit")), F_NS("duration_ms", world_now_ns(s->m->w) - s->begun_ns));
}

void pop3_converse(conn *c, void *arg)
{
    pop3_session *s = memory_zeroed(1, sizeof *s);
    pop3_command q;
    s->m = arg;
    s->c = c;
    s->begun_ns = world_now_ns(s->m->w);
    s->conversation = arena_make(POP3_CONVERSATION_BYTES_MAX);
    s->msg = arena_make(POP3_MESSAGE_BYTES_MAX);
    s->out = buf_make(POP3_RESPONSE_MAX + 64);
    if (!fiber_trace())
        fiber_set_trace(story_trace_new());
    pop3_say_ok(s, str_format(&s->msg, STR_FMT " POP3 naru", STR_ARG(s->m->host)));
    while (pop3_next(s, &q))
        obey(s, &q);
    log_conversation(s);
    buf_free(&s->out);
    arena_free(&s->msg);
    arena_free(&s->conversation);
    memory_free(s);
}
