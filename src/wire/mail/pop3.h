// POP3 as text (RFC 1939, 2449, 2595, 5034, 6856). Multi-line answers are dot-stuffed like DATA (wire/mail/dot.h).
#pragma once
#include "base/arena.h"
#include "base/buf.h"

enum {
    POP3_LINE_MAX = 1024,          // bytes with CR LF; RFC 2449 4 wants 255, AUTH responses want more
    POP3_RESPONSE_MAX = 512,       // RFC 2449 4: a server's first line
};

typedef enum {
    POP3_UNKNOWN, POP3_USER, POP3_PASS, POP3_APOP, POP3_AUTH, POP3_CAPA, POP3_STLS, POP3_UTF8, POP3_LANG, POP3_QUIT,
    POP3_STAT, POP3_LIST, POP3_RETR, POP3_DELE, POP3_NOOP, POP3_RSET, POP3_TOP, POP3_UIDL,
    POP3_HTTP,                     // a browser: hang up
} pop3_verb;

typedef struct {
    pop3_verb verb;
    str       argument;            // USER, PASS (all of it, blanks included), AUTH's mechanism
    str       initial;             // AUTH: the initial response; `has_initial` tells an absent one from an empty one
    bool      has_initial;
    bool      has_number;          // LIST, UIDL: optional; RETR, DELE, TOP: always
    uint32_t  number;              // message number, at least 1
    uint32_t  lines;               // TOP
    const char *complaint;         // not NULL: answer "-ERR " and this
} pop3_command;

pop3_command pop3_command_read(str line);           // without CR LF; views live in `line`

// "+OK text\r\n" and "-ERR [code] text\r\n" (RFC 2449 8: "AUTH", "SYS/TEMP", "SYS/PERM", "LOGIN-DELAY", "IN-USE";
// may be ""). Control characters in the text become '?'.
bool pop3_ok(buf *out, str text);
bool pop3_err(buf *out, const char *code, str text);
