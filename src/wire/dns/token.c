#include "wire/dns/token.h"

static bool is_blank(unsigned char c) { return c == ' ' || c == '\t' || c == '\r'; }

static bool ends_word(unsigned char c)
{
    return is_blank(c) || c == '\n' || c == ';' || c == '(' || c == ')' || c == '"';
}

static void step(dns_scanner *s, ptrdiff_t n)
{
    s->line += n == 1 && s->rest.at[0] == '\n';
    s->rest = str_from(s->rest, n);
}

static void skip_comment(dns_scanner *s)
{
    ptrdiff_t end = str_find(s->rest, '\n');
    s->rest = str_from(s->rest, end < 0 ? s->rest.len : end);
}

// A word without quotes ends at a blank or special sign that no backslash protects.
static str take_word(dns_scanner *s)
{
    ptrdiff_t n = 0;
    while (n < s->rest.len && !ends_word(s->rest.at[n]))
        n += s->rest.at[n] == '\\' && n + 1 < s->rest.len && s->rest.at[n + 1] != '\n' ? 2 : 1;
    str word = str_first(s->rest, n);
    s->rest = str_from(s->rest, n);
    return word;
}

static bool take_quoted(dns_scanner *s, str *word, const char **why)
{
    ptrdiff_t n = 1;
    while (n < s->rest.len && s->rest.at[n] != '"' && s->rest.at[n] != '\n')
        n += s->rest.at[n] == '\\' && n + 1 < s->rest.len && s->rest.at[n + 1] != '\n' ? 2 : 1;
    if (n >= s->rest.len || s->rest.at[n] != '"') {
        *why = "a quoted text does not end on its line";
        return false;
    }
    *word = str_sub(s->rest, 1, n - 1);
    s->rest = str_from(s->rest, n + 1);
    return true;
}

static bool add_word(dns_scanner *s, dns_entry *e, const char **why)
{
    dns_token *t = &e->token[e->count];
    if (e->count == DNS_TOKENS_MAX) {
        *why = "an entry has more than 512 words";
        return false;
    }
    t->quoted = s->rest.at[0] == '"';
    if (t->quoted && !take_quoted(s, &t->text, why))
        return false;
    if (!t->quoted)
        t->text = take_word(s);
    e->count++;
    return true;
}

// One logical line: physical lines joined by parentheses.
static bool entry_read(dns_scanner *s, dns_entry *e, const char **why)
{
    const unsigned char *start = s->rest.at;
    int open_line = 0, depth = 0;
    e->count = 0;
    e->line = s->line;
    e->blank_start = s->rest.len && is_blank(s->rest.at[0]);
    for (; s->rest.len; ) {
        unsigned char c = s->rest.at[0];
        if (s->rest.at - start > DNS_ENTRY_BYTES_MAX) {
            *why = "an entry is longer than 256 KiB (is a parenthesis left open?)";
            return false;
        }
        if (c == ';') {
            skip_comment(s);
        } else if (c == '(') {
            open_line = depth++ ? open_line : s->line;
            step(s, 1);
        } else if (c == ')') {
            if (depth-- == 0) {
                *why = "a parenthesis closes that was not opened";
                return false;
            }
            step(s, 1);
        } else if (is_blank(c) || c == '\n') {
            step(s, 1);
            if (c == '\n' && depth == 0)
                return true;
        } else if (!add_word(s, e, why)) {
            return false;
        }
    }
    if (depth) {
        s->line = open_line;
        *why = "a parenthesis opened here is never closed";
    }
    return depth == 0;
}

bool dns_entry_next(dns_scanner *s, dns_entry *entry, const char **why)
{
    *why = NULL;
    while (s->rest.len) {
        if (!entry_read(s, entry, why))
            return false;
        if (entry->count)
            return true;
    }
    return false;
}

bool dns_token_bytes(str word, unsigned char *out, ptrdiff_t max, ptrdiff_t *len)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < word.len; n++) {
        uint64_t number = word.at[i++];
        if (number == '\\') {
            if (i == word.len)
                return false;
            number = word.at[i];
            str digits = str_sub(word, i, 3);
            bool decimal = is_digit(word.at[i]);
            if (decimal && (digits.len != 3 || !str_to_u64(digits, &number) || number > 255))
                return false;
            i += decimal ? 3 : 1;
        }
        if (n == max)
            return false;
        out[n] = (unsigned char)number;
    }
    *len = n;
    return true;
}
