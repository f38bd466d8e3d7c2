#include "wire/mail/dot.h"

#include <string.h>

// ---- reading ----

static void keep(dot_reader *d, str text, buf *out)
{
    d->size_bytes += (uint64_t)text.len;
    if (d->size_bytes > d->size_bytes_max)
        d->too_large = true;
    if (!d->too_large && !buf_put(out, text))
        d->too_large = true;
}

static dot_verdict refuse(dot_reader *d, dot_verdict why) { return d->verdict = why; }

// Whole lines that start without a dot: the common case, copied in one piece. Stops where a line needs a closer look.
static ptrdiff_t whole_lines(str in)
{
    const unsigned char *at = in.at, *end = in.at + in.len;
    while (at < end && *at != '.') {
        const unsigned char *lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf || lf == at || memchr(at, '\r', (size_t)(lf - at)) != lf - 1)
            break;
        at = lf + 1;
    }
    return at - in.at;
}

// Text up to the next CR or LF.
static ptrdiff_t line_text(str in)
{
    ptrdiff_t lf = str_find(in, '\n');
    str before = lf < 0 ? in : str_first(in, lf);
    ptrdiff_t cr = str_find(before, '\r');
    return cr < 0 ? before.len : cr;
}

// One byte at a line's edge. A CR is held back until its LF has come, a dot until it is known not to be the end.
static dot_verdict edge(dot_reader *d, unsigned char c, buf *out)
{
    switch (d->state) {
    case DOT_LINE_START:
        if (c == '.')
            return d->state = DOT_DOT, DOT_MORE;
        __attribute__((fallthrough));
    case DOT_TEXT:
        if (c == '\n')
            return refuse(d, DOT_BARE_LF);
        if (c == '\r')
            return d->state = DOT_CR, DOT_MORE;
        keep(d, str_of(&c, 1), out);
        return d->state = DOT_TEXT, DOT_MORE;
    case DOT_CR:
        if (c != '\n')
            return refuse(d, DOT_BARE_CR);
        keep(d, S("\r\n"), out);
        return d->state = DOT_LINE_START, DOT_MORE;
    case DOT_DOT:                                  // the dot itself is dropped (RFC 5321 4.5.2)
        if (c == '\n')
            return refuse(d, DOT_BARE_LF);
        if (c == '\r')
            return d->state = DOT_DOT_CR, DOT_MORE;
        keep(d, str_of(&c, 1), out);
        return d->state = DOT_TEXT, DOT_MORE;
    case DOT_DOT_CR:
        if (c != '\n')
            return refuse(d, DOT_BARE_CR);
        d->state = DOT_ENDED;
        return d->verdict = DOT_DONE;
    case DOT_ENDED:
        break;
    }
    return d->verdict;
}

dot_verdict dot_read(dot_reader *d, str *in, buf *out)
{
    while (in->len && d->verdict == DOT_MORE) {
        ptrdiff_t n = d->state == DOT_LINE_START ? whole_lines(*in) : d->state == DOT_TEXT ? line_text(*in) : 0;
        if (n) {
            keep(d, str_first(*in, n), out);
        } else {
            n = 1;
            edge(d, in->at[0], out);
        }
        *in = str_from(*in, n);
    }
    return d->verdict;
}

// ---- writing ----

static void line_end(dot_writer *d, buf *out)
{
    buf_put(out, S("\r\n"));
    d->in_line = false;
}

bool dot_write(dot_writer *d, str chunk, buf *out)
{
    while (chunk.len) {
        unsigned char c = chunk.at[0];
        if (d->after_cr) {                         // the CR was written as a whole line end already
            d->after_cr = false;
            if (c == '\n') {
                chunk = str_from(chunk, 1);
                continue;
            }
        }
        if (!d->in_line) {                         // lines that may go as they are, in one piece
            ptrdiff_t whole = whole_lines(chunk);
            buf_put(out, str_first(chunk, whole));
            chunk = str_from(chunk, whole);
            if (chunk.len && chunk.at[0] == '.')
                buf_put_byte(out, '.');
            if (chunk.len == 0)
                break;
        }
        ptrdiff_t n = line_text(chunk);
        buf_put(out, str_first(chunk, n));
        d->in_line |= n > 0;
        chunk = str_from(chunk, n);
        if (chunk.len) {
            d->after_cr = chunk.at[0] == '\r';
            line_end(d, out);
            chunk = str_from(chunk, 1);
        }
    }
    return !out->full;
}

bool dot_finish(dot_writer *d, buf *out)
{
    if (d->in_line)
        line_end(d, out);
    *d = (dot_writer){0};
    return buf_put(out, S(".\r\n"));
}
