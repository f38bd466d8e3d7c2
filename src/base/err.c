#include "base/err.h"

static const struct { const char *name, *text; } table[E_COUNT] = {
    [E_OK] = {"ok", "no error"},
    [E_AGAIN] = {"again", "nothing to read or write yet"},
    [E_EOF] = {"eof", "the other side closed the connection"},
    [E_CANCELED] = {"canceled", "canceled"},
    [E_TIMEOUT] = {"timeout", "timed out"},
    [E_SLOW] = {"slow", "the other side is too slow"},
    [E_REFUSED] = {"refused", "connection refused"},
    [E_RESET] = {"reset", "connection reset by the other side"},
    [E_UNREACHABLE] = {"unreachable", "no route to the host"},
    [E_IN_USE] = {"in-use", "already in use"},
    [E_NO_ENTRY] = {"no-entry", "no such file or directory"},
    [E_EXISTS] = {"exists", "exists already"},
    [E_ACCESS] = {"access", "permission denied"},
    [E_READ_ONLY] = {"read-only", "read-only file system"},
    [E_NO_SPACE] = {"no-space", "no space left on the disk"},
    [E_IO] = {"io", "input/output error"},
    [E_LIMIT] = {"limit", "a limit was reached"},
    [E_TOO_LONG] = {"too-long", "too long"},
    [E_TLS] = {"tls", "TLS failed"},
    [E_PROTOCOL] = {"protocol", "the other side broke the protocol"},
    [E_CORRUPT] = {"corrupt", "stored data is damaged"},
    [E_SEALED] = {"sealed", "closed after a failed sync"},
    [E_CRASHED] = {"crashed", "the host is down"},
    [E_UNSUPPORTED] = {"unsupported", "not supported here"},
};

const char *err_name(err e) { return (unsigned)e < E_COUNT ? table[e].name : "unknown"; }
const char *err_text(err e) { return (unsigned)e < E_COUNT ? table[e].text : "unknown error"; }
