// The words of a master file (RFC 1035 5.1): blanks, quotes, comments, parentheses that join lines. Escapes stay in
// the words (a name needs to know "\." from "."); dns_token_bytes resolves them where bytes are meant.
#pragma once
#include "base/arena.h"

enum {
    DNS_TOKENS_MAX = 512,                  // words of one entry
    DNS_ENTRY_BYTES_MAX = 256 * 1024,      // bytes of one entry, comments included
};

typedef struct { str text; bool quoted; } dns_token;

typedef struct {
    str  rest;                             // text not read yet
    int  line;                             // of the next byte, from 1
} dns_scanner;

typedef struct {
    dns_token token[DNS_TOKENS_MAX];
    int  count;
    bool blank_start;                      // the entry began with a blank: it has no owner of its own
    int  line;                             // where it began
} dns_entry;

// The next entry that has words; entries without (blank lines, comments) are skipped. False at the end of the text
// (*why NULL) or on an error (*why a sentence, s->line where).
bool dns_entry_next(dns_scanner *s, dns_entry *entry, const char **why);

// The bytes that a word stands for, escapes resolved, at most `max`; false for a broken escape or more bytes.
bool dns_token_bytes(str word, unsigned char *out, ptrdiff_t max, ptrdiff_t *len);
