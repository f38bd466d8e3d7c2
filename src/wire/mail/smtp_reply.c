#include "wire/mail/smtp.h"

#include <string.h>

// ---- writing ----

static bool reply_text_put(buf *out, str line)
{
    bool fits = true;
    for (ptrdiff_t i = 0; i < line.len && fits; i++) {
        unsigned char c = line.at[i];
        fits = buf_put_byte(out, (c < 32 && c != '\t') || c == 127 ? '?' : c);
    }
    return fits;
}

bool smtp_reply_write(buf *out, int code, const char *enhanced, str text)
{
    bool more = true;
    while (more) {
        ptrdiff_t end = str_find(text, '\n');
        more = end >= 0;
        str line = str_first(more ? str_first(text, end) : text, SMTP_REPLY_LINE_MAX - 32);
        text = more ? str_from(text, end + 1) : (str){0};
        buf_format(out, "%d%c%s%s", code, more ? '-' : ' ', enhanced, enhanced[0] && line.len ? " " : "");
        reply_text_put(out, line);
        buf_put(out, S("\r\n"));
    }
    return !out->full;
}

// ---- reading ----

void smtp_reply_begin(smtp_reply *r)
{
    r->code = r->lines = 0;
    if (r->text.max == 0)
        r->text = buf_make(SMTP_REPLY_BYTES_MAX);
    buf_clear(&r->text);
}

void smtp_reply_free(smtp_reply *r) { buf_free(&r->text); }

smtp_reply_state smtp_reply_line(smtp_reply *r, str line)
{
    if (r->lines == 0)
        smtp_reply_begin(r);
    if (line.len < 3 || !is_digit(line.at[0]) || !is_digit(line.at[1]) || !is_digit(line.at[2]))
        return SMTP_REPLY_BAD;
    int code = (line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + (line.at[2] - '0');
    unsigned char mark = line.len > 3 ? line.at[3] : ' ';
    if (code < 200 || code > 599 || (mark != ' ' && mark != '-'))
        return SMTP_REPLY_BAD;
    if (r->lines && code != r->code)
        return SMTP_REPLY_BAD;                     // RFC 5321 4.2.1: the same code on every line
    r->code = code;
    if (r->lines++ && !buf_put_byte(&r->text, '\n'))
        return SMTP_REPLY_BAD;
    if (r->lines > SMTP_REPLY_LINES_MAX || !buf_put(&r->text, str_from(line, 4)))
        return SMTP_REPLY_BAD;
    return mark == '-' ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}

static ptrdiff_t digits_at(str s, ptrdiff_t at)
{
    ptrdiff_t n = 0;
    while (at + n < s.len && n < 4 && is_digit(s.at[at + n]))
        n++;
    return n;
}

str smtp_reply_enhanced(int code, str text)
{
    if (text.len < 5 || text.at[0] != '0' + code / 100 || text.at[1] != '.')
        return (str){0};
    ptrdiff_t subject = digits_at(text, 2), dot = 2 + subject;
    ptrdiff_t detail = dot < text.len && text.at[dot] == '.' ? digits_at(text, dot + 1) : 0;
    ptrdiff_t end = dot + 1 + detail;
    bool good = subject >= 1 && subject <= 3 && detail >= 1 && detail <= 3 &&
                (end == text.len || text.at[end] == ' ' || text.at[end] == '\n');
    return good ? str_first(text, end) : (str){0};
}

// ---- capabilities ----

static void auth_mechanisms_read(smtp_capabilities *c, str list)
{
    for (str word = str_word(&list); word.len; word = str_word(&list)) {
        c->auth_plain |= str_eq_nocase(word, S("PLAIN"));
        c->auth_login |= str_eq_nocase(word, S("LOGIN"));
    }
}

smtp_capabilities smtp_capabilities_read(str text)
{
    smtp_capabilities c = {0};
    str_cut(&text, '\n');                          // the greeting
    while (text.len) {
        str line = str_cut(&text, '\n');
        str word = str_word(&line);
        c.pipelining |= str_eq_nocase(word, S("PIPELINING"));
        c.eight_bit_mime |= str_eq_nocase(word, S("8BITMIME"));
        c.starttls |= str_eq_nocase(word, S("STARTTLS"));
        c.smtputf8 |= str_eq_nocase(word, S("SMTPUTF8"));
        c.dsn |= str_eq_nocase(word, S("DSN"));
        c.enhanced_status_codes |= str_eq_nocase(word, S("ENHANCEDSTATUSCODES"));
        c.chunking |= str_eq_nocase(word, S("CHUNKING"));
        c.delivery_id |= str_eq_nocase(word, S("XDELIVERYID"));
        c.mailbox |= str_eq_nocase(word, S("XMAILBOX"));
        c.trace |= str_eq_nocase(word, S("XTRACE"));
        if (str_eq_nocase(word, S("AUTH")))
            auth_mechanisms_read(&c, line);
        if (str_eq_nocase(word, S("SIZE"))) {
            c.size = true;
            if (!str_to_u64(str_trim(line), &c.size_bytes_max))
                c.size_bytes_max = 0;
        }
    }
    return c;
}

// ---- xtext ----

static int hex_value(unsigned char c)              // upper case only (RFC 3461 4)
{
    return is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool xtext_read(str s, arena *msg, str *out)
{
    unsigned char *text = arena_array(msg, unsigned char, s.len + 1);
    size_t n = 0;
    *out = (str){0};
    for (ptrdiff_t i = 0; i < s.len; i++) {
        int c = s.at[i];
        if (!text || c <= 32 || c >= 127 || c == '=')
            return false;
        if (c == '+') {
            int high = i + 2 < s.len ? hex_value(s.at[i + 1]) : -1, low = i + 2 < s.len ? hex_value(s.at[i + 2]) : -1;
            c = high < 0 || low < 0 ? 0 : high * 16 + low;
            if (c < 32 || c == 127)
                return false;
            i += 2;
        }
        text[n++] = (unsigned char)c;
    }
    *out = str_of(text, n);
    return text != NULL;
}

bool xtext_write(buf *out, str s)
{
    bool fits = true;
    for (ptrdiff_t i = 0; i < s.len && fits; i++) {
        unsigned char c = s.at[i];
        fits = c <= 32 || c >= 127 || c == '+' || c == '=' ? buf_format(out, "+%02X", c) : buf_put_byte(out, c);
    }
    return fits;
}
