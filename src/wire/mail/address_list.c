// The address lists of a header (RFC 5322 3.4). One pass over the value with a small tokenizer; what is no address is
// skipped up to the next comma. Comments are bounded in depth, so that no value can make it recurse or look twice.
#include "wire/mail/address.h"

#include "base/bytes.h"

typedef struct {
    str    left;
    arena *msg;
    str    comment;              // the last comment seen
    bool   bad;
} list_reader;

static unsigned char next(const list_reader *l) { return l->left.len ? l->left.at[0] : 0; }
static void step(list_reader *l) { l->left = str_from(l->left, 1); }

static bool is_special(unsigned char c) { return c && str_find(S("()<>[]:;@,\"\\"), c) >= 0; }
static bool is_space(unsigned char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static void comment_skip(list_reader *l)
{
    const unsigned char *start = l->left.at + 1;
    int depth = 0;
    do {
        unsigned char c = next(l);
        if (c == '\\')
            step(l);
        depth += (c == '(') - (c == ')');
        if (depth > ADDRESS_COMMENT_DEPTH_MAX) {
            l->bad = true;
            l->left = str_from(l->left, l->left.len);      // nobody writes this by mistake
            return;
        }
        step(l);
    } while (depth > 0 && l->left.len);
    if (depth)
        l->bad = true;
    else
        l->comment = str_of(start, (size_t)(l->left.at - 1 - start));
}

static void space_skip(list_reader *l)
{
    while (l->left.len && (is_space(next(l)) || next(l) == '('))
        if (next(l) == '(')
            comment_skip(l);
        else
            step(l);
}

// A quoted string without its quotes and backslashes.
static str quoted(list_reader *l)
{
    step(l);
    unsigned char *text = NULL;
    ptrdiff_t end = 0, n = 0;
    while (end < l->left.len && l->left.at[end] != '"')
        end += l->left.at[end] == '\\' ? 2 : 1;
    if (end >= l->left.len || !(text = arena_array(l->msg, unsigned char, end + 1))) {
        l->bad = true;
        l->left = str_from(l->left, l->left.len);
        return (str){0};
    }
    for (ptrdiff_t i = 0; i < end; i++) {
        i += l->left.at[i] == '\\';
        text[n++] = l->left.at[i];
    }
    l->left = str_from(l->left, end + 1);
    return str_of(text, (size_t)n);
}

// An atom, a quoted string or a domain literal; empty at a special character or the end.
static str word(list_reader *l)
{
    if (next(l) == '"')
        return quoted(l);
    ptrdiff_t n = 0;
    if (next(l) == '[') {
        n = str_find(l->left, ']') + 1;
    } else {
        while (n < l->left.len && !is_space(l->left.at[n]) && !is_special(l->left.at[n]))
            n++;
    }
    str w = str_first(l->left, n);
    l->left = str_from(l->left, n);
    return w;
}

enum { PHRASE_WORDS_MAX = 64 };

typedef struct {
    str words[PHRASE_WORDS_MAX];
    int count;
} phrase;

static void phrase_read(list_reader *l, phrase *p)
{
    p->count = 0;
    for (space_skip(l); l->left.len && p->count < PHRASE_WORDS_MAX; space_skip(l)) {
        ptrdiff_t before = l->left.len;
        str w = word(l);
        if (l->left.len == before)
            break;                                 // a special character
        p->words[p->count++] = w;
    }
}

// All words with one blank between them.
static str phrase_text(const phrase *p, arena *msg)
{
    ptrdiff_t length = p->count;
    for (int i = 0; i < p->count; i++)
        length += p->words[i].len;
    unsigned char *room = arena_array(msg, unsigned char, length);
    writer w = wr_into(room, room ? (size_t)length : 0);
    for (int i = 0; i < p->count && room; i++) {
        if (i)
            wr_u8(&w, ' ');
        wr_bytes(&w, p->words[i]);
    }
    return wr_str(&w);
}

static void entry_skip(list_reader *l)
{
    l->bad = true;
    while (l->left.len && next(l) != ',' && next(l) != ';')
        if (next(l) == '"')
            quoted(l);
        else if (next(l) == '(')
            comment_skip(l);
        else
            step(l);
}

static bool address_at(list_reader *l, str local, address *out)
{
    if (next(l) != '@')
        return false;
    step(l);
    space_skip(l);
    *out = (address){local, word(l)};
    return local.len > 0 && out->domain.len > 0 && address_domain_valid(out->domain);
}

// `<a@b>` after a display name; an old source route inside it is dropped.
static bool angle_address(list_reader *l, address *out)
{
    step(l);
    space_skip(l);
    if (next(l) == '@') {
        ptrdiff_t colon = str_find(l->left, ':');
        l->left = str_from(l->left, colon < 0 ? l->left.len : colon + 1);
        space_skip(l);
    }
    str local = word(l);
    space_skip(l);
    if (!address_at(l, local, out))
        return false;
    space_skip(l);
    bool closed = next(l) == '>';
    if (closed)
        step(l);
    return closed;
}

// One entry between commas; true when it is an address.
static bool entry_read(list_reader *l, const phrase *p, header_address *entry)
{
    bool good = false;
    if (next(l) == '<') {
        entry->name = phrase_text(p, l->msg);
        good = angle_address(l, &entry->address);
    } else if (p->count == 1) {
        good = address_at(l, p->words[0], &entry->address);
        space_skip(l);
        entry->name = l->comment;
    }
    space_skip(l);
    bool ended = l->left.len == 0 || next(l) == ',' || next(l) == ';';
    if ((!good && p->count) || !ended)
        entry_skip(l);                             // an empty entry between commas is allowed (RFC 5322 4.4)
    return good && ended;
}

int address_list_read(str value, arena *msg, header_address *out, int max, bool *bad)
{
    list_reader l = {.left = value, .msg = msg};
    str group = {0};
    phrase p;
    int count = 0;
    if (max > ADDRESS_LIST_MAX)
        max = ADDRESS_LIST_MAX;
    while (l.left.len && count < max) {
        l.comment = (str){0};
        phrase_read(&l, &p);
        if (next(&l) == ':') {
            group = phrase_text(&p, msg);
            step(&l);
            continue;
        }
        header_address entry = {.group = group};
        if (entry_read(&l, &p, &entry))
            out[count++] = entry;
        if (next(&l) == ';')
            group = (str){0};
        step(&l);
    }
    if (bad)
        *bad = l.bad;
    return count;
}
