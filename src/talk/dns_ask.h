// Asking DNS: one question to one server (a resolver, usually the node's own), over UDP with TCP on truncation. Rooms and commands
// use this; nobody calls getaddrinfo.
#pragma once
#include "rt/fiber.h"
#include "rt/world.h"

enum { DNS_ASK_TRIES = 3, DNS_ASK_ADDRESSES_MAX = 32, DNS_ASK_MX_MAX = 32, DNS_ASK_SERVERS_MAX = 4 };

typedef enum {
    DNS_FOUND,           // at least one record of the type (behind CNAMEs too)
    DNS_NO_DATA,         // the name exists, not the type
    DNS_NO_NAME,         // NXDOMAIN
    DNS_TROUBLE,         // SERVFAIL, REFUSED, nobody answered, nonsense: try again later
} dns_verdict;

typedef struct {
    dns_verdict verdict;
    err      error;              // of the asking itself (E_TIMEOUT ...), E_OK otherwise
    int      rcode;
    str      why;                // a sentence for people: "no answer from 127.0.0.53:53", with the EDE text when one came
    str      message;            // the whole answer in wire form (wire/dns reads it)
    uint32_t ttl_s;              // the smallest TTL of the answer
} dns_answer;

// Asks `servers` in turn (DNS_ASK_TRIES rounds within timeout_ns) for name (text form, absolute with or without the last dot).
dns_answer dns_ask(world *w, const addr *servers, int server_count, str name, uint16_t type, int64_t timeout_ns, arena *a);

// A and AAAA of a host (port 0). At most `max`; IPv6 and IPv4 in the order to try, those the world has no address for last.
dns_answer dns_ask_addresses(world *w, const addr *servers, int server_count, str host, addr *out, int max, int *count,
                             int64_t timeout_ns, arena *a);

// Mail exchangers of a domain, RFC 5321 section 5.1: sorted by preference, equal ones shuffled by the world's chance; without an MX the
// domain itself (implicit); `null_mx` for RFC 7505. DNS_NO_NAME and DNS_TROUBLE as they are.
typedef struct { str host; uint16_t preference; } mail_exchanger;
dns_answer dns_ask_mail(world *w, const addr *servers, int server_count, str domain, mail_exchanger *out, int max, int *count,
                        bool *null_mx, int64_t timeout_ns, arena *a);
