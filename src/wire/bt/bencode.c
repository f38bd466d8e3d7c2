#include "wire/bt/bencode.h"

#include <string.h>

typedef struct {
    int32_t node;                            // index, when nodes are kept
    int32_t count;
    bool    dictionary;
    str     key;                             // the one before
} frame;

typedef struct {
    str           in;
    ptrdiff_t     at;
    const bencode_limits *limits;
    bencode_node *nodes;                     // NULL while counting
    int32_t       node_count;
    frame         stack[BENCODE_DEPTH_MAX];
    int           depth;
    bencode_refusal *why;
} parse;

static bool refuse(parse *p, const char *reason, ptrdiff_t offset)
{
    *p->why = (bencode_refusal){reason, offset};
    return false;
}

static int peek(const parse *p) { return p->at < p->in.len ? p->in.at[p->at] : -1; }

// "i-42e": the shortest form only.
static bool integer_read(parse *p, int64_t *out)
{
    ptrdiff_t start = ++p->at;
    str digits = {p->in.at + start, 0};
    while (p->at < p->in.len && p->in.at[p->at] != 'e' && digits.len <= BENCODE_INTEGER_DIGITS_MAX)
        p->at++, digits.len++;
    if (peek(p) != 'e')
        return refuse(p, p->at < p->in.len ? "integer is too long" : "integer has no end", start);
    p->at++;
    str plain = str_starts(digits, S("-")) ? str_from(digits, 1) : digits;
    if (!plain.len)
        return refuse(p, "integer has no digits", start);
    if (plain.at[0] == '0' && (plain.len > 1 || digits.len > plain.len))
        return refuse(p, plain.len > 1 ? "integer has a leading zero" : "integer is minus zero", start);
    for (ptrdiff_t i = 0; i < plain.len; i++)
        if (!is_digit(plain.at[i]))
            return refuse(p, "integer holds something else than digits", start);
    if (str_eq(digits, S("-9223372036854775808")))
        return *out = INT64_MIN, true;                       // its digits alone do not fit
    return str_to_i64(digits, out) || refuse(p, "integer does not fit into 64 bits", start);
}

static bool string_read(parse *p, int64_t *head)
{
    ptrdiff_t start = p->at;
    uint64_t length = 0;
    while (is_digit((unsigned char)peek(p)) && peek(p) >= 0) {
        if (p->at - start == BENCODE_LENGTH_DIGITS_MAX)
            return refuse(p, "string's length is too long", start);
        length = length * 10 + (uint64_t)(p->in.at[p->at++] - '0');
    }
    if (peek(p) != ':')
        return refuse(p, peek(p) < 0 ? "string's length has no end" : "string's length has no colon behind it", start);
    if (p->in.at[start] == '0' && p->at - start > 1)
        return refuse(p, "string's length has a leading zero", start);
    p->at++;
    if (length > (uint64_t)(p->in.len - p->at))
        return refuse(p, "string goes past the end", start);
    *head = p->at - start;
    p->at += (ptrdiff_t)length;
    return true;
}

// A key or a value has begun in the innermost container.
static bool child_begins(parse *p, int c)
{
    if (p->depth == 0)
        return true;
    frame *f = &p->stack[p->depth - 1];
    if (f->dictionary && f->count % 2 == 0 && !(c >= '0' && c <= '9'))
        return refuse(p, "dictionary's key is no string", p->at);
    f->count++;
    return true;
}

static bool key_in_order(parse *p, ptrdiff_t offset, str key)
{
    frame *f = &p->stack[p->depth - 1];
    int order = f->count > 1 && !p->limits->any_order ? str_cmp(f->key, key) : -1;
    f->key = key;
    return order < 0 || refuse(p, order == 0 ? "dictionary has a key twice" : "dictionary's keys are not sorted", offset);
}

static bool container_ends(parse *p)
{
    frame *f = &p->stack[--p->depth];
    if (f->dictionary && f->count % 2)
        return refuse(p, "dictionary's last key has no value", p->at);
    p->at++;
    if (p->nodes) {
        bencode_node *n = &p->nodes[f->node];
        n->span = p->node_count - f->node;
        n->count = f->count;
        n->len = (int32_t)(p->at - n->offset);
    }
    return true;
}

static bool value_read(parse *p)
{
    ptrdiff_t start = p->at;
    int c = peek(p);
    bencode_type type = c == 'i' ? BENCODE_INTEGER : c == 'l' ? BENCODE_LIST : c == 'd' ? BENCODE_DICTIONARY : BENCODE_STRING;
    int64_t integer = 0;
    if (!(c >= '0' && c <= '9') && type == BENCODE_STRING)
        return refuse(p, c < 0 ? "text ends inside a value" : "no value begins with this byte", start);
    if (!child_begins(p, c))
        return false;
    if (p->node_count == p->limits->nodes_max)
        return refuse(p, "too many values", start);
    if (type == BENCODE_LIST || type == BENCODE_DICTIONARY) {
        if (p->depth == p->limits->depth_max || p->depth == BENCODE_DEPTH_MAX)
            return refuse(p, "containers stand too deep inside each other", start);
        p->stack[p->depth++] = (frame){.node = p->node_count, .dictionary = type == BENCODE_DICTIONARY};
        p->at++;
    } else if (type == BENCODE_INTEGER ? !integer_read(p, &integer) : !string_read(p, &integer)) {
        return false;
    }
    if (p->nodes)
        p->nodes[p->node_count] = (bencode_node){p->in.at + start, integer, (int32_t)(p->at - start), (int32_t)start, 1, 0, type};
    p->node_count++;
    bool is_key = type == BENCODE_STRING && p->depth && p->stack[p->depth - 1].dictionary && p->stack[p->depth - 1].count % 2;
    return !is_key || key_in_order(p, start, str_sub(p->in, start + (ptrdiff_t)integer, p->at - start - (ptrdiff_t)integer));
}

static bool whole_read(parse *p)
{
    p->at = p->node_count = p->depth = 0;
    do {
        bool ends = p->depth && peek(p) == 'e';
        if (ends ? !container_ends(p) : !value_read(p))
            return false;
    } while (p->depth);
    return p->limits->rest_allowed || p->at == p->in.len || refuse(p, "something follows behind the value", p->at);
}

const bencode_node *bencode_read(str in, const bencode_limits *limits, arena *a, bencode_refusal *why)
{
    parse p = {.in = in, .limits = limits, .why = why};
    *why = (bencode_refusal){0};
    if (in.len > limits->bytes_max)
        return refuse(&p, "text is too long", limits->bytes_max), NULL;
    if (!whole_read(&p))                     // the first time it is checked and counted, the second time kept
        return NULL;
    p.nodes = arena_array(a, bencode_node, p.node_count);
    if (!p.nodes)
        return refuse(&p, "no memory is left for so many values", 0), NULL;
    return whole_read(&p) ? p.nodes : NULL;
}

bool bencode_is(const bencode_node *n, bencode_type type) { return n && n->type == type; }

str bencode_string(const bencode_node *n)
{
    return bencode_is(n, BENCODE_STRING) ? str_from(bencode_raw(n), (ptrdiff_t)n->integer) : (str){0};
}

const bencode_node *bencode_first(const bencode_node *container) { return container && container->count ? container + 1 : NULL; }

const bencode_node *bencode_next(const bencode_node *container, const bencode_node *child)
{
    const bencode_node *next = child + child->span;
    return next < container + container->span ? next : NULL;
}

const bencode_node *bencode_get(const bencode_node *n, str key)
{
    if (!bencode_is(n, BENCODE_DICTIONARY))
        return NULL;
    for (const bencode_node *k = bencode_first(n); k; k = bencode_next(n, k + 1))
        if (str_eq(bencode_string(k), key))
            return k + 1;
    return NULL;
}

str bencode_get_string(const bencode_node *n, str key) { return bencode_string(bencode_get(n, key)); }

bool bencode_get_integer(const bencode_node *n, str key, int64_t low, int64_t high, int64_t *out)
{
    const bencode_node *value = bencode_get(n, key);
    if (!bencode_is(value, BENCODE_INTEGER) || value->integer < low || value->integer > high)
        return false;
    *out = value->integer;
    return true;
}

bool bencode_put_string(buf *out, str s) { return buf_format(out, "%td:", s.len) && buf_put(out, s); }
bool bencode_put_integer(buf *out, int64_t value) { return buf_format(out, "i%llde", (long long)value); }
bool bencode_put_key(buf *out, const char *key) { return bencode_put_string(out, str_z(key)); }

bool bencode_put_node(buf *out, const bencode_node *n)
{
    const bencode_node *end = n + n->span, *open[BENCODE_DEPTH_MAX];
    int depth = 0;
    for (; n < end; n++) {
        if (n->type == BENCODE_INTEGER)
            bencode_put_integer(out, n->integer);
        else if (n->type == BENCODE_STRING)
            bencode_put_string(out, bencode_string(n));
        else
            buf_put_byte(out, n->type == BENCODE_LIST ? 'l' : 'd'), open[depth++] = n;
        while (depth && open[depth - 1] + open[depth - 1]->span == n + 1)
            depth--, buf_put_byte(out, 'e');
    }
    return !out->full;
}
