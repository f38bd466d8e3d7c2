// Composing letters, and making them fit for a way of seven bits.
#include <string.h>

#include "base/base64.h"
#include "base/quoted_printable.h"
#include "base/utf8.h"
#include "wire/mail/mime.h"

// ---- how a text may go ----

typedef struct { ptrdiff_t high, longest_line; } text_look;

static text_look look_at(str text)
{
    text_look l = {0};
    ptrdiff_t start = 0;
    for (ptrdiff_t i = 0; i <= text.len; i++) {
        l.high += i < text.len && text.at[i] >= 128;
        if (i == text.len || text.at[i] == '\n') {
            if (i - start > l.longest_line)
                l.longest_line = i - start;
            start = i + 1;
        }
    }
    return l;
}

static mime_encoding text_encoding(str text, bool eight_bit)
{
    text_look l = look_at(text);
    if (l.longest_line <= MIME_LINE_MAX && (l.high == 0 || eight_bit))
        return l.high ? MIME_8BIT : MIME_7BIT;
    return l.high * 3 > text.len ? MIME_BASE64 : MIME_QUOTED_PRINTABLE;      // whichever is shorter
}

static const char *encoding_name(mime_encoding e)
{
    return e == MIME_BASE64 ? "base64" : e == MIME_QUOTED_PRINTABLE ? "quoted-printable" : e == MIME_8BIT ? "8bit" : "7bit";
}

// ---- pieces ----

static bool lines_put(buf *out, str text)          // every line ended by CR LF, strays too
{
    while (text.len && !out->full) {
        ptrdiff_t n = 0;
        while (n < text.len && text.at[n] != '\r' && text.at[n] != '\n')
            n++;
        buf_put(out, str_first(text, n));
        buf_put(out, S("\r\n"));
        bool pair = n + 1 < text.len && text.at[n] == '\r' && text.at[n + 1] == '\n';
        text = str_from(text, n + (pair ? 2 : 1));
    }
    return !out->full;
}

static bool base64_put(buf *out, str bytes)
{
    unsigned char *room = buf_room(out, base64_lines_size((size_t)bytes.len));
    if (!room)
        return false;
    buf_added(out, base64_encode_lines(room, bytes));
    return true;
}

static bool content_put(buf *out, str text, mime_encoding e)
{
    if (e == MIME_BASE64)
        return base64_put(out, text);
    if (e != MIME_QUOTED_PRINTABLE)
        return lines_put(out, text);
    bool fits = quoted_printable_put(out, text);
    return fits && (str_ends(text, S("\n")) || text.len == 0 || buf_put(out, S("\r\n")));
}

static bool text_part_put(buf *out, str text, bool eight_bit)
{
    mime_encoding e = text_encoding(text, eight_bit);
    bool ascii = look_at(text).high == 0;
    return header_put(out, S("Content-Type"),
                      ascii ? S("text/plain; charset=us-ascii") : S("text/plain; charset=utf-8")) &&
           header_put(out, S("Content-Transfer-Encoding"), str_z(encoding_name(e))) && buf_put(out, S("\r\n")) &&
           content_put(out, text, e);
}

// filename="photo.jpg", or filename*=utf-8''... (RFC 2231 4) when it is not plain ASCII.
static bool file_name_put(buf *out, str name)
{
    bool plain = true;
    for (ptrdiff_t i = 0; i < name.len; i++)
        plain &= name.at[i] >= 32 && name.at[i] < 127 && name.at[i] != '"' && name.at[i] != '\\';
    if (plain)
        return buf_format(out, "Content-Disposition: attachment;\r\n filename=\"" STR_FMT "\"\r\n",
                          STR_ARG(str_first(name, 255)));
    buf_put(out, S("Content-Disposition: attachment;\r\n filename*=utf-8''"));
    name = utf8_first(name, 255);
    for (ptrdiff_t i = 0; i < name.len; i++)
        if (is_alnum(name.at[i]) || name.at[i] == '.' || name.at[i] == '-' || name.at[i] == '_')
            buf_put_byte(out, name.at[i]);
        else
            buf_format(out, "%%%02X", name.at[i]);
    return buf_put(out, S("\r\n"));
}

static bool attachment_put(buf *out, const mime_attachment *a)
{
    return header_put(out, S("Content-Type"), a->type.len ? a->type : S("application/octet-stream")) &&
           header_put(out, S("Content-Transfer-Encoding"), S("base64")) && file_name_put(out, a->file_name) &&
           buf_put(out, S("\r\n")) && base64_put(out, a->bytes);
}

static bool addresses_put(buf *out, str name, const header_address *who, int count)
{
    return count == 0 || header_put_addresses(out, name, who, count);
}

static bool letter_header_put(buf *out, const mime_letter *l)
{
    return header_put_date(out, S("Date"), l->time_s, l->zone_minutes) &&
           addresses_put(out, S("From"), l->from, l->from_count) && addresses_put(out, S("To"), l->to, l->to_count) &&
           addresses_put(out, S("Cc"), l->cc, l->cc_count) && header_put_text(out, S("Subject"), l->subject) &&
           (l->message_id.len == 0 || header_put(out, S("Message-ID"), l->message_id)) &&
           header_put(out, S("MIME-Version"), S("1.0"));
}

enum { BOUNDARY_MAX = 40 };

// A boundary that no line of the text starts with; base64 never holds two hyphens.
static str boundary_make(char room[BOUNDARY_MAX], str text, uint64_t chance)
{
    static const char DIGITS[] = "0123456789abcdef";
    str boundary;
    do {
        size_t n = 0;
        for (const char *c = "naru=_"; *c; c++)    // "=_" cannot stand in quoted-printable either
            room[n++] = *c;
        for (int shift = 60; shift >= 0; shift -= 4)
            room[n++] = DIGITS[chance >> shift & 15];
        boundary = str_of(room, n);
        chance++;
    } while (str_find_str(text, boundary) >= 0);
    return boundary;
}

bool mime_compose(const mime_letter *l, buf *out)
{
    char room[BOUNDARY_MAX];
    if (!letter_header_put(out, l))
        return false;
    if (l->attachment_count == 0)
        return text_part_put(out, l->text, l->eight_bit);
    str boundary = boundary_make(room, l->text, l->chance);
    bool fits = buf_format(out, "Content-Type: multipart/mixed; boundary=\"" STR_FMT "\"\r\n\r\n--" STR_FMT "\r\n",
                           STR_ARG(boundary), STR_ARG(boundary)) &&
                text_part_put(out, l->text, l->eight_bit);
    for (int i = 0; i < l->attachment_count && fits; i++)
        fits = buf_format(out, "\r\n--" STR_FMT "\r\n", STR_ARG(boundary)) && attachment_put(out, &l->attachments[i]);
    return fits && buf_format(out, "\r\n--" STR_FMT "--\r\n", STR_ARG(boundary));
}

// ---- seven bits ----

bool mime_has_8bit(str message)
{
    ptrdiff_t i = 0;
    for (; i + 8 <= message.len; i += 8) {
        uint64_t word;
        memcpy(&word, message.at + i, 8);
        if (word & 0x8080808080808080u)
            return true;
    }
    for (; i < message.len; i++)
        if (message.at[i] >= 128)
            return true;
    return false;
}

static bool ascii_put(buf *out, str text)
{
    if (!mime_has_8bit(text))
        return buf_put(out, text);
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (!buf_put_byte(out, text.at[i] < 128 ? text.at[i] : '?'))
            return false;
    return true;
}

static bool field_copy(buf *out, str raw)
{
    return ascii_put(out, raw) && (str_ends(raw, S("\n")) || buf_put(out, S("\r\n")));
}

// All fields but the one that tells the encoding.
static bool header_copy(buf *out, const mime_part *p, mime_encoding e)
{
    bool fits = true, told = false;
    for (int i = 0; i < p->header.count && fits; i++) {
        bool tells = str_eq_nocase(p->header.fields[i].name, S("Content-Transfer-Encoding"));
        if (tells && told)
            continue;
        told |= tells;
        fits = tells ? header_put(out, S("Content-Transfer-Encoding"), str_z(encoding_name(e)))
                     : field_copy(out, p->header.fields[i].raw);
    }
    if (!told && e != MIME_7BIT)
        fits = fits && header_put(out, S("Content-Transfer-Encoding"), str_z(encoding_name(e)));
    return fits;
}

static bool leaf_put(buf *out, const mime_part *p, bool is_letter)
{
    bool coded = p->encoding == MIME_BASE64 || p->encoding == MIME_QUOTED_PRINTABLE;
    bool high = mime_has_8bit(p->content) && !coded;
    bool is_text = str_eq(p->type.type, S("text"));
    mime_encoding e = coded   ? p->encoding
                    : !high   ? MIME_7BIT
                    : is_text ? text_encoding(p->content, false)
                              : MIME_BASE64;
    bool fits = header_copy(out, p, e);
    if (is_letter && !header_find(&p->header, S("MIME-Version")))
        fits = fits && header_put(out, S("MIME-Version"), S("1.0"));
    if (high && is_text && !header_find(&p->header, S("Content-Type")))
        fits = fits && header_put(out, S("Content-Type"), utf8_valid(p->content) ? S("text/plain; charset=utf-8")
                                                                                 : S("text/plain; charset=unknown-8bit"));
    fits = fits && buf_put(out, S("\r\n"));
    return fits && (high ? content_put(out, p->content, e) : ascii_put(out, p->content));
}

static int first_child(const mime_tree *t, int parent)
{
    int next = parent + 1;
    return next < t->count && t->parts[next].parent == parent ? next : -1;
}

static int next_sibling(const mime_tree *t, int part)
{
    int i = part + 1;
    while (i < t->count && t->parts[i].depth > t->parts[part].depth)
        i++;
    return i < t->count && t->parts[i].parent == t->parts[part].parent ? i : -1;
}

static str boundary_of(const mime_part *p)
{
    for (int i = 0; i < p->type.parameter_count; i++)
        if (str_eq(p->type.parameters[i].name, S("boundary")))
            return p->type.parameters[i].value;
    return (str){0};
}

static bool part_put(buf *out, const mime_tree *t, int at)       // as deep as the tree: MIME_DEPTH_MAX
{
    const mime_part *p = &t->parts[at];
    int child = first_child(t, at);
    if (child < 0)
        return leaf_put(out, p, at == 0);
    bool fits = header_copy(out, p, MIME_7BIT) && buf_put(out, S("\r\n"));
    if (str_eq(p->type.type, S("message")))
        return fits && part_put(out, t, child);
    str boundary = boundary_of(p);
    for (; child >= 0 && fits; child = next_sibling(t, child))
        fits = buf_put(out, S("--")) && ascii_put(out, boundary) && buf_put(out, S("\r\n")) &&
            part_put(out, t, child) &&
               buf_put(out, S("\r\n"));
    return fits && buf_put(out, S("--")) && ascii_put(out, boundary) && buf_put(out, S("--\r\n"));
}

bool mime_to_7bit(str message, arena *msg, buf *out)
{
    mime_tree tree = mime_read(message, msg);
    return !tree.cut && tree.count && part_put(out, &tree, 0);
}
