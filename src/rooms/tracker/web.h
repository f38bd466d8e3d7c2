// The HTTP tracker protocol (BEP 3, 7, 23, 24, 31, 48): a request's path and query in, a bencoded answer out. Who asks has proven
// its address by the connection.
#pragma once
#include "rooms/tracker/announce.h"

enum { WEB_ANSWER_BYTES_MAX = 16 * 1024 };

typedef enum { WEB_ANNOUNCED, WEB_SCRAPED, WEB_REFUSED, WEB_UNKNOWN, WEB_VERDICTS } web_verdict;

// WEB_UNKNOWN: neither announce nor scrape; nothing is written then. path decoded, query raw. out has room for
// WEB_ANSWER_BYTES_MAX.
web_verdict web_answer(tracker *t, addr from, str path, str query, arena *msg, buf *out);
