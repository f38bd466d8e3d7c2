#include "player.h"

#include <string.h>

#include "base/base64.h"

enum { PATIENCE_S = 90, LETTER_PATIENCE_S = 90, DATAGRAM_TRIES = 20, HEARD_BYTES_MAX = 1 << 16 };

typedef struct {
    const talk_script *script;
    const talk_stage  *stage;
    bool   by_bytes;
    arena *a;
    str   *why;
    conn  *c;
    sock  *packets;                  // instead of c
    str    last_packet;              // sent; sent again when no answer comes
    str    host;
} player;

static bool complain(player *p, const talk_step *step, const char *what, str detail)
{
    *p->why =
        str_format(p->a, STR_FMT ":%d: %s" STR_FMT, STR_ARG(p->script->file), step->line, what, STR_ARG(detail));
    return false;
}

static bool complain_conn(player *p, const talk_step *step, const char *what)
{
    return complain(p, step, what, str_z(err_text(p->c->error)));
}

static void leave(player *p)
{
    conn_close(p->c);
    if (p->packets)
        sock_close(p->packets);
    p->c = NULL;
    p->packets = NULL;
}

// ---- opening -----------------------------------------------------------------------------------------------

static bool open_stream(player *p, const talk_step *step)
{
    addr at;
    leave(p);
    if (!p->stage->where(p->stage->arg, step->text, step->service, &at))
        return complain(p, step, "no such place: ",
                        str_format(p->a, STR_FMT " " STR_FMT, STR_ARG(step->text), STR_ARG(step->service)));
    p->c = conn_open(p->stage->world, at, seconds(PATIENCE_S));
    p->host = step->text;
    return !p->c->error || complain_conn(p, step, "no connection: ");
}

static bool open_datagram(player *p, const talk_step *step)
{
    addr at;
    leave(p);
    if (!p->stage->where(p->stage->arg, step->text, step->service, &at))
        return complain(p, step, "no such place: ", step->text);
    err e = sock_datagram(p->stage->world, at.family == 4 ? addr_v4(0, 0) : (addr){.family = 6}, false, &p->packets);
    if (!e)
        e = sock_datagram_connect(p->packets, at);
    return !e || complain(p, step, "no socket: ", str_z(err_text(e)));
}

// ---- saying ------------------------------------------------------------------------------------------------

static str secret_text(player *p, str word, str who)
{
    str password = {0};
    if (!p->stage->password(p->stage->arg, who, p->a, &password))
        return S("no such account");
    if (str_eq(word, S("password")))
        return password;
    unsigned char joined[512];
    size_t n = 0;
    str parts[4] = {str_of("", 1), who, str_of("", 1), password};       // NUL name NUL password (RFC 4616)
    for (int i = 0; i < 4; i++) {
        if (n + (size_t)parts[i].len > sizeof joined)
            return S("too long");
        memcpy(joined + n, parts[i].at, (size_t)parts[i].len);
        n += (size_t)parts[i].len;
    }
    return base64_text(p->a, str_of(joined, n));
}

// Puts passwords where {password WHO} and {plain WHO} stand.
static str filled_in(player *p, str text)
{
    str out = {0};
    while (text.len) {
        ptrdiff_t brace = str_find(text, '{'), end = str_find(text, '}');
        str inside = brace >= 0 && end > brace ? str_sub(text, brace + 1, end - brace - 1) : (str){0};
        str word = str_word(&inside);
        if (!str_eq(word, S("password")) && !str_eq(word, S("plain")))
            return str_join(p->a, out, text);
        out = str_join(p->a, out, str_first(text, brace));
        out = str_join(p->a, out, secret_text(p, word, str_trim(inside)));
        text = str_from(text, end + 1);
    }
    return out;
}

static bool send_bytes(player *p, const talk_step *step, str bytes)
{
    if (p->packets) {
        int sent;
        datagram d = {.at = (unsigned char *)(uintptr_t)bytes.at, .len = (size_t)bytes.len};
        p->last_packet = bytes;
        err e = sock_send(p->packets, &d, 1, &sent);
        return !e || complain(p, step, "not sent: ", str_z(err_text(e)));
    }
    if (!p->c)
        return complain(p, step, "there is no connection", S(""));
    conn_deadline(p->c, seconds(PATIENCE_S));
    for (ptrdiff_t i = 0; p->by_bytes && i < bytes.len; i++) {
        conn_put(p->c, str_sub(bytes, i, 1));
        conn_flush(p->c);
    }
    if (!p->by_bytes) {
        conn_put(p->c, bytes);
        conn_flush(p->c);
    }
    return !p->c->error || complain_conn(p, step, "not sent: ");
}

// ---- hearing -----------------------------------------------------------------------------------------------

static bool hear_line(player *p, const talk_step *step, str *line)
{
    if (!p->c)
        return complain(p, step, "there is no connection", S(""));
    conn_deadline(p->c, seconds(PATIENCE_S));
    *line = conn_line(p->c, p->a, TALK_LINE_BYTES_MAX);
    if (!line->len)
        return complain(p, step, "nothing came: ", str_z(err_text(p->c->error)));
    if (!str_ends(*line, S("\r\n")))
        return complain(p, step, "this line does not end with CR LF: ", *line);
    *line = str_chomp(*line);
    return true;
}

static bool hear(player *p, const talk_step *step)
{
    str line;
    do {
        if (!hear_line(p, step, &line))
            return false;
        if (talk_matches(step->text, line))
            return true;
    } while (step->act == TALK_HEAR_LAST);
    return complain(p, step, "wanted ",
                    str_format(p->a, "'" STR_FMT "', got '" STR_FMT "'", STR_ARG(step->text), STR_ARG(line)));
}

static bool hear_exactly(player *p, const talk_step *step)
{
    unsigned char *got = arena_array(p->a, unsigned char, step->text.len + 1);
    if (!p->c || !got)
        return complain(p, step, "there is no connection", S(""));
    conn_deadline(p->c, seconds(PATIENCE_S));
    if (!conn_read(p->c, got, (size_t)step->text.len))
        return complain_conn(p, step, "the bytes did not come: ");
    str heard = str_of(got, (size_t)step->text.len);
    return str_eq(heard, step->text) || complain(p, step, "got ", heard);
}

// A datagram may be lost on either way: it is sent again.
static bool hear_datagram(player *p, const talk_step *step)
{
    static unsigned char heard[HEARD_BYTES_MAX];
    for (int i = 0; i < DATAGRAM_TRIES; i++) {
        datagram in = {.at = heard, .size = sizeof heard};
        int got;
        if (!sock_wait(p->packets, WAIT_READ, world_now_ns(p->stage->world) + seconds(2)) &&
            !sock_receive(p->packets, &in, 1, &got))
            return str_eq(str_of(heard, in.len), step->text) ||
                   complain(p, step, "got ", str_copy(p->a, str_of(heard, in.len)));
        if (!send_bytes(p, step, p->last_packet))
            return false;
    }
    return complain(p, step, "no answer came", S(""));
}

static bool hear_end(player *p, const talk_step *step)
{
    if (!p->c)
        return complain(p, step, "there is no connection", S(""));
    conn_deadline(p->c, seconds(PATIENCE_S));
    str some = conn_some(p->c);
    if (some.len)
        return complain(p, step, "the server goes on: ", str_copy(p->a, some));
    return p->c->error == E_EOF || p->c->error == E_RESET || complain_conn(p, step, "the server does not end: ");
}

// ---- waiting for letters -----------------------------------------------------------------------------------

static bool pop3_ok(player *p, str command)
{
    conn_put(p->c, command);
    str line = conn_line(p->c, p->a, TALK_LINE_BYTES_MAX);
    return str_starts(line, S("+OK"));
}

// How many letters the mailbox holds; -1: nobody can say just now.
static int64_t letters_count(player *p, const talk_step *step)
{
    talk_step open = {.act = TALK_CONNECT, .line = step->line, .text = step->text, .service = S("pop3")};
    if (!open_stream(p, &open))
        return -1;
    conn_deadline(p->c, seconds(PATIENCE_S));
    bool in =
        pop3_ok(p, S("")) && pop3_ok(p, S("STLS\r\n")) && conn_tls_connect(p->c, p->stage->tls, p->host) &&
        pop3_ok(p, str_format(p->a, "USER " STR_FMT "\r\n", STR_ARG(step->service))) &&
        pop3_ok(p, str_format(p->a, "PASS " STR_FMT "\r\n", STR_ARG(secret_text(p, S("password"), step->service))));
    conn_put(p->c, S("STAT\r\n"));
    str line = in ? conn_line(p->c, p->a, TALK_LINE_BYTES_MAX) : S("");
    str_word(&line);
    uint64_t count;
    int64_t letters = str_to_u64(str_word(&line), &count) ? (int64_t)count : -1;
    conn_put(p->c, S("QUIT\r\n"));
    conn_line(p->c, p->a, TALK_LINE_BYTES_MAX);
    leave(p);
    return letters;
}

static bool letters_wait(player *p, const talk_step *step)
{
    int64_t until = world_now_ns(p->stage->world) + seconds(LETTER_PATIENCE_S), count;
    while ((count = letters_count(p, step)) != (int64_t)step->count)
        if (world_now_ns(p->stage->world) >= until || fiber_sleep(millis(100)))
            return complain(p, step, "letters in the mailbox: ", str_format(p->a, "%lld", (long long)count));
    return true;
}

// ---- the play ----------------------------------------------------------------------------------------------

static bool start_tls(player *p, const talk_step *step)
{
    if (!p->c || !p->stage->tls)
        return complain(p, step, "no TLS here", S(""));
    conn_deadline(p->c, seconds(PATIENCE_S));
    return conn_tls_connect(p->c, p->stage->tls, p->host) ||
           complain(p, step, "no TLS: ", conn_tls_reason(p->c, p->a));
}

static bool play_step(player *p, const talk_step *step)
{
    switch (step->act) {
    case TALK_CONNECT:      return open_stream(p, step);
    case TALK_DATAGRAM:     return open_datagram(p, step);
    case TALK_SAY:          return send_bytes(p, step, str_join(p->a, filled_in(p, step->text), S("\r\n")));
    case TALK_SEND:         return send_bytes(p, step, filled_in(p, step->text));
    case TALK_HEAR:
    case TALK_HEAR_LAST:    return hear(p, step);
    case TALK_HEAR_EXACTLY: return p->packets ? hear_datagram(p, step) : hear_exactly(p, step);
    case TALK_STARTTLS:     return start_tls(p, step);
    case TALK_WAIT:         return fiber_sleep(millis(step->wait_ms)) == E_OK;
    case TALK_LETTERS:      return letters_wait(p, step);
    case TALK_SHUT:
        if (p->c)
            conn_shutdown(p->c);
        return true;
    case TALK_CLOSED:       return hear_end(p, step);
    case TALK_CLOSE:
        leave(p);
        return true;
    }
    return false;
}

bool talk_play(const talk_script *script, const talk_stage *stage, bool by_bytes, arena *a, str *why)
{
    player p = {.script = script, .stage = stage, .by_bytes = by_bytes, .a = a, .why = why};
    bool ok = true;
    for (int i = 0; ok && i < script->count; i++)
        ok = play_step(&p, &script->steps[i]);
    leave(&p);
    return ok;
}
