// EDNS Client Subnet (RFC 7871): the network for which a query is asked, and the networks for which an answer is good.
#pragma once
#include "base/address.h"
#include "base/bytes.h"

enum { DNS_SUBNET_BYTES_MAX = 4 + 16 };      // of the option's value

typedef struct {
    addr    network;                         // family 4 or 6, or 0 when nothing is told; zero beyond `source` bits, port 0
    uint8_t source;                          // how many of its bits are told; 0: "do not use my address"
    uint8_t scope;                           // replies: good for all whose first `scope` bits are these; queries: 0
} dns_subnet;

// The network of an address, cut to at most `bits`.
dns_subnet dns_subnet_of(addr x, int bits);
// Reads the option's value. False when it breaks RFC 7871 6: an unknown family, more bits than the family has, more or fewer
// bytes than `source` needs, bits set beyond it.
bool   dns_subnet_read(str value, dns_subnet *out);
void   dns_subnet_write(writer *w, const dns_subnet *s);
size_t dns_subnet_bytes(const dns_subnet *s);               // of the option's value
bool   dns_subnet_same(const dns_subnet *a, const dns_subnet *b);      // family, source and network; RFC 7871 7.3
str    dns_subnet_text(arena *a, const dns_subnet *s);      // "198.51.100.0/24", with a scope "198.51.100.0/24 for /16"
// "198.51.100.0/24", "2001:db8::/56", "198.51.100.7" (all of it), "0" (nothing is told). False: it is none of these.
bool   dns_subnet_from_text(str text, dns_subnet *out);
