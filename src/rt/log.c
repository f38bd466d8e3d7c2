#include "rt/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/date.h"
#include "base/must.h"
#include "base/utf8.h"
#include "rt/story.h"

// Where lines go. The level is read without the lock: a line too many while log_setup runs does no harm.
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink       *sink;
static void           *sink_arg;
static _Atomic int     form_now = LOG_LOGFMT, least_now = LOG_INFO;

enum {
    ESCAPE_BYTES_MAX = 12,          // one character of a stranger, escaped: "\ud83d\ude00" would be the longest
    CLOSE_BYTES = 24,               // kept free for what ends a cut line: a quote and the mark
};

typedef struct {
    writer   w;
    log_form form;
    bool     cut;                   // something did not fit: nothing more is written but the end
    char     storage[LOG_LINE_BYTES_MAX];
} line;

void log_setup(log_form form, log_level least, log_sink *to, void *arg)
{
    pthread_mutex_lock(&sink_lock);
    sink = to;
    sink_arg = arg;
    form_now = form;
    least_now = least;
    pthread_mutex_unlock(&sink_lock);
}

// ---- text from strangers ----

// One character as it may stand in a line; returns how many bytes of `s` it took.
static int escape(log_form form, str s, char out[ESCAPE_BYTES_MAX + 1], int *out_len)
{
    static const char hex[] = "0123456789abcdef";
    uint32_t code = 0;
    int taken = utf8_decode(s, &code), n = 0;
    bool broken = taken == 0;
    if (broken)
        taken = 1, code = s.at[0];
    if (!broken && code != '"' && code != '\\' && !utf8_is_control(code)) {
        memcpy(out, s.at, (size_t)taken);
        return *out_len = taken, taken;
    }
    out[n++] = '\\';
    if (code == '"' || code == '\\') {
        out[n++] = (char)code;
    } else if (code == '\n' || code == '\r' || code == '\t') {
        out[n++] = code == '\n' ? 'n' : code == '\r' ? 'r' : 't';
    } else if (form == LOG_LOGFMT && code < 0x100) {           // a byte that is no character, or a control
        out[n++] = 'x', out[n++] = hex[code >> 4], out[n++] = hex[code & 15];
    } else {
        if (broken || code > 0xffff) // JSON has no bytes; invisible tags are not worth a pair
            code = 0xfffd;
        out[n++] = 'u';
        for (int shift = 12; shift >= 0; shift -= 4)
            out[n++] = hex[code >> shift & 15];
    }
    *out_len = n;
    return taken;
}

static void put_raw(line *l, str s)
{
    if (l->cut || wr_left(&l->w) < s.len + CLOSE_BYTES)
        l->cut = true;
    else
        wr_bytes(&l->w, s);
}

static void put_quoted(line *l, str s)
{
    put_raw(l, S("\""));
    bool opened = !l->cut;
    while (s.len && !l->cut) {
        char piece[ESCAPE_BYTES_MAX + 1];
        int n;
        int taken = escape(l->form, s, piece, &n);
        put_raw(l, str_of(piece, (size_t)n));
        s = str_from(s, taken);
    }
    if (opened)
        wr_u8(&l->w, '"');                                     // there is always room for it: CLOSE_BYTES
}

// logfmt needs quotes only where a reader could not tell the end of the value or what it is.
static bool plain_in_logfmt(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] == '"' || s.at[i] == '=' || s.at[i] == '\\' || s.at[i] >= 0x7f)
            return false;
    return s.len > 0;
}

// ---- fields ----

static void put_name(line *l, str name)
{
    if (l->form == LOG_LOGFMT) {
        put_raw(l, wr_len(&l->w) ? S(" ") : S(""));
        put_raw(l, name);
        put_raw(l, S("="));
    } else {
        put_raw(l, wr_len(&l->w) ? S(",") : S("{"));
        put_quoted(l, name);
        put_raw(l, S(":"));
    }
}

// A name without room for its value would leave a line that cannot be read: begin only what can be finished.
static bool field_fits(line *l, str name)
{
    enum { LEAST_VALUE = 48 };      // any number, or the first letters of a text
    if (wr_left(&l->w) < name.len * ESCAPE_BYTES_MAX + LEAST_VALUE + CLOSE_BYTES)
        l->cut = true;
    return !l->cut;
}

static void put_text(line *l, const char *name, str value)
{
    if (!field_fits(l, str_z(name)))
        return;
    put_name(l, str_z(name));
    if (l->form == LOG_LOGFMT && plain_in_logfmt(value) && wr_left(&l->w) >= value.len + CLOSE_BYTES)
        put_raw(l, value);
    else
        put_quoted(l, value);
}

static void put_number(line *l, const char *name, int64_t whole, int thousandths)
{
    char digits[32];
    int n = 0;
    uint64_t u = whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole;
    if (thousandths >= 0) {
        for (int i = 0; i < 3; i++, thousandths /= 10)
            digits[sizeof digits - ++n] = (char)('0' + thousandths % 10);
        digits[sizeof digits - ++n] = '.';
    }
    do
        digits[sizeof digits - ++n] = (char)('0' + u % 10);
    while (u /= 10);
    if (whole < 0)
        digits[sizeof digits - ++n] = '-';
    if (!field_fits(l, str_z(name)))
        return;
    put_name(l, str_z(name));
    put_raw(l, str_of(digits + sizeof digits - n, (size_t)n));
}

static void put_ns(line *l, const char *name, int64_t ns)
{
    if (ns < 0)
        ns = 0;                     // a duration; a clock that stepped back shows as none
    put_number(l, name, ns / NS_PER_MS, (int)(ns % NS_PER_MS / 1000));
}

static void put_field(line *l, const log_field *f)
{
    char text[ADDR_TEXT_MAX];
    switch (f->type) {
    case FIELD_STR:
        put_text(l, f->name, f->value.s);
        break;
    case FIELD_INT:
        put_number(l, f->name, f->value.n, -1);
        break;
    case FIELD_NS:
        put_ns(l, f->name, f->value.n);
        break;
    case FIELD_ADDR:
        if (f->value.a && f->value.a->family) {
            addr_print(text, *f->value.a);
            put_text(l, f->name, str_z(text));
        } else {
            put_text(l, f->name, S("inside"));
        }
        break;
    }
}

// ---- the line ----

static void put_head(line *l, const char *service, log_level level, const char *event)
{
    static const char *const levels[] = {"debug", "info", "notice", "warning", "error"};
    world *w = world_here();                                   // also on a worker; NULL outside loops
    str host = w ? world_name(w) : (str){0};
    uint64_t trace = fiber_trace();
    struct timespec t = {0};
    if (!w)
        clock_gettime(CLOCK_REALTIME, &t);
    int64_t now = w ? world_wall_ns(w) : t.tv_sec * NS_PER_S + t.tv_nsec;
    char time[DATE_TEXT_MAX];
    date_print_rfc3339_ms(time, now);
    put_text(l, "time", str_z(time));
    put_text(l, "level", str_z(levels[level]));
    if (host.len)
        put_text(l, "host", host);
    put_text(l, "service", str_z(service));
    put_text(l, "event", str_z(event));
    if (trace) {
        char hex[17];
        story_trace_text(hex, trace);
        put_text(l, "trace", str_z(hex));
    }
}

static str put_end(line *l)
{
    if (l->form == LOG_LOGFMT)
        wr_bytes(&l->w, l->cut ? S(" cut=true") : S(""));
    else
        wr_bytes(&l->w, l->cut ? S(",\"cut\":true}") : S("}"));
    must(!l->w.bad);
    return wr_str(&l->w);
}

static void to_standard_error(str s)
{
    while (s.len) {
        ssize_t n = write(STDERR_FILENO, s.at, (size_t)s.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;                 // nobody can be told that telling failed
        s = str_from(s, n);
    }
}

void log_write(const char *service, log_level level, const char *event, const log_field *fields, int count)
{
    must(level >= LOG_DEBUG && level <= LOG_ERROR);
    if ((int)level < least_now)
        return;
    line l;
    l.w = wr_into(l.storage, sizeof l.storage - 1);            // the last byte is for LF
    l.form = (log_form)form_now;
    l.cut = false;
    put_head(&l, service, level, event);
    for (int i = 0; i < count && !l.cut; i++)
        put_field(&l, &fields[i]);
    str whole = put_end(&l);
    pthread_mutex_lock(&sink_lock);
    if (sink) {
        sink(sink_arg, whole);
    } else {
        l.storage[whole.len] = '\n';
        to_standard_error(str_of(l.storage, (size_t)whole.len + 1));
    }
    pthread_mutex_unlock(&sink_lock);
}
