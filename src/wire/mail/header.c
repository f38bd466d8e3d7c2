#include "wire/mail/header.h"

#include <string.h>

#include "base/date.h"

// ---- reading ----

static bool is_name_byte(unsigned char c) { return c > 32 && c < 127 && c != ':'; }

// The length of the name when the line is a field, else 0. Blanks before the colon are obsolete, but people type them.
static ptrdiff_t field_name(str line)
{
    ptrdiff_t n = 0, colon;
    while (n < line.len && n <= HEADER_NAME_MAX && is_name_byte(line.at[n]))
        n++;
    for (colon = n; colon < line.len && (line.at[colon] == ' ' || line.at[colon] == '\t'); colon++)
        ;
    return n && n <= HEADER_NAME_MAX && colon < line.len && line.at[colon] == ':' ? n : 0;
}

static ptrdiff_t line_length(str s)                // with its line end
{
    ptrdiff_t lf = str_find(s, '\n');
    return lf < 0 ? s.len : lf + 1;
}

// The length of the field at the start of s with its continuation lines, or 0.
static ptrdiff_t field_length(str s)
{
    ptrdiff_t n = line_length(s);
    if (field_name(str_first(s, n)) == 0)
        return 0;
    while (n < s.len && (s.at[n] == ' ' || s.at[n] == '\t'))
        n += line_length(str_from(s, n));
    return n;
}

static header_field field_of(str raw)
{
    ptrdiff_t name = field_name(str_first(raw, line_length(raw)));
    str after = str_from(raw, name);
    return (header_field){str_first(raw, name), str_chomp(str_from(after, str_find(after, ':') + 1)), raw};
}

static int fields_count(str message, ptrdiff_t *length)
{
    int count = 0;
    *length = 0;
    for (ptrdiff_t n; count <= HEADER_FIELDS_MAX && *length <= HEADER_BYTES_MAX; count++) {
        str rest = str_from(message, *length);
        if (rest.len == 0 || (n = field_length(rest)) == 0)
            break;
        *length += n;
    }
    return count;
}

bool header_read(str message, arena *msg, header_block *out)
{
    ptrdiff_t length, at = 0;
    int count = fields_count(message, &length);
    bool fits = count <= HEADER_FIELDS_MAX && length <= HEADER_BYTES_MAX;
    if (count > HEADER_FIELDS_MAX)
        count = HEADER_FIELDS_MAX;
    *out = (header_block){.raw = str_first(message, length), .body = str_from(message, length)};
    out->fields = arena_array(msg, header_field, count + 1);
    for (int i = 0; i < count && out->fields; i++, out->count++) {
        str rest = str_from(message, at);
        out->fields[i] = field_of(str_first(rest, field_length(rest)));
        at += out->fields[i].raw.len;
    }
    ptrdiff_t blank = str_starts(out->body, S("\r\n")) ? 2 : str_starts(out->body, S("\n")) ? 1 : 0;
    out->has_blank = blank > 0;
    out->body = str_from(out->body, blank);
    return fits && out->fields;
}

const header_field *header_next(const header_block *h, const header_field *after, str name)
{
    for (int i = after ? (int)(after - h->fields) + 1 : 0; i < h->count; i++)
        if (str_eq_nocase(h->fields[i].name, name))
            return &h->fields[i];
    return NULL;
}

const header_field *header_find(const header_block *h, str name) { return header_next(h, NULL, name); }

int header_count(const header_block *h, str name)
{
    int count = 0;
    for (int i = 0; i < h->count; i++)
        count += str_eq_nocase(h->fields[i].name, name);
    return count;
}

str header_unfold(str value, arena *msg)
{
    unsigned char *text = arena_array(msg, unsigned char, value.len + 1);
    size_t n = 0;
    for (ptrdiff_t i = 0; text && i < value.len; i++) {
        unsigned char c = value.at[i];
        if (c == '\r' && i + 1 < value.len && value.at[i + 1] == '\n')
            continue;                              // the LF stands for both
        if (c == '\n' && i + 1 < value.len && (value.at[i + 1] == ' ' || value.at[i + 1] == '\t'))
            continue;                              // the blank behind it is the blank
        text[n++] = c == '\r' || c == '\n' || c == 0 ? ' ' : c;
    }
    return str_trim(str_of(text, n));
}

// ---- writing ----

static bool name_valid(str name)
{
    for (ptrdiff_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.at[i]))
            return false;
    return name.len > 0 && name.len <= HEADER_NAME_MAX;
}

// A line being written: knows its column, folds before a word that would cross HEADER_COLUMNS.
typedef struct {
    buf      *out;
    ptrdiff_t column;
} folder;

static bool fold_begin(folder *f, buf *out, str name)
{
    *f = (folder){out, name.len + 1};
    return name_valid(name) && buf_put(out, name) && buf_put_byte(out, ':');
}

// One word behind a blank. A word longer than a line may be is broken by force.
static bool fold_word(folder *f, str word)
{
    bool first = f->column > 0 && f->out->at[f->out->len - 1] == ':';
    if (!first && f->column + 1 + word.len > HEADER_COLUMNS) {
        buf_put(f->out, S("\r\n"));
        f->column = 0;
    }
    buf_put_byte(f->out, ' ');
    f->column++;
    while (f->column + word.len > HEADER_LINE_MAX) {
        str part = str_first(word, HEADER_LINE_MAX - f->column);
        buf_put(f->out, part);
        buf_put(f->out, S("\r\n "));
        word = str_from(word, part.len);
        f->column = 1;
    }
    f->column += word.len;
    return buf_put(f->out, word);
}

static bool fold_end(folder *f) { return buf_put(f->out, S("\r\n")); }

// The value's words; a run of blanks or control characters is one gap.
static bool fold_text(folder *f, str value)
{
    enum { PIECE = 512 };
    unsigned char word[PIECE];
    size_t n = 0;
    bool fits = true;
    for (ptrdiff_t i = 0; i <= value.len && fits; i++) {
        unsigned char c = i < value.len ? value.at[i] : ' ';
        bool gap = c <= 32 || c == 127;
        if (!gap)
            word[n++] = c < 128 ? c : '?';
        if (n && (gap || n == PIECE)) {
            fits = fold_word(f, str_of(word, n));
            n = 0;
        }
    }
    return fits;
}

bool header_put(buf *out, str name, str value)
{
    folder f;
    return fold_begin(&f, out, name) && fold_text(&f, value) && fold_end(&f);
}

static bool text_needs_encoding(str text)
{
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (text.at[i] >= 128 || (text.at[i] == '=' && i + 1 < text.len && text.at[i + 1] == '?'))
            return true;
    return false;
}

bool encoded_words_fold(buf *out, ptrdiff_t *column, str text);      // encoded_word.c

static bool fold_any(folder *f, str text)
{
    return text_needs_encoding(text) ? encoded_words_fold(f->out, &f->column, text) : fold_text(f, text);
}

bool header_put_text(buf *out, str name, str text)
{
    folder f;
    return fold_begin(&f, out, name) && fold_any(&f, text) && fold_end(&f);
}

// A display name: as atoms where it can be, quoted where it must, encoded where it is not ASCII.
static bool fold_name(folder *f, str name)
{
    if (text_needs_encoding(name))
        return encoded_words_fold(f->out, &f->column, name);
    unsigned char quoted[2 * 256 + 2];
    size_t n = 0;
    bool plain = true;
    quoted[n++] = '"';
    name = str_first(name, 256);
    for (ptrdiff_t i = 0; i < name.len; i++) {
        unsigned char c = name.at[i];
        plain &= is_alnum(c) || c == ' ' || c == '-' || c == '_';
        if (c == '"' || c == '\\')
            quoted[n++] = '\\';
        quoted[n++] = c < 32 || c == 127 ? ' ' : c;
    }
    quoted[n++] = '"';
    return plain ? fold_text(f, name) : fold_word(f, str_of(quoted, n));
}

static bool fold_address(folder *f, const header_address *who, bool last)
{
    unsigned char room[4 * ADDRESS_PATH_MAX];
    buf text = {.at = room, .cap = sizeof room, .max = sizeof room};      // never grows: it has its ceiling already
    if (who->name.len)
        fold_name(f, who->name);
    bool fits = (!who->name.len || buf_put_byte(&text, '<')) && address_write(&text, who->address) &&
                (!who->name.len || buf_put_byte(&text, '>')) && (last || buf_put_byte(&text, ','));
    return fits && fold_word(f, buf_str(&text));
}

bool header_put_addresses(buf *out, str name, const header_address *who, int count)
{
    folder f;
    bool fits = fold_begin(&f, out, name);
    for (int i = 0; i < count && fits; i++)
        fits = fold_address(&f, &who[i], i + 1 == count);
    return fits && fold_end(&f);
}

bool header_put_date(buf *out, str name, int64_t time_s, int zone_minutes)
{
    char text[DATE_TEXT_MAX];
    date_print_mail(text, time_s, zone_minutes);
    return header_put(out, name, str_z(text));
}

// ---- trace and identity ----

// Puts a peer's word into a Received line: nothing that could end a comment or a line.
static bool tame_put(buf *out, str word)
{
    bool fits = true;
    for (ptrdiff_t i = 0; i < word.len && i < ADDRESS_DOMAIN_MAX && fits; i++) {
        unsigned char c = word.at[i];
        fits = buf_put_byte(out, c <= 32 || c >= 127 || c == '(' || c == ')' || c == ';' || c == '\\' ? '?' : c);
    }
    return fits;
}

bool received_put(buf *out, const received_line *r, arena *msg)
{
    char when[DATE_TEXT_MAX];
    date_print_mail(when, r->time_s, r->zone_minutes);
    buf_put(out, S("Received: from "));
    tame_put(out, r->helo);
    if (r->peer.family)
        buf_format(out, " ([%s" STR_FMT "])", r->peer.family == 6 ? "IPv6:" : "", STR_ARG(addr_ip_text(msg, r->peer)));
    buf_format(out, "\r\n\tby " STR_FMT " with " STR_FMT " id " STR_FMT, STR_ARG(r->by), STR_ARG(r->with),
               STR_ARG(r->id));
    if (r->tls.len) {
        buf_put(out, S("\r\n\t("));
        tame_put(out, r->tls);
        buf_put(out, S(")"));
    }
    if (r->recipient.local.len) {
        buf_put(out, S("\r\n\tfor <"));
        address_write(out, r->recipient);
        buf_put(out, S(">"));
    }
    buf_format(out, ";\r\n\t%s\r\n", when);
    return !out->full;
}

str message_id_make(arena *a, int64_t time_s, uint64_t chance, str host)
{
    date d = date_of(time_s);
    return str_format(a, "<%04d%02d%02d%02d%02d%02d.%016llx@" STR_FMT ">", d.year, d.month, d.day, d.hour, d.minute,
                      d.second,
                      (unsigned long long)chance, STR_ARG(host));
}
