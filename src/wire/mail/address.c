#include "wire/mail/address.h"

#include "base/bytes.h"

// ---- letters ----

static bool is_atext(unsigned char c)              // RFC 5322 3.2.3
{
    return is_alnum(c) || (c && str_find(S("!#$%&'*+-/=?^_`{|}~"), c) >= 0);
}

static bool is_plain(unsigned char c) { return c >= 32 && c < 127; }

static bool is_dot_string(str s)
{
    if (s.len == 0 || s.at[0] == '.' || s.at[s.len - 1] == '.')
        return false;
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] == '.' ? s.at[i - 1] == '.' : !is_atext(s.at[i]))
            return false;
    return true;
}

// ---- domains ----

static bool literal_valid(str d)
{
    str inside = str_sub(d, 1, d.len - 2);
    bool six = str_starts_nocase(inside, S("IPv6:"));
    if (six)
        inside = str_from(inside, 5);
    for (ptrdiff_t i = 0; i < inside.len; i++) {
        unsigned char c = inside.at[i];
        bool hex = is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':';
        if (c != '.' && !(six ? hex : is_digit(c)))
            return false;
    }
    return inside.len > 0 && inside.len <= 45;     // the longest IPv6 text
}

bool address_domain_valid(str d)
{
    if (d.len == 0 || d.len > ADDRESS_DOMAIN_MAX)
        return false;
    if (d.at[0] == '[')
        return d.len > 2 && d.at[d.len - 1] == ']' && literal_valid(d);
    ptrdiff_t label = 0;
    for (ptrdiff_t i = 0; i < d.len; i++) {
        unsigned char c = d.at[i];
        if (c == '.' ? label == 0 : !is_alnum(c) && c != '-' && c != '_')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return label > 0;
}

// ---- the envelope's path ----

typedef struct {
    str             left;
    arena          *msg;
    bool            angled, eight_bit;
    address_verdict wrong;                         // sticky; ADDRESS_OK while all is well
} path_reader;

static unsigned char peek(const path_reader *p) { return p->left.len ? p->left.at[0] : 0; }

static bool take(path_reader *p, unsigned char c)
{
    if (p->left.len == 0 || p->left.at[0] != c)
        return false;
    p->left = str_from(p->left, 1);
    return true;
}

static str fail(path_reader *p, address_verdict why)
{
    if (p->wrong == ADDRESS_OK)
        p->wrong = why;
    return (str){0};
}

// "Kim \"the\" Cat" -> Kim "the" Cat. The opening quote is already taken.
static str quoted_local(path_reader *p)
{
    unsigned char *text = arena_array(p->msg, unsigned char, ADDRESS_LOCAL_MAX);
    ptrdiff_t n = 0, raw = 2;                      // the quotes count
    while (text && p->left.len && peek(p) != '"') {
        raw += take(p, '\\');
        unsigned char c = peek(p);
        if (p->left.len == 0 || (!is_plain(c) && c < 128))
            return fail(p, ADDRESS_SYNTAX);
        p->eight_bit |= c >= 128;
        if (++raw > ADDRESS_LOCAL_MAX)
            return fail(p, ADDRESS_TOO_LONG);
        text[n++] = c;
        take(p, c);
    }
    if (!text || !take(p, '"') || n == 0)
        return fail(p, ADDRESS_SYNTAX);
    return str_of(text, (size_t)n);
}

static str dot_string(path_reader *p)
{
    ptrdiff_t n = 0;
    while (n < p->left.len && (is_atext(p->left.at[n]) || p->left.at[n] == '.' || p->left.at[n] >= 128))
        p->eight_bit |= p->left.at[n++] >= 128;
    str s = str_first(p->left, n);
    p->left = str_from(p->left, n);
    if (n > ADDRESS_LOCAL_MAX)
        return fail(p, ADDRESS_TOO_LONG);
    return is_dot_string(s) || (p->eight_bit && n) ? s : fail(p, ADDRESS_SYNTAX);
}

static str path_domain(path_reader *p)
{
    ptrdiff_t n = 0;
    bool eight_bit = false;
    while (n < p->left.len && p->left.at[n] > ' ' && !(p->left.at[n] == '>' && p->angled) && p->left.at[n] != ',')
        eight_bit |= p->left.at[n++] >= 128;
    str d = str_first(p->left, n);
    p->left = str_from(p->left, n);
    if (n > ADDRESS_DOMAIN_MAX)
        return fail(p, ADDRESS_TOO_LONG);
    p->eight_bit |= eight_bit;
    return eight_bit || address_domain_valid(d) ? d : fail(p, ADDRESS_SYNTAX);
}

// `@one,@two:` before the mailbox: must be accepted, should be ignored (RFC 5321 appendix C).
static void source_route_drop(path_reader *p)
{
    if (peek(p) != '@')
        return;
    ptrdiff_t colon = str_find(str_first(p->left, ADDRESS_PATH_MAX), ':');
    str route = str_first(p->left, colon), hop;
    p->left = str_from(p->left, colon + 1);
    if (colon < 0)
        fail(p, ADDRESS_SYNTAX);
    while (colon >= 0 && route.len) {
        hop = str_cut(&route, ',');
        if (!str_starts(hop, S("@")) || !address_domain_valid(str_from(hop, 1)))
            fail(p, ADDRESS_SYNTAX);
    }
}

address_verdict address_path_read(str *s, arena *msg, address *out)
{
    *out = (address){0};
    path_reader p = {.left = *s, .msg = msg};
    while (take(&p, ' ') || take(&p, '\t'))
        ;
    p.angled = take(&p, '<');
    if (p.angled && take(&p, '>'))
        return *s = p.left, ADDRESS_NULL;
    source_route_drop(&p);
    const unsigned char *start = p.left.at;
    out->local = take(&p, '"') ? quoted_local(&p) : dot_string(&p);
    bool has_domain = take(&p, '@');
    if (has_domain)
        out->domain = path_domain(&p);
    ptrdiff_t length = p.left.at - start + 2;
    bool closed = p.angled ? take(&p, '>') : p.left.len == 0 || peek(&p) == ' ' || peek(&p) == '\t';
    if (!closed || (p.angled && p.left.len && peek(&p) != ' ' && peek(&p) != '\t'))
        fail(&p, ADDRESS_SYNTAX);
    if (length > ADDRESS_PATH_MAX)
        fail(&p, ADDRESS_TOO_LONG);
    if (p.wrong == ADDRESS_OK && p.eight_bit)
        fail(&p, ADDRESS_NOT_ASCII);
    if (p.wrong != ADDRESS_OK)
        return *out = (address){0}, p.wrong;
    *s = p.left;
    return has_domain ? ADDRESS_OK : ADDRESS_NO_DOMAIN;
}

address_verdict address_read(str s, arena *msg, address *out)
{
    s = str_trim(s);
    address_verdict v = address_path_read(&s, msg, out);
    if (s.len && (v == ADDRESS_OK || v == ADDRESS_NULL || v == ADDRESS_NO_DOMAIN))
        return *out = (address){0}, ADDRESS_SYNTAX;
    return v;
}

// ---- writing and comparing ----

static void quoted_write(writer *w, str local)
{
    wr_u8(w, '"');
    for (ptrdiff_t i = 0; i < local.len; i++) {
        if (local.at[i] == '"' || local.at[i] == '\\')
            wr_u8(w, '\\');
        wr_u8(w, local.at[i]);
    }
    wr_u8(w, '"');
}

static bool is_writable(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!is_plain(s.at[i]) && s.at[i] < 128)
            return false;
    return true;
}

static ptrdiff_t written_max(address a) { return 2 * a.local.len + a.domain.len + 3; }

static bool write_into(writer *w, address a)
{
    if (!is_writable(a.local) || !is_writable(a.domain))
        return false;
    if (a.local.len == 0)
        return true;                               // the null path
    if (is_dot_string(a.local))
        wr_bytes(w, a.local);
    else
        quoted_write(w, a.local);
    if (a.domain.len) {
        wr_u8(w, '@');
        wr_bytes(w, a.domain);
    }
    return !w->bad;
}

bool address_write(buf *out, address a)
{
    unsigned char *room = buf_room(out, (size_t)written_max(a));
    writer w = wr_into(room, (size_t)written_max(a));
    if (!room || !write_into(&w, a))
        return false;
    buf_added(out, (size_t)wr_len(&w));
    return true;
}

str address_text(arena *a, address who)
{
    unsigned char *room = arena_array(a, unsigned char, written_max(who));
    writer w = wr_into(room, (size_t)written_max(who));
    return room && write_into(&w, who) ? wr_str(&w) : (str){0};
}

bool address_eq(address a, address b)
{
    return str_eq(a.local, b.local) && str_eq_nocase(a.domain, b.domain);
}

str address_key(arena *a, address who) { return str_lower(a, address_text(a, who)); }
