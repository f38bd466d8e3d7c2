#include "rooms/mta/session.h"

#include <string.h>

#include "base/must.h"
#include "rt/log.h"
#include "rt/story.h"
#include "talk/login.h"
#include "wire/mail/sasl.h"

enum {
    SESSION_CONVERSATION_BYTES = 16 * 1024,
    SESSION_MSG_BYTES = 64 * 1024,
    SESSION_REPLY_BYTES = 16 * 1024,
    SESSION_FIRST_RECIPIENTS = 8,
};

// ---- answers ----------------------------------------------------------------------------------------------------------

void session_reply(session *s, int code, const char *enhanced, str text)
{
    smtp_reply_write(&s->reply, code, enhanced, text);
    str lines = buf_str(&s->reply);
    conn_put(s->c, lines);
    while (lines.len) {
        str line = str_cut(&lines, '\n');
        story_tell("smtp", STORY_OUT, s->c->local, s->c->peer, str_trim(line));
    }
    buf_free(&s->reply);                                 // an idle conversation keeps none
    if (code >= 400)
        s->refused++;
}

void session_format(session *s, int code, const char *enhanced, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str text = str_vformat(&s->msg, format, args);
    va_end(args);
    session_reply(s, code, enhanced, text);
}

// A refusal that counts against the patience we have with one conversation.
static void complain(session *s, int code, const char *enhanced, str text)
{
    session_reply(s, code, enhanced, text);
    if (++s->errors < MTA_ERRORS_MAX)
        return;
    session_reply(s, 421, "4.7.0", S("Too many errors, closing the connection"));
    s->over = true;
}

void session_forget(session *s)
{
    letter_free(s->letter);
    s->letter = NULL;
    s->to_cap = 0;
}

// ---- HELO, EHLO -------------------------------------------------------------------------------------------------------

static bool may_login(const session *s)
{
    bool near = addr_is_loopback(s->c->peer) || addr_eq_ip(s->c->peer, s->c->local);     // from this very machine
    bool sheltered = s->c->is_tls || s->c->is_inside || (s->m->plaintext_loopback && near);
    return s->submission && sheltered && !s->account.len;
}

static void greet(session *s, const smtp_command *cmd)
{
    if (cmd->argument.len == 0) {
        session_format(s, 501, "5.5.4", "Say your name: %s host.example.org", smtp_verb_name(cmd->verb));
        return;
    }
    session_forget(s);
    s->greeted = true;
    s->extended = cmd->verb == SMTP_EHLO;
    s->helo = str_copy(&s->conversation, str_first(str_word(&(str){cmd->argument.at, cmd->argument.len}), ADDRESS_DOMAIN_MAX));
    char peer[ADDR_TEXT_MAX];
    addr_print(peer, s->c->peer);
    if (!s->extended) {
        session_format(s, 250, "", STR_FMT " Hello " STR_FMT ", pleased to meet you", STR_ARG(s->m->host), STR_ARG(s->helo));
        return;
    }
    tls_config *tls = s->submission ? s->m->tls_submission : s->m->tls_smtp;
    session_format(s, 250, "", STR_FMT " Hello " STR_FMT " [%s]\nPIPELINING\nSIZE %lld\n8BITMIME\nENHANCEDSTATUSCODES%s%s%s\nHELP",
                   STR_ARG(s->m->host), STR_ARG(s->helo), peer, (long long)s->m->size_bytes_max,
                   tls && !s->c->is_tls ? "\nSTARTTLS" : "", may_login(s) ? "\nAUTH PLAIN LOGIN" : "",
                   mta_trusts_trace(s->m, s->c) ? "\nXTRACE" : "");
}

// ---- MAIL, RCPT -------------------------------------------------------------------------------------------------------

static bool sender_allowed(session *s, const smtp_command *cmd)
{
    if (!s->submission)
        return true;
    if (!s->account.len) {
        session_reply(s, 530, "5.7.0", s->c->is_tls ? S("Log in first (AUTH)") : S("Log in first: STARTTLS, then AUTH"));
        return false;
    }
    if (cmd->path_verdict == ADDRESS_NULL || login_may_send_as(s->m->room, s->account, address_text(&s->msg, cmd->path), &s->msg))
        return true;
    session_format(s, 553, "5.7.1", "You are logged in as " STR_FMT " and may not send as another", STR_ARG(s->account));
    return false;
}

static str lower_domain(arena *a, address who)
{
    who.domain = str_lower(a, who.domain);
    return address_text(a, who);
}

// Of extensions that were offered here. RFC 5321 4.1.1.11: what belongs to another one (RET, NOTIFY, ORCPT and ENVID of DSN, RFC 3461;
// the mailstore's own) is refused, not passed over: who asked for a notice must learn that none will come.
static bool parameters_allowed(session *s, const smtp_command *cmd)
{
    unsigned offered = SMTP_HAS_SIZE | SMTP_HAS_BODY | (s->submission ? SMTP_HAS_AUTH : 0) |
                       (mta_trusts_trace(s->m, s->c) ? SMTP_HAS_TRACE : 0);
    if (!(cmd->parameters.given & ~offered))
        return true;
    complain(s, 555, "5.5.4", S("This parameter belongs to an extension that was not offered here"));
    return false;
}

static void mail(session *s, const smtp_command *cmd)
{
    if (!parameters_allowed(s, cmd))
        return;
    if (!s->greeted) {
        complain(s, 503, "5.5.1", S("Say HELO or EHLO first"));
    } else if (s->letter) {
        complain(s, 503, "5.5.1", S("There is a sender already; RSET starts over"));
    } else if (cmd->path_verdict == ADDRESS_NO_DOMAIN) {
        complain(s, 553, "5.1.7", S("The sender needs a domain: MAIL FROM:<you@example.org>"));
    } else if (cmd->parameters.given & SMTP_HAS_SIZE && cmd->parameters.size_bytes > (uint64_t)s->m->size_bytes_max) {
        session_format(s, 552, "5.3.4", "The letter is too large: at most %lld bytes", (long long)s->m->size_bytes_max);
    } else if (s->letters >= MTA_LETTERS_MAX) {
        session_reply(s, 421, "4.7.0", S("Enough letters for one connection"));
        s->over = true;
    } else if (sender_allowed(s, cmd)) {
        s->letter = spool_letter_new(s->m->spool);
        s->letter->trace = fiber_trace();
        s->letter->from = lower_domain(&s->letter->memory, cmd->path);
        s->letter->body_8bit = cmd->parameters.body_8bit;
        session_reply(s, 250, "2.1.0", cmd->path_verdict == ADDRESS_NULL ? S("<>... Sender ok") :
                      str_format(&s->msg, STR_FMT "... Sender ok", STR_ARG(s->letter->from)));
    }
}

static bool recipient_add(session *s, str to, str mailbox)
{
    letter *l = s->letter;
    for (int i = 0; i < l->to_count; i++)
        if (str_eq(l->to[i].address, to) && str_eq(l->to[i].mailbox, mailbox))
            return true;                                 // said twice, delivered once
    if (l->to_count == s->to_cap) {
        int cap = s->to_cap ? s->to_cap * 2 : SESSION_FIRST_RECIPIENTS;
        recipient *more = arena_array(&l->memory, recipient, cap);
        if (!more)
            return false;
        if (l->to_count)
            memcpy(more, l->to, (size_t)l->to_count * sizeof *more);
        l->to = more;
        s->to_cap = cap;
    }
    l->to[l->to_count] = (recipient){.address = str_copy(&l->memory, to), .mailbox = mailbox};
    if (l->memory.full)
        return false;
    l->to_count++;
    l->to_waiting++;
    return true;
}

// Nobody may make us relay, and what we cannot deliver we do not accept: no backscatter.
static bool recipient_allowed(session *s, address *to)
{
    str account;
    if (!mta_is_local(s->m, to->domain)) {
        if (s->submission)
            return true;
        complain(s, 550, "5.7.1", str_format(&s->msg, STR_FMT " is not one of ours, and we carry mail to others only for "
                                             "our own people", STR_ARG(to->domain)));
        return false;
    }
    switch (login_mailbox(s->m->room, lower_domain(&s->msg, *to), &s->msg, &account)) {
    case MAILBOX_HERE:
        return true;
    case MAILBOX_UNKNOWN:
        complain(s, 550, "5.1.1", str_format(&s->msg, "There is no mailbox " STR_FMT " here", STR_ARG(address_text(&s->msg, *to))));
        return false;
    case MAILBOX_TROUBLE:
        break;
    }
    session_reply(s, 451, "4.3.0", S("Cannot look up the mailbox just now, try again later"));
    return false;
}

static void rcpt(session *s, const smtp_command *cmd)
{
    address to = cmd->path;
    if (!parameters_allowed(s, cmd))
        return;
    if (!s->letter) {
        complain(s, 503, "5.5.1", S("Say MAIL FROM first"));
        return;
    }
    if (cmd->path_verdict == ADDRESS_NO_DOMAIN) {
        if (!str_eq_nocase(to.local, S("postmaster")) || address_read(s->m->postmaster, &s->msg, &to) != ADDRESS_OK) {
            complain(s, 553, "5.1.3", S("The recipient needs a domain: RCPT TO:<somebody@example.org>"));
            return;
        }
    } else if (cmd->path_verdict == ADDRESS_NULL) {
        complain(s, 553, "5.1.3", S("Nobody lives at <>"));
        return;
    }
    if (s->letter->to_count >= s->m->recipients_max) {
        session_format(s, 452, "4.5.3", "At most %d recipients a letter", s->m->recipients_max);
        return;
    }
    if (!recipient_allowed(s, &to))
        return;
    str text = lower_domain(&s->msg, to);
    if (!recipient_add(s, text, (str){0}))
        session_reply(s, 452, "4.5.3", S("Too many recipients for one letter"));
    else
        session_format(s, 250, "2.1.5", STR_FMT "... Recipient ok", STR_ARG(text));
}

static void data(session *s)
{
    if (!s->letter || s->letter->to_count == 0) {
        complain(s, 503, "5.5.1", s->letter ? S("Say RCPT TO first; no recipient was accepted") : S("Say MAIL FROM first"));
        return;
    }
    // Text behind DATA that did not wait for our 354 comes from somebody who does not listen (RFC 2920 3.1): a smuggler or a
    // spammer's program. Going on would let it choose where commands begin.
    if (conn_has_input(s->c)) {
        session_reply(s, 503, "5.5.0", S("Wait for 354 before the text (nc: type it, or use a mail program)"));
        s->over = true;
        return;
    }
    if (s->account.len && s->m->sent_copies && !recipient_add(s, s->account, S("Sent"))) {
        session_reply(s, 452, "4.5.3", S("Too many recipients for one letter"));
        return;
    }
    s->letters++;
    message_receive(s);
    session_forget(s);
}

// ---- TLS and login ----------------------------------------------------------------------------------------------------

static void start_tls(session *s)
{
    tls_config *tls = s->submission ? s->m->tls_submission : s->m->tls_smtp;
    if (!tls || s->c->is_tls) {
        complain(s, 503, "5.5.1", s->c->is_tls ? S("TLS is on already") : S("There is no TLS here"));
        return;
    }
    session_reply(s, 220, "2.0.0", S("Ready to start TLS"));
    if (!conn_flush(s->c) || !conn_tls_accept(s->c, tls)) {
        s->over = true;
        return;
    }
    story_note("smtp", S("from here on under TLS"));
    session_forget(s);                                   // RFC 3207 4.2: nothing said in plain text counts,
    s->account = (str){0};                               // a login least of all: it may be somebody else's
    s->greeted = s->extended = false;
}

static str auth_answer(session *s, const char *prompt)
{
    conn_format(s->c, "334 %s\r\n", prompt);
    return str_chomp(conn_line(s->c, &s->msg, SMTP_COMMAND_LINE_MAX));
}

static bool auth_read(session *s, const smtp_command *cmd, str *name, str *password, str *as)
{
    *as = (str){0};
    if (str_eq_nocase(cmd->mechanism, S("PLAIN"))) {
        sasl_plain plain;
        str response = cmd->argument.len ? cmd->argument : auth_answer(s, "");
        if (!sasl_plain_read(response, &s->msg, &plain))
            return false;
        *name = plain.name, *password = plain.password, *as = plain.authorize;
        return true;
    }
    str response = cmd->argument.len ? cmd->argument : auth_answer(s, SASL_LOGIN_USERNAME);
    return sasl_login_read(response, &s->msg, name) && sasl_login_read(auth_answer(s, SASL_LOGIN_PASSWORD), &s->msg, password);
}

static void log_in(session *s, str name, str password)
{
    str account;
    switch (login_check(s->m->room, "submission", s->c->peer, name, password, &s->conversation, &account)) {
    case LOGIN_OK:
        s->account = account;
        session_format(s, 235, "2.7.0", "Welcome, " STR_FMT, STR_ARG(account));
        return;
    case LOGIN_WRONG:
        session_reply(s, 535, "5.7.8", S("Name or password is wrong"));
        break;
    case LOGIN_TOO_MANY:
    case LOGIN_LOCKED:
        session_reply(s, 454, "4.7.0", S("Too many attempts, try again later"));
        break;
    case LOGIN_TROUBLE:
        session_reply(s, 454, "4.7.0", S("Cannot check passwords just now, try again later"));
        break;
    }
    if (++s->auth_tries >= MTA_AUTH_TRIES_MAX) {
        session_reply(s, 421, "4.7.0", S("Too many attempts, closing the connection"));
        s->over = true;
    }
}

static void auth(session *s, const smtp_command *cmd)
{
    str name, password, as;
    if (!s->submission) {
        complain(s, 503, "5.5.1", S("There is no login on this port: use submission, port 587 or 465"));
    } else if (s->account.len) {
        complain(s, 503, "5.5.1", S("You are logged in already"));
    } else if (s->letter || !s->extended) {
        complain(s, 503, "5.5.1", S("Log in after EHLO and before MAIL"));
    } else if (!may_login(s)) {
        complain(s, 538, "5.7.11", S("Passwords go under TLS only: STARTTLS first"));
    } else if (!str_eq_nocase(cmd->mechanism, S("PLAIN")) && !str_eq_nocase(cmd->mechanism, S("LOGIN"))) {
        complain(s, 504, "5.5.4", S("Mechanisms here: PLAIN, LOGIN"));
    } else if (!auth_read(s, cmd, &name, &password, &as)) {
        complain(s, 501, "5.5.2", S("That is not how this mechanism goes"));
    } else if (as.len && !str_eq_nocase(as, name)) {
        complain(s, 535, "5.7.8", S("Acting as another is not allowed"));
    } else {
        log_in(s, name, password);
    }
}

// ---- the dialogue -----------------------------------------------------------------------------------------------------

static void help(session *s)
{
    session_reply(s, 214, "2.0.0", S("Commands: HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP STARTTLS AUTH QUIT\n"
                                     "A letter: HELO you.example.org, MAIL FROM:<you@example.org>, RCPT TO:<friend@example.org>,\n"
                                     "DATA, then the text, then a line with a single dot, then QUIT"));
}

static void unknown(session *s, const smtp_command *cmd)
{
    if (cmd->meant != SMTP_UNKNOWN)
        complain(s, 500, "5.5.1", str_format(&s->msg, "Command unrecognized: \"" STR_FMT "\"; did you mean %s?",
                                             STR_ARG(str_first(cmd->word, 40)), smtp_verb_name(cmd->meant)));
    else
        complain(s, 500, "5.5.1", str_format(&s->msg, "Command unrecognized: \"" STR_FMT "\"; HELP lists what there is",
                                             STR_ARG(str_first(cmd->word, 40))));
}

static void junk(session *s, int code, const char *enhanced, str text)
{
    session_reply(s, code, enhanced, text);
    if (++s->junk < MTA_JUNK_MAX)
        return;
    session_reply(s, 421, "4.7.0", S("Too many commands that lead nowhere"));
    s->over = true;
}

static void obey(session *s, const smtp_command *cmd)
{
    if (cmd->complaint.code) {
        complain(s, cmd->complaint.code, cmd->complaint.enhanced, cmd->complaint.text);
        return;
    }
    switch (cmd->verb) {
    case SMTP_HELO:
    case SMTP_EHLO:     greet(s, cmd); break;
    case SMTP_MAIL:     mail(s, cmd); break;
    case SMTP_RCPT:     rcpt(s, cmd); break;
    case SMTP_DATA:     data(s); break;
    case SMTP_STARTTLS: start_tls(s); break;
    case SMTP_AUTH:     auth(s, cmd); break;
    case SMTP_RSET:     session_forget(s); junk(s, 250, "2.0.0", S("Forgotten")); break;
    case SMTP_NOOP:     junk(s, 250, "2.0.0", S("Ok")); break;
    case SMTP_VRFY:     junk(s, 252, "2.1.5", S("We do not tell who lives here; send a letter and see")); break;
    case SMTP_HELP:     help(s); s->junk++; break;
    case SMTP_QUIT:     session_format(s, 221, "2.0.0", STR_FMT " closing connection", STR_ARG(s->m->host)); s->over = true; break;
    case SMTP_HTTP:     session_reply(s, 421, "4.7.0", S("This is a mail server, not a web server")); s->over = true; break;
    case SMTP_EMPTY:    junk(s, 500, "5.5.2", S("Type a command; HELP lists what there is")); break;
    case SMTP_LHLO:
    case SMTP_BDAT:
    case SMTP_EXPN:     complain(s, 502, "5.5.1", S("Not offered here")); break;
    default:            unknown(s, cmd); break;
    }
}

// Each letter is a story of its own, and its MAIL FROM belongs to it: chosen before the line is told.
static void story_choose(session *s, const smtp_command *cmd)
{
    if (cmd->verb != SMTP_MAIL || cmd->complaint.code || s->letter)
        return;
    if (cmd->parameters.given & SMTP_HAS_TRACE && mta_trusts_trace(s->m, s->c))
        fiber_set_trace(cmd->parameters.trace);
    else if (s->letters > 0)
        fiber_set_trace(story_trace_new());
}

// How long the next line may take: RFC 5321 4.5.3.2.7, but no polite word every five minutes keeps a conversation for ever.
static int64_t patience_ns(const session *s)
{
    int64_t now = world_now_ns(s->m->w), usual = minutes(5);
    int64_t life = s->begun_ns + minutes(60 * MTA_LIFE_HOURS_MAX) - now, aim = s->aimed_ns + minutes(MTA_AIMLESS_MINUTES_MAX) - now;
    int64_t least = life < aim ? life : aim;
    return least < usual ? least : usual;
}

static void listen_to(session *s)
{
    arena_free(&s->msg);                                 // not kept: we may wait for long
    int64_t patience = patience_ns(s);
    if (patience <= 0) {
        session_reply(s, 421, "4.4.2", S("This has gone on for too long, come again"));
        s->over = true;
        return;
    }
    conn_deadline(s->c, patience);
    str line = conn_line(s->c, &s->msg, SMTP_COMMAND_LINE_MAX);
    if (!line.len || s->c->error == E_EOF)
        return;
    if (line.at[line.len - 1] != '\n') {
        complain(s, 500, "5.5.2", S("The line is too long"));
        return;
    }
    if (!str_ends(line, S("\r\n"))) {
        complain(s, 500, "5.5.2", S("lines end with CR LF (nc: use -C)"));
        return;
    }
    line = str_chomp(line);
    if (!s->extended)
        line = smtp_line_edit(line, &s->msg);
    smtp_command cmd = smtp_command_read(line, &s->msg);
    story_choose(s, &cmd);
    story_tell("smtp", STORY_IN, s->c->local, s->c->peer, cmd.verb == SMTP_AUTH ? S("AUTH (not shown)") : line);
    unsigned letters = s->letters;
    obey(s, &cmd);
    s->aimless = s->letters == letters ? s->aimless + 1 : 0;
    if (s->letters != letters)
        s->aimed_ns = world_now_ns(s->m->w);
    if (!s->over && s->aimless >= MTA_COMMANDS_A_LETTER_MAX) {
        session_reply(s, 421, "4.7.0", S("Too many commands without a letter, closing the connection"));
        s->over = true;
    }
}

static void log_conversation(const session *s)
{
    const conn *c = s->c;
    str verdict = s->accepted ? S("accepted") : s->refused ? S("refused") : S("nothing");
    log_line(s->submission ? "submission" : "smtp", LOG_INFO, "conversation", F_ADDR("peer", &c->peer), F_STR("helo", s->helo),
             F_STR("account", s->account), F_INT("letters", s->letters), F_INT("accepted", s->accepted), F_INT("refused", s->refused),
             F_INT("tls", c->is_tls), F_STR("verdict", verdict), F_STR("end", str_z(c->error ? err_name(c->error) : "quit")),
             F_NS("duration_ms", world_now_ns(s->m->w) - s->begun_ns));
}

static void converse(mta *m, conn *c, bool submission)
{
    session s = {.m = m, .c = c, .submission = submission, .conversation = arena_make(SESSION_CONVERSATION_BYTES),
                 .msg = arena_make(SESSION_MSG_BYTES), .reply = buf_make(SESSION_REPLY_BYTES)};
    s.begun_ns = s.aimed_ns = world_now_ns(m->w);
    fiber_set_trace(story_trace_new());
    if (!c->is_tls && conn_has_input(c)) {               // spoke before the greeting: no mail program does that
        session_reply(&s, 554, "5.5.0", S("Wait for the greeting before you speak"));
        s.over = true;
    } else {
        session_format(&s, 220, "", STR_FMT " ESMTP naru ready", STR_ARG(m->host));
    }
    while (!c->error && !s.over)
        listen_to(&s);
    session_forget(&s);
    log_conversation(&s);
    buf_free(&s.reply);
    arena_free(&s.msg);
    arena_free(&s.conversation);
}

void mta_converse(conn *c, void *arg) { converse(arg, c, false); }
void mta_converse_submission(conn *c, void *arg) { converse(arg, c, true); }
