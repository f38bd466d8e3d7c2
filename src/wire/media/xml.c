#include "wire/media/xml.h"

#include <string.h>

#include "base/utf8.h"

typedef struct {
    str          left;                       // what is still to be read
    arena       *a;
    const char  *why;                        // sticky
    int          elements, depth;
} xml_reader;

static bool xml_fail(xml_reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static bool is_space(unsigned char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static void space_skip(xml_reader *r)
{
    while (r->left.len > 0 && is_space(r->left.at[0]))
        r->left = str_from(r->left, 1);
}

static bool is_name_byte(unsigned char c, bool first)
{
    return is_alpha(c) || c == '_' || c == ':' || c >= 0x80 || (!first && (is_digit(c) || c == '-' || c == '.'));
}

static bool name_read(xml_reader *r, str *name)
{
    ptrdiff_t n = 0;
    while (n < r->left.len && is_name_byte(r->left.at[n], n == 0))
        n++;
    *name = str_first(r->left, n);
    r->left = str_from(r->left, n);
    return (n > 0 && n <= XML_NAME_BYTES_MAX) || xml_fail(r, "a name is missing or too long");
}

static bool character_allowed(uint32_t code) { return code >= 0x20 || code == '\t' || code == '\n' || code == '\r'; }

// One reference "&...;" at the start of text; returns its length, 0 when it is none that is known.
static ptrdiff_t reference_read(str text, unsigned char out[4], int *out_len)
{
    static const struct { const char *name; unsigned char byte; } known[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_starts(text, str_z(known[i].name))) {
            out[0] = known[i].byte;
            *out_len = 1;
            return (ptrdiff_t)strlen(known[i].name);
        }
    ptrdiff_t end = str_find(str_first(text, 12), ';');
    uint64_t code;
    bool hex = str_starts(text, S("&#x"));
    if (end < 3 || text.at[1] != '#')
        return 0;
    str digits = str_sub(text, hex ? 3 : 2, end - (hex ? 3 : 2));
    if (!(hex ? str_hex_to_u64(digits, &code) : str_to_u64(digits, &code)) || code > 0x10ffff)
        return 0;
    *out_len = utf8_encode(out, (uint32_t)code);
    return character_allowed((uint32_t)code) && *out_len > 0 ? end + 1 : 0;
}

// References resolved, line ends made one (section 2.11). A view when nothing changes.
static bool text_resolve(xml_reader *r, str raw, bool attribute, str *out)
{
    *out = raw;
    bool plain = str_find(raw, '&') < 0 && str_find(raw, '\r') < 0;
    if (!utf8_valid(raw))
        return xml_fail(r, "the text is not UTF-8");
    for (ptrdiff_t i = 0; i < raw.len; i++) {
        if (!character_allowed(raw.at[i]) || (attribute && raw.at[i] == '<'))
            return xml_fail(r, "a character that is not allowed");
        plain = plain && !(attribute && is_space(raw.at[i]));
    }
    if (plain)
        return true;
    unsigned char *copy = arena_array(r->a, unsigned char, raw.len + 1), bytes[4];      // resolving never lengthens
    if (!copy)
        return xml_fail(r, "too large");
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < raw.len;) {
        int len = 1;
        ptrdiff_t used = 1;
        bytes[0] = raw.at[i];
        if (raw.at[i] == '&' && !(used = reference_read(str_from(raw, i), bytes, &len)))
            return xml_fail(r, "an entity that is not one of the five");
        else if (raw.at[i] == '\r') {
            bytes[0] = '\n';
            used = i + 1 < raw.len && raw.at[i + 1] == '\n' ? 2 : 1;
        }
        if (attribute && used <= 2 && is_space(bytes[0]))
            bytes[0] = ' ';
        memcpy(copy + n, bytes, (size_t)len);
        n += len;
        i += used;
    }
    *out = str_of(copy, (size_t)n);
    return true;
}

static bool attribute_read(xml_reader *r, xml_attribute *out)
{
    if (!name_read(r, &out->name))
        return false;
    space_skip(r);
    if (r->left.len == 0 || r->left.at[0] != '=')
        return xml_fail(r, "an attribute without '='");
    r->left = str_from(r->left, 1);
    space_skip(r);
    if (r->left.len == 0 || (r->left.at[0] != '"' && r->left.at[0] != '\''))
        return xml_fail(r, "an attribute without quotes");
    unsigned char quote = r->left.at[0];
    r->left = str_from(r->left, 1);
    ptrdiff_t end = str_find(r->left, quote);
    if (end < 0)
        return xml_fail(r, "an attribute that does not end");
    str raw = str_first(r->left, end);
    r->left = str_from(r->left, end + 1);
    return text_resolve(r, raw, true, &out->value);
}

static bool attributes_read(xml_reader *r, xml_element *e)
{
    xml_attribute all[XML_ATTRIBUTES_MAX];
    int count = 0;
    for (;;) {
        bool apart = r->left.len > 0 && is_space(r->left.at[0]);
        space_skip(r);
        if (r->left.len == 0 || r->left.at[0] == '>' || r->left.at[0] == '/')
            break;
        if (!apart || count == XML_ATTRIBUTES_MAX)
            return xml_fail(r, "attributes without space between them, or too many");
        if (!attribute_read(r, &all[count]))
            return false;
        for (int i = 0; i < count; i++)
            if (str_eq(all[i].name, all[count].name))
                return xml_fail(r, "an attribute twice");
        count++;
    }
    e->attributes = arena_array(r->a, xml_attribute, count + 1);
    if (!e->attributes)
        return xml_fail(r, "too large");
    memcpy(e->attributes, all, (size_t)count * sizeof *all);
    e->attribute_count = count;
    return true;
}

// "<name ...>" or "<name .../>"; the '<' has been taken. *empty: it has no content.
static xml_element *start_read(xml_reader *r, xml_element *parent, bool *empty)
{
    xml_element *e = arena_new(r->a, xml_element);
    if (!e || ++r->elements > XML_ELEMENTS_MAX) {
        xml_fail(r, "too many elements");
        return NULL;
    }
    if (!name_read(r, &e->name) || !attributes_read(r, e))
        return NULL;
    *empty = str_starts(r->left, S("/>"));
    if (!*empty && !str_starts(r->left, S(">"))) {
        xml_fail(r, "a tag that does not end");
        return NULL;
    }
    r->left = str_from(r->left, *empty ? 2 : 1);
    e->parent = parent;
    if (parent) {
        if (parent->last)
            parent->last->next = e;
        else
            parent->first = e;
        parent->last = e;
    }
    return e;
}

// Skips through `end`; what stood before it goes to *inside.
static bool skip_through(xml_reader *r, ptrdiff_t head, str end, str *inside)
{
    r->left = str_from(r->left, head);
    ptrdiff_t at = str_find_str(r->left, end);
    if (at < 0)
        return xml_fail(r, "a comment or section that does not end");
    *inside = str_first(r->left, at);
    r->left = str_from(r->left, at + end.len);
    return true;
}

static bool text_add(xml_reader *r, xml_element *e, str piece)
{
    e->text = e->text.len == 0 ? piece : str_join(r->a, e->text, piece);
    return !r->a->full || xml_fail(r, "too large");
}

static bool end_read(xml_reader *r, xml_element *e)
{
    str name;
    r->left = str_from(r->left, 2);
    if (!name_read(r, &name))
        return false;
    space_skip(r);
    if (!str_eq(name, e->name) || !str_starts(r->left, S(">")))
        return xml_fail(r, "an end tag without its start");
    r->left = str_from(r->left, 1);
    return true;
}

// Everything inside the root, without recursion: `e` is the element we stand in.
static bool content_read(xml_reader *r, xml_element *e)
{
    str inside;
    bool empty;
    for (int depth = 1, pieces = 0; e;) {
        ptrdiff_t tag = str_find(r->left, '<');
        if (tag < 0)
            return xml_fail(r, "an element that does not end");
        str raw = str_first(r->left, tag), text;
        r->left = str_from(r->left, tag);
        bool blank = str_trim(raw).len == 0;
        if (!blank && (++pieces > XML_ELEMENTS_MAX || !text_resolve(r, raw, false, &text) || !text_add(r, e, text)))
            return xml_fail(r, "too much text");
        if (str_starts(r->left, S("<!--"))) {
            if (!skip_through(r, 4, S("-->"), &inside))
                return false;
        } else if (str_starts(r->left, S("<![CDATA["))) {
            if (!skip_through(r, 9, S("]]>"), &inside) || !utf8_valid(inside) || !text_add(r, e, inside))
                return xml_fail(r, "a CDATA section that is not text");
        } else if (str_starts(r->left, S("<?"))) {
            if (!skip_through(r, 2, S("?>"), &inside))
                return false;
        } else if (str_starts(r->left, S("</"))) {
            if (!end_read(r, e))
                return false;
            e = e->parent;
            depth--;
        } else {
            r->left = str_from(r->left, 1);
            xml_element *child = start_read(r, e, &empty);
            if (!child)
                return false;
            if (!empty && ++depth > XML_DEPTH_MAX)
                return xml_fail(r, "elements too deep in one another");
            e = empty ? e : child;
        }
    }
    return true;
}

// Comments, instructions and space outside the root.
static bool outside_skip(xml_reader *r)
{
    str inside;
    for (;;) {
        space_skip(r);
        if (str_starts(r->left, S("<!--"))) {
            if (!skip_through(r, 4, S("-->"), &inside))
                return false;
        } else if (str_starts(r->left, S("<?"))) {
            if (!skip_through(r, 2, S("?>"), &inside))
                return false;
        } else {
            return true;
        }
    }
}

xml_element *xml_read(str text, arena *a, const char **why)
{
    xml_reader r = {.left = text, .a = a};
    xml_element *root = NULL;
    bool empty = false;
    if (str_starts(r.left, S("\xef\xbb\xbf")))
        r.left = str_from(r.left, 3);
    if (text.len > XML_BYTES_MAX)
        xml_fail(&r, "too large");
    else if (outside_skip(&r) && !str_starts(r.left, S("<")))
        xml_fail(&r, "it is no XML");
    else if (!r.why && str_starts(r.left, S("<!")))
        xml_fail(&r, "a document type: refused");
    if (!r.why) {
        r.left = str_from(r.left, 1);
        root = start_read(&r, NULL, &empty);
        if (root && (empty || content_read(&r, root)) && outside_skip(&r) && r.left.len > 0)
            xml_fail(&r, "something behind the end");
    }
    if (!r.why && a->full)
        r.why = "too large";
    if (why)
        *why = r.why;
    return r.why ? NULL : root;
}

bool xml_has(const xml_element *e, str attribute)
{
    for (int i = 0; i < e->attribute_count; i++)
        if (str_eq(e->attributes[i].name, attribute))
            return true;
    return false;
}

str xml_value(const xml_element *e, str attribute)
{
    for (int i = 0; i < e->attribute_count; i++)
        if (str_eq(e->attributes[i].name, attribute))
            return e->attributes[i].value;
    return (str){0};
}

static xml_element *named(xml_element *e, str name)
{
    while (e && !str_eq(e->name, name))
        e = e->next;
    return e;
}

xml_element *xml_child(const xml_element *e, str name) { return named(e->first, name); }
xml_element *xml_next(const xml_element *e, str name) { return named(e->next, name); }

bool xml_put(buf *out, str text)
{
    while (text.len > 0) {
        uint32_t code = 0;
        int n = utf8_decode(text, &code);
        str plain = str_first(text, n > 0 ? n : 1);
        if (n == 0 || !character_allowed(code))
            plain = S("\xef\xbf\xbd");
        else if (code == '&')
            plain = S("&amp;");
        else if (code == '<')
            plain = S("&lt;");
        else if (code == '>')
            plain = S("&gt;");
        else if (code == '"')
            plain = S("&quot;");
        else if (code < 0x20)
            plain = code == '\t' ? S("&#9;") : code == '\n' ? S("&#10;") : S("&#13;");
        buf_put(out, plain);
        text = str_from(text, n > 0 ? n : 1);
    }
    return !out->full;
}
