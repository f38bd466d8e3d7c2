#include "wire/media/steering.h"

#include <string.h>

#include "base/utf8.h"

enum { JSON_DEPTH_MAX = 16, JSON_STEPS_MAX = STEERING_BYTES_MAX };

// JSON (RFC 8259), as far as a steering manifest goes: one object; members that nobody asked for are passed over.
typedef struct {
    str         left;
    arena      *a;
    const char *why;                         // sticky
} json_reader;

static bool json_fail(json_reader *j, const char *why)
{
    if (!j->why)
        j->why = why;
    return false;
}

static unsigned char json_peek(json_reader *j)
{
    while (j->left.len > 0 && str_find(S(" \t\r\n"), j->left.at[0]) >= 0)
        j->left = str_from(j->left, 1);
    return j->left.len > 0 ? j->left.at[0] : 0;
}

static bool json_take(json_reader *j, unsigned char byte)
{
    if (j->why || json_peek(j) != byte)
        return false;
    j->left = str_from(j->left, 1);
    return true;
}

static bool escape_unicode(json_reader *j, buf *out)
{
    uint64_t code, low;
    unsigned char bytes[4];
    if (j->left.len < 4 || !str_hex_to_u64(str_first(j->left, 4), &code))
        return json_fail(j, "a broken escape");
    j->left = str_from(j->left, 4);
    if (code >= 0xd800 && code < 0xdc00 && str_starts(j->left, S("\\u")) && j->left.len >= 6
        && str_hex_to_u64(str_sub(j->left, 2, 4), &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        j->left = str_from(j->left, 6);
    }
    int n = utf8_encode(bytes, (uint32_t)code);
    return (n > 0 && buf_put(out, str_of(bytes, (size_t)n))) || json_fail(j, "a broken escape");
}

static bool string_parts(json_reader *j, buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    while (j->left.len > 0 && j->left.at[0] != '"') {
        unsigned char c = j->left.at[0];
        if (c < 0x20)
            return json_fail(j, "a control character in a string");
        j->left = str_from(j->left, 1);
        if (c != '\\') {
            buf_put_byte(out, c);
            continue;
        }
        unsigned char escape = j->left.len > 0 ? j->left.at[0] : 0;
        j->left = str_from(j->left, 1);
        const char *at = escape ? strchr(from, escape) : NULL;
        if (at)
            buf_put_byte(out, (unsigned char)to[at - from]);
        else if (escape != 'u' || !escape_unicode(j, out))
            return json_fail(j, "a broken escape");
    }
    return true;
}

static bool json_string(json_reader *j, str *value)
{
    if (!json_take(j, '"'))
        return json_fail(j, "a string is missing");
    buf out = buf_make(MEDIA_URL_BYTES_MAX);
    bool good = string_parts(j, &out) && json_take(j, '"');
    if (good && (out.full || !utf8_valid(buf_str(&out))))
        good = json_fail(j, "a string that is too long or no UTF-8");
    *value = good ? str_copy(j->a, buf_str(&out)) : (str){0};
    buf_free(&out);
    return good || json_fail(j, "a string that does not end");
}

// -?int frac? exp? (section 6); *whole: the integer part, saturated, 0 for what is negative.
static bool json_number(json_reader *j, uint64_t *whole)
{
    bool negative = json_take(j, '-');
    ptrdiff_t n = 0;
    while (n < j->left.len && is_digit(j->left.at[n]))
        n++;
    if (n == 0 || (n > 1 && j->left.at[0] == '0'))
        return json_fail(j, "a number that is none");
    if (!str_to_u64(str_first(j->left, n), whole))
        *whole = UINT64_MAX;
    *whole = negative ? 0 : *whole;
    for (int part = 0; part < 2; part++) {
        bool mark = n < j->left.len && (part == 0 ? j->left.at[n] == '.' : lower(j->left.at[n]) == 'e');
        if (!mark)
            continue;
        n++;
        if (part == 1 && n < j->left.len && (j->left.at[n] == '+' || j->left.at[n] == '-'))
            n++;
        ptrdiff_t digits = n;
        while (n < j->left.len && is_digit(j->left.at[n]))
            n++;
        if (n == digits)
            return json_fail(j, "a number that is none");
        if (part == 1)
            *whole = 0;                      // nobody writes a lifetime with an exponent
    }
    j->left = str_from(j->left, n);
    return true;
}

static bool json_word(json_reader *j)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++)
        if (str_starts(j->left, str_z(words[i]))) {
            j->left = str_from(j->left, (ptrdiff_t)strlen(words[i]));
            return true;
        }
    return json_fail(j, "a value is missing");
}

static bool json_skip_one(json_reader *j)
{
    str ignored;
    uint64_t number;
    unsigned char c = json_peek(j);
    if (c == '"')
        return json_string(j, &ignored);
    return c == '-' || is_digit(c) ? json_number(j, &number) : json_word(j);
}

// Passes over one value, objects and arrays with all inside: a stack of what is open, no recursion.
static bool json_skip(json_reader *j)
{
    char open[JSON_DEPTH_MAX];
    int depth = 0;
    str key;
    for (;;) {                               // here a value begins
        unsigned char c = json_peek(j);
        bool container = c == '{' || c == '[', empty = false;
        if (container) {
            if (depth == JSON_DEPTH_MAX)
                return json_fail(j, "values too deep in one another");
            open[depth++] = c == '{' ? '}' : ']';
            json_take(j, c);
            empty = json_peek(j) == (unsigned char)open[depth - 1];
        } else if (!json_skip_one(j)) {
            return false;
        }
        if (!container || empty) {           // a value has ended: so may what is around it
            while (depth > 0 && json_take(j, (unsigned char)open[depth - 1]))
                depth--;
            if (depth == 0)
                return true;
            if (!json_take(j, ','))
                return json_fail(j, "a comma is missing");
        }
        if (open[depth - 1] == '}' && (!json_string(j, &key) || !json_take(j, ':')))
            return json_fail(j, "a name is missing");
    }
}

// ---- the manifest ---------------------------------------------------------------------------------------------------------------

static bool ranking_read(json_reader *j, steering_manifest *m)
{
    if (!json_take(j, '['))
        return json_fail(j, "the ranking is no array");
    m->count = 0;
    if (json_take(j, ']'))
        return true;
    do {
        str name;
        if (!json_string(j, &name))
            return false;
        bool known = false;
        for (int i = 0; i < m->count; i++)
            known = known || str_eq(m->ranking[i], name);
        if (!known && m->count < MEDIA_BASES_MAX)
            m->ranking[m->count++] = name;
    } while (json_take(j, ','));
    return json_take(j, ']') || json_fail(j, "the ranking does not end");
}

static bool member_read(json_reader *j, str name, steering_manifest *m, uint64_t *version)
{
    uint64_t ttl;
    if (str_eq(name, S("VERSION")))
        return json_peek(j) != '"' && json_number(j, version);
    if (str_eq(name, S("RELOAD-URI")))
        return json_string(j, &m->reload_url);
    if (str_eq(name, S("PATHWAY-PRIORITY")))
        return ranking_read(j, m);
    if (str_eq(name, S("SERVICE-LOCATION-PRIORITY")))
        return m->count > 0 ? json_skip(j) : ranking_read(j, m);
    if (!str_eq(name, S("TTL")))
        return json_skip(j);
    json_peek(j);
    if (!json_number(j, &ttl))
        return false;
    if (ttl > 0)
        m->ttl_s = ttl > STEERING_TTL_S_MAX ? STEERING_TTL_S_MAX : (uint32_t)ttl;
    return true;
}

bool steering_read(str text, steering_manifest *out, arena *a, const char **why)
{
    json_reader j = {.left = text, .a = a};
    uint64_t version = 0;
    str name;
    *out = (steering_manifest){.ttl_s = STEERING_TTL_S_DEFAULT};
    if (text.len > STEERING_BYTES_MAX || !json_take(&j, '{'))
        json_fail(&j, "it is no JSON object, or too large");
    bool more = !j.why && !json_take(&j, '}');
    while (more) {
        more = json_string(&j, &name);
        if (more && !json_take(&j, ':'))
            more = json_fail(&j, "a colon is missing");
        more = more && (member_read(&j, name, out, &version) || json_fail(&j, "a member of another type"));
        if (more && !json_take(&j, ',')) {
            more = false;
            if (!json_take(&j, '}'))
                json_fail(&j, "the object does not end");
        }
    }
    if (!j.why && json_peek(&j) != 0)
        json_fail(&j, "something behind the end");
    if (!j.why && (version != 1 || out->count == 0))
        json_fail(&j, "no ranking of version 1");
    if (!j.why && a->full)
        json_fail(&j, "too large");
    *why = j.why;
    return !j.why;
}

static void string_put(buf *out, str text)
{
    buf_put_byte(out, '"');
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = text.at[i];
        if (c < 0x20)
            buf_format(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buf_format(out, "\\%c", c);
        else
            buf_put_byte(out, c);
    }
    buf_put_byte(out, '"');
}

bool steering_write(const steering_manifest *m, buf *out)
{
    buf_format(out, "{\"VERSION\":1,\"TTL\":%u", m->ttl_s);
    if (m->reload_url.len > 0) {
        buf_put(out, S(",\"RELOAD-URI\":"));
        string_put(out, m->reload_url);
    }
    buf_put(out, S(",\"PATHWAY-PRIORITY\":["));
    for (int i = 0; i < m->count; i++) {
        if (i > 0)
            buf_put_byte(out, ',');
        string_put(out, m->ranking[i]);
    }
    buf_put(out, S("]}"));
    return !out->full;
}

void steering_order(const media_presentation *p, const steering_manifest *m, int *order)
{
    int n = 0;
    for (int i = 0; i < m->count; i++)
        for (int b = 0; b < p->base_count; b++) {
            bool taken = false;
            for (int k = 0; k < n; k++)
                taken = taken || order[k] == b;
            if (!taken && str_eq(p->bases[b].location, m->ranking[i]))
                order[n++] = b;
        }
    int named = n;
    for (int b = 0; b < p->base_count; b++) {
        bool taken = false;
        for (int k = 0; k < named; k++)
            taken = taken || order[k] == b;
        if (!taken)
            order[n++] = b;
    }
}
