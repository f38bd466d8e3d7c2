// Content-Type and its parameters (RFC 2045 5.1, RFC 2231).
#include "base/bytes.h"
#include "base/hex.h"
#include "wire/mail/mime.h"

typedef struct {
    str    left;
    arena *msg;
} type_reader;

static void blanks_skip(type_reader *r)
{
    while (r->left.len) {
        unsigned char c = r->left.at[0];
        if (c == '(') {                            // a comment: to its closing bracket, not nested in practice
            ptrdiff_t end = str_find(r->left, ')');
            r->left = str_from(r->left, end < 0 ? r->left.len : end + 1);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            r->left = str_from(r->left, 1);
        } else {
            return;
        }
    }
}

static bool is_token_byte(unsigned char c)
{
    return c > 32 && c < 127 && str_find(S("()<>@,;:\\\"/[]?="), c) < 0;
}

static str token(type_reader *r)
{
    ptrdiff_t n = 0;
    blanks_skip(r);
    while (n < r->left.len && is_token_byte(r->left.at[n]))
        n++;
    str t = str_first(r->left, n);
    r->left = str_from(r->left, n);
    return t;
}

static bool take(type_reader *r, unsigned char c)
{
    blanks_skip(r);
    if (r->left.len == 0 || r->left.at[0] != c)
        return false;
    r->left = str_from(r->left, 1);
    return true;
}

static str quoted_value(type_reader *r)            // its opening quote is taken
{
    ptrdiff_t end = 0, n = 0;
    while (end < r->left.len && r->left.at[end] != '"')
        end += r->left.at[end] == '\\' ? 2 : 1;
    str raw = str_first(r->left, end);
    unsigned char *text = arena_array(r->msg, unsigned char, raw.len + 1);
    for (ptrdiff_t i = 0; text && i < raw.len; i++) {
        if (raw.at[i] == '\\' && i + 1 < raw.len)
            i++;
        text[n++] = raw.at[i];
    }
    r->left = str_from(r->left, end + 1);
    return text ? str_of(text, (size_t)n) : (str){0};
}

// Unquoted values of real mail hold bytes that no token may hold; they end at ';' or a blank.
static str loose_value(type_reader *r)
{
    ptrdiff_t n = 0;
    blanks_skip(r);
    while (n < r->left.len && r->left.at[n] > 32 && r->left.at[n] != ';')
        n++;
    str v = str_first(r->left, n);
    r->left = str_from(r->left, n);
    return v;
}

static void parameters_read(type_reader *r, mime_type *out)
{
    while (r->left.len && out->parameter_count < MIME_PARAMETERS_MAX) {
        if (!take(r, ';')) {
            r->left = str_from(r->left, 1);        // nonsense between parameters
            continue;
        }
        str name = token(r);
        if (name.len == 0 || !take(r, '='))
            continue;
        str value = take(r, '"') ? quoted_value(r) : loose_value(r);
        if (!out->parameters && !(out->parameters = arena_array(r->msg, mime_named, MIME_PARAMETERS_MAX)))
            return;
        out->parameters[out->parameter_count++] = (mime_named){str_lower(r->msg, name), value};
    }
}

bool mime_type_read(str value, arena *msg, mime_type *out)
{
    type_reader r = {value, msg};
    *out = (mime_type){.type = str_lower(msg, token(&r))};
    bool has_subtype = take(&r, '/');
    if (has_subtype)
        out->subtype = str_lower(msg, token(&r));
    if (out->type.len == 0 || (has_subtype && out->subtype.len == 0)) {
        *out = (mime_type){.type = S("text"), .subtype = S("plain")};
        return false;
    }
    parameters_read(&r, out);
    return true;
}

static const str *value_of(const mime_type *t, str name)
{
    for (int i = 0; i < t->parameter_count; i++)
        if (str_eq(t->parameters[i].name, name))
            return &t->parameters[i].value;
    return NULL;
}

static void percent_bytes(writer *w, str text)
{
    for (ptrdiff_t i = 0; i < text.len; i++) {
        int high = text.at[i] == '%' && i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
        wr_u8(w, low >= 0 ? (unsigned)(high * 16 + low) : text.at[i]);
        i += low >= 0 ? 2 : 0;
    }
}

// One line of clean text, in UTF-8.
static str parameter_clean(str text, str charset, arena *msg, charset_convert *convert, void *arg)
{
    bool known = charset.len == 0 || str_eq_nocase(charset, S("utf-8")) || str_eq_nocase(charset, S("us-ascii"));
    if (!known && convert)
        text = convert(arg, charset, text, msg);
    return header_text(text, msg, convert, arg);   // senders put encoded words here too
}

str mime_parameter(const mime_type *t, str name, arena *msg, charset_convert *convert, void *arg)
{
    ptrdiff_t room = 0;
    const str *whole = value_of(t, name);
    if (whole)
        return parameter_clean(*whole, (str){0}, msg, convert, arg);
    for (int i = 0; i < t->parameter_count; i++)
        room += t->parameters[i].value.len;
    unsigned char *text = arena_array(msg, unsigned char, room + 1);
    writer w = wr_into(text, text ? (size_t)room : 0);
    str charset = {0};
    const str *single = value_of(t, str_format(msg, STR_FMT "*", STR_ARG(name)));
    for (int i = 0; i < (single ? 1 : MIME_SECTIONS_MAX); i++) {
        const str *plain = single ? NULL : value_of(t, str_format(msg, STR_FMT "*%d", STR_ARG(name), i));
        const str *coded = single ? single : value_of(t, str_format(msg, STR_FMT "*%d*", STR_ARG(name), i));
        if (!plain && !coded)
            break;
        str piece = coded ? *coded : *plain;
        if (coded && i == 0 && str_find(piece, '\'') >= 0) {        // charset'language'text
            charset = str_cut(&piece, '\'');
            str_cut(&piece, '\'');
        }
        if (coded)
            percent_bytes(&w, piece);
        else
            wr_bytes(&w, piece);
    }
    return parameter_clean(wr_str(&w), charset, msg, convert, arg);
}

str mime_type_of_file(str file_name)
{
    static const struct { str ending, type; } KNOWN[] = {
        {S(".jpg"), S("image/jpeg")},  {S(".jpeg"), S("image/jpeg")}, {S(".png"), S("image/png")},
        {S(".gif"), S("image/gif")},   {S(".webp"), S("image/webp")}, {S(".svg"), S("image/svg+xml")},
        {S(".pdf"), S("application/pdf")}, {S(".txt"), S("text/plain")}, {S(".html"), S("text/html")},
        {S(".csv"), S("text/csv")},    {S(".zip"), S("application/zip")}, {S(".mp4"), S("video/mp4")},
        {S(".mp3"), S("audio/mpeg")},  {S(".json"), S("application/json")},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (str_ends_nocase(file_name, KNOWN[i].ending))
            return KNOWN[i].type;
    return S("application/octet-stream");
}
