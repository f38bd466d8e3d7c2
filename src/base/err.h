// "The world is wrong": what a call on the world can come back with. Zero is success.
#pragma once

typedef enum {
    E_OK = 0,
    E_AGAIN,        // nothing now; wait for readiness
    E_EOF,          // the peer has closed its side in order
    E_CANCELED,     // the scope was told to end
    E_TIMEOUT,      // a deadline passed
    E_SLOW,         // the peer fell below the minimum data rate
    E_REFUSED,      // nobody listens there
    E_RESET,        // the connection broke
    E_UNREACHABLE,  // no way there
    E_IN_USE,       // the address or port is taken
    E_NO_ENTRY,     // no such file or name
    E_EXISTS,
    E_ACCESS,       // permission refused
    E_READ_ONLY,
    E_NO_SPACE,     // disk or quota full
    E_IO,           // the device failed
    E_LIMIT,        // a named limit of ours was reached
    E_TOO_LONG,     // a line, name or message above its limit
    E_TLS,          // the handshake or a record failed
    E_PROTOCOL,     // the peer broke the protocol
    E_CORRUPT,      // stored bytes do not pass their checksum
    E_SEALED,       // a journal segment after a failed sync
    E_CRASHED,      // simulator: this host is down
    E_UNSUPPORTED,
    E_COUNT
} err;

const char *err_name(err e);      // "no-space": stable, for logs and labels
const char *err_text(err e);      // "no space left on the disk": for people
