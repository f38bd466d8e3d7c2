// The UDP tracker protocol (BEP 15, 41): one datagram in, at most one out. Without a valid connection id never more bytes go out
// than came in; with one, an announce's answer fits one packet of any path, and a scrape's is smaller than its question.
#pragma once
#include "rooms/tracker/announce.h"
#include "wire/bt/tracker_udp.h"

enum {
    UDP_ANSWER_BYTES_MAX = 1232,    // 1280 (RFC 8200 section 5: every link carries that) - 40 (IPv6) - 8 (UDP)
    UDP_REQUEST_BYTES_MAX = 2048,
    UDP_REQUEST_MEMORY_BYTES = 64 * 1024,
    UDP_EXPIRED_BYTES = 33,         // of the answer to an invalid connection id
};

typedef enum { UDP_DROPPED, UDP_CONNECTED, UDP_ANNOUNCED, UDP_SCRAPED, UDP_REFUSED, UDP_UNPROVEN, UDP_VERDICTS } udp_verdict;

// out has room for out_max bytes; *len says how many were written (0: no answer). `msg` may be NULL only if nobody sends URL data.
udp_verdict udp_answer(tracker *t, addr from, str in, arena *msg, unsigned char *out, size_t out_max, size_t *len);
