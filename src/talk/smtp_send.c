#include "talk/smtp_send.h"

#include "base/base64.h"
#include "base/heap_memory.h"
#include "rt/loop.h"
#include "rt/story.h"
#include "rt/tls.h"
#include "talk/smtp_send_inside.h"
#include "wire/mail/sasl.h"

// ---- saying and hearing ----

static const char *protocol(const smtp_client *s) { return s->options.lmtp ? "lmtp" : "smtp"; }

static void say_quietly(smtp_client *s, str line, str told)
{
    conn_put(s->c, line);
    conn_put(s->c, S("\r\n"));
    story_tell(protocol(s), STORY_OUT, s->c->local, s->c->peer, told);
}

void smtp_client_say(smtp_client *s, str line) { say_quietly(s, line, line); }

smtp_verdict smtp_verdict_of(int code, const char *enhanced, str text)
{
    return (smtp_verdict){.code = code, .enhanced = str_z(enhanced), .text = text};
}

// A server's text for people and for bounces: one line, nothing but printable ASCII.
static str text_tame(str text, arena *a)
{
    unsigned char *room = arena_array(a, unsigned char, text.len + 1);
    for (ptrdiff_t i = 0; room && i < text.len; i++)
        room[i] = text.at[i] < 32 || text.at[i] == 127 ? ' ' : text.at[i] < 128 ? text.at[i] : '?';
    return room ? str_of(room, (size_t)text.len) : (str){0};
}

static bool broken(smtp_client *s, err why, const char *what, smtp_verdict *v, arena *a)
{
    s->over = true;
    *v = (smtp_verdict){.error = why, .text = str_format(a, "%s: %s", what, err_text(why))};
    return false;
}

void smtp_client_allow(smtp_client *s, int64_t ns) { s->until_ns = ns ? loop_now_ns() + ns : NEVER_NS; }

// The time that a step has; at least a moment, for 0 would be for ever.
static int64_t time_for(const smtp_client *s, int64_t timeout_ns)
{
    int64_t left = s->until_ns == NEVER_NS ? timeout_ns : s->until_ns - loop_now_ns();
    return left > timeout_ns ? timeout_ns : left > 0 ? left : 1;
}

bool smtp_client_hear(smtp_client *s, int64_t timeout_ns, const char *what, smtp_verdict *v, arena *a)
{
    smtp_reply_state state = SMTP_REPLY_MORE;
    if (s->over)
        return broken(s, s->c->error ? s->c->error : E_PROTOCOL, what, v, a);
    smtp_reply_begin(&s->reply);
    conn_deadline(s->c, time_for(s, timeout_ns));
    while (state == SMTP_REPLY_MORE) {
        arena_reset(&s->msg);
        str line = conn_line(s->c, &s->msg, SMTP_REPLY_LINE_MAX);
        if (line.len == 0 || !str_ends(line, S("\n")))
            return broken(s, s->c->error ? s->c->error : E_PROTOCOL, what, v, a);
        state = smtp_reply_line(&s->reply, str_chomp(line));
        story_tell(protocol(s), STORY_IN, s->c->local, s->c->peer, str_chomp(line));
    }
    if (state == SMTP_REPLY_BAD)
        return broken(s, E_PROTOCOL, what, v, a);
    str text = text_tame(str_first(buf_str(&s->reply.text), SMTP_VERDICT_TEXT_MAX), a);
    *v = (smtp_verdict){.code = s->reply.code, .text = text, .enhanced = smtp_reply_enhanced(s->reply.code, text)};
    if (v->code == 421)                            // RFC 5321 3.8: it is closing the connection
        s->over = true;
    return true;
}

// One command, one reply of the 200s (or `code` exactly).
static bool ask(smtp_client *s, str line, str told, int code, const char *what, smtp_verdict *v, arena *a)
{
    say_quietly(s, line, told);
    return smtp_client_hear(s, minutes(COMMAND_MINUTES), what, v, a) && (code ? v->code == code : v->code / 100 == 2);
}

// ---- beginning ----

static bool hello(smtp_client *s, smtp_verdict *v, arena *a)
{
    str line = str_format(a, "%s " STR_FMT, s->options.lmtp ? "LHLO" : "EHLO", STR_ARG(s->options.helo));
    s->capabilities = (smtp_capabilities){0};
    if (ask(s, line, line, 0, "after EHLO", v, a)) {
        s->capabilities = smtp_capabilities_read(buf_str(&s->reply.text));
        return true;
    }
    if (s->over || s->options.lmtp || v->code / 100 != 5)
        return false;
    line = str_format(a, "HELO " STR_FMT, STR_ARG(s->options.helo));      // a server of before 1995 (RFC 5321 3.2)
    return ask(s, line, line, 0, "after HELO", v, a);
}

static bool start_tls(smtp_client *s, smtp_verdict *v, arena *a)
{
    if (!ask(s, S("STARTTLS"), S("STARTTLS"), 220, "after STARTTLS", v, a))
        return !s->over && !s->options.tls_required;      // it changed its mind: plain, where that is allowed
    conn_deadline(s->c, time_for(s, minutes(COMMAND_MINUTES)));
    if (!conn_tls_connect(s->c, s->options.tls, s->options.tls_host)) {
        s->over = true;
        *v = (smtp_verdict){.error = E_TLS, .text = str_format(a, "TLS: " STR_FMT, STR_ARG(conn_tls_reason(s->c, a)))};
        return false;
    }
    story_note(protocol(s), str_format(a, "TLS: " STR_FMT, STR_ARG(conn_tls_describe(s->c, a))));
    return hello(s, v, a);                         // RFC 3207 4.2: what was said in plain text counts no more
}

static bool secure(smtp_client *s, smtp_verdict *v, arena *a)
{
    if (s->c->is_tls || s->c->is_inside)
        return true;
    if (s->options.tls && s->capabilities.starttls && !start_tls(s, v, a))
        return false;
    if (s->c->is_tls || !s->options.tls_required)
        return true;
    *v = (smtp_verdict){.error = E_TLS, .text = S("the server offers no TLS, and none of this may go without")};
    return false;
}

static bool auth_login(smtp_client *s, smtp_verdict *v, arena *a)
{
    str told = S("AUTH LOGIN ...");
    return ask(s, S("AUTH LOGIN"), told, 334, "after AUTH", v, a) &&
           ask(s, base64_text(a, s->options.user), told, 334, "after AUTH", v, a) &&
           ask(s, base64_text(a, s->options.password), told, 235, "after AUTH", v, a);
}

static bool log_in(smtp_client *s, smtp_verdict *v, arena *a)
{
    if (s->options.user.len == 0)
        return true;
    if (!s->c->is_tls && !s->c->is_inside) {
        *v = (smtp_verdict){.error = E_TLS, .text = S("the password is not sent without TLS")};
        return false;
    }
    if (s->capabilities.auth_plain) {
        str response = sasl_plain_write(a, s->options.user, s->options.password);
        str line = str_join(a, S("AUTH PLAIN "), response);
        return ask(s, line, S("AUTH PLAIN ..."), 235, "after AUTH", v, a);
    }
    if (s->capabilities.auth_login)
        return auth_login(s, v, a);
    *v = (smtp_verdict){.error = E_UNSUPPORTED, .text = S("the server offers neither AUTH PLAIN nor AUTH LOGIN")};
    return false;
}

static bool greeted(smtp_client *s, smtp_verdict *v, arena *a)
{
    return smtp_client_hear(s, minutes(GREETING_MINUTES), "waiting for the greeting", v, a) && v->code == 220;
}

smtp_client *smtp_client_start(conn *c, smtp_client_options options, arena *a, smtp_verdict *verdict)
{
    *verdict = (smtp_verdict){0};
    smtp_client *s = memory_zeroed(1, sizeof *s);
    s->c = c;
    s->options = options;
    s->msg = arena_make(SMTP_MESSAGE_BYTES_MAX);
    s->wire = buf_make(SMTP_MESSAGE_BYTES_MAX);
    smtp_client_allow(s, minutes(START_MINUTES_MAX));
    if (greeted(s, verdict, a) && hello(s, verdict, a) && secure(s, verdict, a) && log_in(s, verdict, a))
        return s;
    if (s->over)
        smtp_client_drop(s);
    else
        smtp_client_quit(s);
    return NULL;
}

const smtp_capabilities *smtp_client_capabilities(const smtp_client *s) { return &s->capabilities; }

// ---- ending ----

void smtp_client_drop(smtp_client *s)
{
    smtp_reply_free(&s->reply);
    buf_free(&s->wire);
    arena_free(&s->msg);
    memory_free(s);
}

void smtp_client_quit(smtp_client *s)
{
    smtp_verdict ignored;
    arena a = arena_make(SMTP_MESSAGE_BYTES_MAX);
    smtp_client_allow(s, 0);
    if (!s->over && !s->c->error) {
        smtp_client_say(s, S("QUIT"));
        smtp_client_hear(s, seconds(QUIT_SECONDS), "after QUIT", &ignored, &a);
    }
    arena_free(&a);
    smtp_client_drop(s);
}
