#include "wire/dns/name.h"

enum { POINTER = 0xc0, POINTER_OFFSET_MAX = 0x3fff, END_OF_NAME = 0 };

const dns_name dns_root = {(const unsigned char *)"", 1};

static bool fail(const char **why, const char *sentence)
{
    if (why)
        *why = sentence;
    return false;
}

// One character of a label in text, escapes resolved; -1 for a broken escape.
static int label_char(str *text)
{
    unsigned char c = text->at[0];
    *text = str_from(*text, 1);
    if (c != '\\')
        return c;
    if (text->len == 0)
        return -1;
    if (!is_digit(text->at[0])) {
        c = text->at[0];
        *text = str_from(*text, 1);
        return c;
    }
    uint64_t number;
    str digits = str_first(*text, 3);
    if (digits.len != 3 || !str_to_u64(digits, &number) || number > 255)
        return -1;
    *text = str_from(*text, 3);
    return (int)number;
}

// The labels of `text` up to its end; *relative when no dot ended it.
static bool labels_from_text(writer *w, str text, bool *relative, const char **why)
{
    *relative = true;
    while (text.len) {
        unsigned char label[DNS_LABEL_MAX];
        int n = 0;
        while (text.len && text.at[0] != '.') {
            int c = label_char(&text);
            if (c < 0)
                return fail(why, "a broken escape in a name: write \\. or \\DDD with DDD up to 255");
            if (n == DNS_LABEL_MAX)
                return fail(why, "a label of a name is longer than 63 bytes");
            label[n++] = (unsigned char)c;
        }
        if (n == 0)
            return fail(why, "a name holds an empty label (two dots, or a dot in front)");
        wr_u8(w, (unsigned)n);
        wr_bytes(w, (str){label, n});
        *relative = text.len == 0;
        text = str_from(text, 1);
    }
    return true;
}

bool dns_name_from_text(arena *a, str text, dns_name origin, dns_name *out, const char **why)
{
    unsigned char bytes[DNS_NAME_MAX];
    writer w = wr_into(bytes, sizeof bytes);
    dns_name rest = origin.len ? origin : dns_root;
    bool relative = true;
    *out = dns_root;
    if (text.len == 0)
        return fail(why, "a name is empty");
    if (str_eq(text, S(".")))
        rest = dns_root;
    else if (!str_eq(text, S("@")) && !labels_from_text(&w, text, &relative, why))
        return false;
    wr_bytes(&w, relative ? rest : dns_root);
    if (w.bad)
        return fail(why, "a name is longer than 255 bytes");
    *out = str_copy(a, wr_str(&w));
    return out->len || fail(why, "no memory left for a name");
}

// Escapes what the text form gives a meaning: RFC 1035 5.1.
static void label_to_text(writer *w, str label)
{
    for (ptrdiff_t i = 0; i < label.len; i++) {
        unsigned char c = label.at[i];
        if (c <= ' ' || c >= 0x7f) {
            unsigned char escaped[4] = {'\\', (unsigned char)('0' + c / 100), (unsigned char)('0' + c / 10 % 10),
                                        (unsigned char)('0' + c % 10)};
            wr_bytes(w, (str){escaped, 4});
            continue;
        }
        if (str_find(S(".\\\"();@$"), c) >= 0)
            wr_u8(w, '\\');
        wr_u8(w, c);
    }
}

static str name_to_text(arena *a, dns_name n, bool final_dot)
{
    unsigned char text[DNS_NAME_MAX * 4];
    writer w = wr_into(text, sizeof text);
    if (dns_name_is_root(n))
        return S(".");
    for (; !dns_name_is_root(n); n = dns_name_parent(n)) {
        label_to_text(&w, dns_name_label(n));
        wr_u8(&w, '.');
    }
    str all = wr_str(&w);
    return str_copy(a, final_dot ? all : str_first(all, all.len - 1));
}

str dns_name_text(arena *a, dns_name n) { return name_to_text(a, n, true); }
str dns_name_show(arena *a, dns_name n) { return name_to_text(a, n, false); }

bool dns_name_valid(str wire)
{
    reader r = rd_of(wire);
    dns_name n = dns_name_read_plain(&r);
    return rd_done(&r) && n.len == wire.len;
}

// Length bytes are below 'A', so comparing whole names without case compares labels too.
bool dns_name_eq(dns_name a, dns_name b) { return str_eq_nocase(a, b); }

bool     dns_name_is_root(dns_name n) { return n.len <= 1; }
bool     dns_name_is_wildcard(dns_name n) { return n.len >= 2 && n.at[0] == 1 && n.at[1] == '*'; }
str      dns_name_label(dns_name n) { return n.len > 1 ? str_sub(n, 1, n.at[0]) : (str){0}; }
dns_name dns_name_parent(dns_name n) { return n.len > 1 ? str_from(n, n.at[0] + 1) : n; }
dns_name dns_name_lower(arena *a, dns_name n) { return str_lower(a, n); }
dns_name dns_name_copy(arena *a, dns_name n) { return str_copy(a, n); }
uint64_t dns_name_hash(dns_name n, uint64_t key) { return str_hash_nocase(n, key); }

int dns_name_labels(dns_name n)
{
    int labels = 0;
    for (ptrdiff_t i = 0; i < n.len && n.at[i]; i += n.at[i] + 1)
        labels++;
    return labels;
}

dns_name dns_name_tail(dns_name n, int labels)
{
    for (int drop = dns_name_labels(n) - labels; drop > 0; drop--)
        n = dns_name_parent(n);
    return n;
}

bool dns_name_under(dns_name n, dns_name parent)
{
    while (n.len > parent.len)
        n = dns_name_parent(n);
    return dns_name_eq(n, parent);
}

static int label_cmp(str a, str b)
{
    ptrdiff_t shorter = a.len < b.len ? a.len : b.len;
    for (ptrdiff_t i = 0; i < shorter; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return lower(a.at[i]) < lower(b.at[i]) ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

// The offsets of the labels' length bytes, left to right.
static int label_offsets(dns_name n, uint8_t offset[DNS_LABELS_MAX])
{
    int labels = 0;
    for (ptrdiff_t i = 0; i < n.len && n.at[i] && labels < DNS_LABELS_MAX; i += n.at[i] + 1)
        offset[labels++] = (uint8_t)i;
    return labels;
}

int dns_name_cmp(dns_name a, dns_name b)
{
    uint8_t at_a[DNS_LABELS_MAX], at_b[DNS_LABELS_MAX];
    int left_a = label_offsets(a, at_a), left_b = label_offsets(b, at_b);
    while (left_a && left_b) {                             // the rightmost label decides first
        left_a--, left_b--;
        int order = label_cmp(dns_name_label(str_from(a, at_a[left_a])), dns_name_label(str_from(b, at_b[left_b])));
        if (order)
            return order;
    }
    return (left_a > 0) - (left_b > 0);
}

bool dns_name_join(arena *a, dns_name first, dns_name rest, dns_name *out)
{
    *out = dns_root;
    str labels = str_first(first, first.len - 1);
    if (labels.len + rest.len > DNS_NAME_MAX)
        return false;
    *out = str_join(a, labels, rest);
    return out->len > 0;
}

// Reads labels until the root or a pointer; the pointer's offset, END_OF_NAME for the root, -1 when broken.
// What was read, without the ending, is *labels.
static int read_labels(reader *r, str *labels)
{
    const unsigned char *start = r->at;
    for (;;) {
        unsigned length = rd_u8(r);
        *labels = (str){start, r->at - start - 1};
        if (r->bad || labels->len > DNS_NAME_MAX - 1)
            return -1;
        if (length == 0)
            return END_OF_NAME;
        if ((length & POINTER) == POINTER) {
            unsigned low = rd_u8(r);
            unsigned offset = (length & ~(unsigned)POINTER) << 8 | low;
            return r->bad || offset == END_OF_NAME ? -1 : (int)offset;      // offset 0 is the header: never a name
        }
        if (length > DNS_LABEL_MAX)
            return -1;
        rd_skip(r, length);
    }
}

static dns_name name_bad(reader *r)
{
    r->bad = true;
    return dns_root;
}

dns_name dns_name_read_plain(reader *r)
{
    str labels;
    if (read_labels(r, &labels) != END_OF_NAME)
        return name_bad(r);
    return (str){labels.at, labels.len + 1};
}

dns_name dns_name_read(reader *r, arena *msg)
{
    unsigned char bytes[DNS_NAME_MAX];
    writer w = wr_into(bytes, sizeof bytes);
    reader part = *r;
    ptrdiff_t part_start = rd_at(r);
    str labels;
    int offset = read_labels(&part, &labels);
    if (offset < 0)
        return name_bad(r);
    r->at = part.at;                                       // whatever follows the name in the message
    if (offset == END_OF_NAME)
        return (str){labels.at, labels.len + 1};
    for (int hops = 0; offset > 0; hops++) {
        wr_bytes(&w, labels);
        if (hops == DNS_POINTER_HOPS_MAX || offset >= part_start)
            return name_bad(r);
        part = (reader){r->start, r->start + offset, r->end, false};
        part_start = offset;
        offset = read_labels(&part, &labels);
    }
    wr_bytes(&w, labels);
    wr_u8(&w, 0);
    dns_name name = offset < 0 || w.bad ? (str){0} : str_copy(msg, wr_str(&w));
    return name.len ? name : name_bad(r);
}

// The slots where a label could stand: a hash over the label and the place of the name's rest.
static unsigned slot_first(str label, unsigned rest)
{
    unsigned h = rest * 0x9e3779b1u;
    for (ptrdiff_t i = 0; i < label.len; i++)
        h = (h ^ lower(label.at[i])) * 0x01000193u;
    return h >> 16;
}

// Looks for `label` followed by the name at `rest`; its offset in the message, or 0 with *free_slot (-1: none).
static unsigned compressor_find(const writer *w, const dns_compressor *c, str label, unsigned rest, int *free_slot)
{
    unsigned first = slot_first(label, rest);
    *free_slot = -1;
    for (unsigned i = 0; i < DNS_COMPRESS_PROBES; i++) {
        unsigned at = (first + i) % DNS_COMPRESS_SLOTS;
        unsigned offset = c->slot[at].offset;
        if (offset == 0) {
            if (*free_slot < 0)
                *free_slot = (int)at;
        } else if (c->slot[at].rest == rest && w->start[offset] == label.len &&
                   str_eq_nocase((str){w->start + offset + 1, label.len}, label)) {
            return offset;
        }
    }
    return 0;
}

// Remembers the labels written at `start`, right to left: each one's rest is the label after it.
static void compressor_add(const writer *w, dns_compressor *c, dns_name n, const uint8_t *offsets, int labels,
                           ptrdiff_t start, unsigned rest)
{
    for (int i = labels - 1; i >= 0; i--) {
        unsigned offset = (unsigned)(start + offsets[i]);
        int free_slot;
        (void)compressor_find(w, c, dns_name_label(str_from(n, offsets[i])), rest, &free_slot);
        if (offset > POINTER_OFFSET_MAX || free_slot < 0)
            return;
        c->slot[free_slot].offset = (uint16_t)offset;
        c->slot[free_slot].rest = (uint16_t)rest;
        rest = offset;
    }
}

void dns_name_write(writer *w, dns_compressor *c, dns_name n)
{
    uint8_t offsets[DNS_LABELS_MAX + 1];
    ptrdiff_t start = wr_len(w);
    if (!c) {
        wr_bytes(w, n);
        return;
    }
    int labels = label_offsets(n, offsets), plain = labels;    // plain: labels that must be written out
    unsigned rest = 0;                                         // where the name's known rest stands; 0: only the root
    offsets[labels] = (uint8_t)(n.len - 1);
    while (plain > 0) {
        int free_slot;
        unsigned found = compressor_find(w, c, dns_name_label(str_from(n, offsets[plain - 1])), rest, &free_slot);
        if (!found)
            break;
        rest = found;
        plain--;
    }
    wr_bytes(w, rest ? str_first(n, offsets[plain]) : n);
    if (rest)
        wr_u16(w, POINTER << 8 | rest);
    if (!w->bad)
        compressor_add(w, c, n, offsets, plain, start, rest);
}

void dns_compressor_rewind(dns_compressor *c, ptrdiff_t offset)
{
    for (int i = 0; i < DNS_COMPRESS_SLOTS; i++)
        if (c->slot[i].offset >= offset)
            c->slot[i].offset = 0;
}
