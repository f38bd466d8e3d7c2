#include "talk/pop3_fetch.h"

#include "base/heap_memory.h"
#include "rt/story.h"
#include "rt/tls.h"
#include "wire/mail/dot.h"

enum { POP3_CLIENT_LINE_MAX = 8192, POP3_CLIENT_MEMORY = 64 * 1024 };
#define POP3_ANSWER_NS minutes(2)

struct pop3_client {
    conn *c;
    arena msg, trouble_memory;
    str   trouble;
};

static bool trouble(pop3_client *p, str text)
{
    arena_reset(&p->trouble_memory);
    p->trouble = str_copy(&p->trouble_memory, text);
    return false;
}

str pop3_client_trouble(const pop3_client *p) { return p->trouble; }

// The answer's first line. *text: what stands behind +OK. False: -ERR, or the conversation broke.
static bool hear(pop3_client *p, str *text)
{
    arena_reset(&p->msg);
    conn_deadline(p->c, POP3_ANSWER_NS);
    str line = conn_line(p->c, &p->msg, POP3_CLIENT_LINE_MAX);
    if (!str_ends(line, S("\n")))
        return trouble(p, str_z(err_text(p->c->error ? p->c->error : E_PROTOCOL)));
    line = str_chomp(line);
    story_tell("pop3", STORY_IN, p->c->local, p->c->peer, line);
    bool good = str_starts(line, S("+OK"));
    *text = str_trim(str_from(line, good ? 3 : 5));
    return good || trouble(p, str_starts(line, S("-ERR")) ? *text : S("that is no POP3 server"));
}

static bool ask(pop3_client *p, str command, str told, str *text)
{
    conn_put(p->c, command);
    conn_put(p->c, S("\r\n"));
    story_tell("pop3", STORY_OUT, p->c->local, p->c->peer, told);
    return hear(p, text);
}

static bool ask_number(pop3_client *p, const char *format, uint32_t number, int lines)
{
    str text, command = str_format(&p->msg, format, number, lines);
    return ask(p, command, command, &text);
}

// ---- beginning -------------------------------------------------------------------------------------------------

static bool secure(pop3_client *p, const pop3_client_options *o)
{
    str text;
    if (p->c->is_tls || p->c->is_inside || !o->tls)
        return p->c->is_tls || p->c->is_inside || !o->tls_required ||
               trouble(p, S("the password is not sent without TLS"));
    if (!ask(p, S("STLS"), S("STLS"), &text))
        return !o->tls_required;
    conn_deadline(p->c, POP3_ANSWER_NS);
    if (conn_tls_connect(p->c, o->tls, o->tls_host))
        return true;
    return trouble(p, str_format(&p->msg, "TLS: " STR_FMT, STR_ARG(conn_tls_reason(p->c, &p->msg))));
}

static bool clean(str s) { return str_find(s, '\r') < 0 && str_find(s, '\n') < 0 && str_find(s, 0) < 0; }

static bool log_in(pop3_client *p, const pop3_client_options *o)
{
    str text;
    if (!clean(o->user) || !clean(o->password))
        return trouble(p, S("a name or password with line ends in it"));
    str command = str_format(&p->msg, "USER " STR_FMT, STR_ARG(o->user));
    if (!ask(p, command, command, &text))
        return false;
    return ask(p, str_format(&p->msg, "PASS " STR_FMT, STR_ARG(o->password)), S("PASS ..."), &text);
}

pop3_client *pop3_client_start(conn *c, pop3_client_options options, arena *a, err *e, str *why)
{
    str text;
    pop3_client *p = memory_zeroed(1, sizeof *p);
    p->c = c;
    p->msg = arena_make(POP3_CLIENT_MEMORY);
    p->trouble_memory = arena_make(POP3_CLIENT_MEMORY);
    if (hear(p, &text) && secure(p, &options) && log_in(p, &options))
        return *e = E_OK, *why = (str){0}, p;
    *e = c->error;
    *why = str_copy(a, p->trouble);
    pop3_client_drop(p);
    return NULL;
}

// ---- with a maildrop -------------------------------------------------------------------------------------------

// Lines up to the lone dot. False: the conversation broke or `out` is full (then the rest is read all the same).
static bool multi_line(pop3_client *p, buf *out)
{
    dot_reader d = {.size_bytes_max = out->max};
    dot_verdict v = DOT_MORE;
    conn_rate_min(p->c, 1000, minutes(1));
    conn_deadline(p->c, minutes(60));
    while (v == DOT_MORE) {
        str some = conn_some(p->c), left = some;
        if (some.len == 0)
            return trouble(p, str_z(err_text(p->c->error)));
        v = dot_read(&d, &left, out);
        conn_used(p->c, (size_t)(some.len - left.len));
    }
    conn_rate_min(p->c, 0, 0);
    if (v != DOT_DONE)
        return trouble(p, S("the server sent lines that do not end with CR LF"));
    return !d.too_large || trouble(p, S("the answer is too large"));
}

static bool list_read(pop3_client *p, str lines, arena *a, pop3_listed **out, int *count)
{
    int n = 0, room = 0;
    for (ptrdiff_t i = 0; i < lines.len && room <= POP3_LIST_MAX; i++)
        room += lines.at[i] == '\n';
    *out = arena_array(a, pop3_listed, room + 1);
    while (lines.len && *out && n < room) {
        str line = str_chomp(str_cut(&lines, '\n'));
        uint64_t number, size;
        if (!str_to_u64(str_word(&line), &number) || !str_to_u64(str_word(&line), &size) || number > UINT32_MAX ||
            size > INT64_MAX)
            return trouble(p, S("the server's list makes no sense"));
        (*out)[n++] = (pop3_listed){.number = (uint32_t)number, .size_bytes = (int64_t)size};
    }
    *count = n;
    return *out || trouble(p, S("the list is too long"));
}

static void uids_read(str lines, arena *a, pop3_listed *list, int count)
{
    for (int i = 0; lines.len && i < count;) {     // both lists are in the order of the numbers
        str line = str_chomp(str_cut(&lines, '\n'));
        uint64_t number;
        if (!str_to_u64(str_word(&line), &number))
            return;
        while (i < count && list[i].number < number)
            i++;
        if (i < count && list[i].number == number)
            list[i++].uid = str_copy(a, str_word(&line));
    }
}

bool pop3_client_list(pop3_client *p, arena *a, pop3_listed **out, int *count)
{
    str text;
    buf lines = buf_make(64 * POP3_LIST_MAX);
    *count = 0;
    bool good = ask(p, S("LIST"), S("LIST"), &text) && multi_line(p, &lines) &&
        list_read(p, buf_str(&lines), a, out, count);
    buf_clear(&lines);
    if (good && ask(p, S("UIDL"), S("UIDL"), &text))          // optional (RFC 1939 7)
        good = multi_line(p, &lines);
    if (good)
        uids_read(buf_str(&lines), a, *out, *count);
    buf_free(&lines);
    return good;
}

bool pop3_client_retrieve(pop3_client *p, uint32_t number, int lines, buf *out)
{
    return ask_number(p, lines < 0 ? "RETR %u" : "TOP %u %d", number, lines) && multi_line(p, out);
}

bool pop3_client_delete(pop3_client *p, uint32_t number) { return ask_number(p, "DELE %u", number, 0); }

bool pop3_client_quit(pop3_client *p, str *why, arena *a)
{
    str text;
    bool good = ask(p, S("QUIT"), S("QUIT"), &text);
    *why = good ? (str){0} : str_copy(a, p->trouble);
    pop3_client_drop(p);
    return good;
}

void pop3_client_drop(pop3_client *p)
{
    arena_free(&p->msg);
    arena_free(&p->trouble_memory);
    memory_free(p);
}
