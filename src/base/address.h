// An IP address with a port, in both families, and its text forms. Pure.
#pragma once
#include "base/arena.h"

typedef struct {
    uint8_t  family;          // 4, 6, or 0 for "none"
    uint16_t port;
    uint8_t  ip[16];          // network order; IPv4 in the first four, the rest zero
} addr;

enum { ADDR_TEXT_MAX = 56 };  // "[IPv6]:port" and its NUL

bool addr_parse_ip(str text, uint16_t port, addr *out);      // "127.0.0.1", "::1", "[::1]"; strict dotted quads
bool addr_parse(str text, uint16_t default_port, addr *out); // also "1.2.3.4:53", "[::1]:53", and dig's "1.2.3.4#53"
str  addr_ip_text(arena *a, addr x);                         // "127.0.0.1", "2001:db8::1" (RFC 5952)
str  addr_text(arena *a, addr x);                            // with port: "127.0.0.1:25", "[::1]:25"
void addr_print(char out[ADDR_TEXT_MAX], addr x);            // the same, NUL-terminated, no arena
bool addr_eq(addr a, addr b);                                // address and port
bool addr_eq_ip(addr a, addr b);
bool addr_is_loopback(addr x);                               // 127/8, ::1, and ::ffff:127/8
bool addr_is_private(addr x);                                // means nothing outside: loopback, RFC 1918, 3927, 4193, 6598, link-local
bool addr_is_any(addr x);                                    // 0.0.0.0, ::
addr addr_v4(uint32_t ip, uint16_t port);                    // ip in host order
addr addr_with_port(addr x, uint16_t port);
bool addr_in_prefix(addr x, addr prefix, int bits);          // same family and the first `bits` equal
