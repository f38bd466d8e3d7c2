// Names that never leave this machine (RFC 6761, RFC 7686): localhost and what is below it is this machine; invalid and
// onion do not exist in the DNS. The root servers' own addresses come from the hints that we begin with (RFC 9609).
#pragma once
#include "rooms/resolver/resolve.h"

// True when the name is special; the answer is in *out, its texts in `a`.
bool special_find(const resolver *r, dns_question q, arena *a, found *out);
