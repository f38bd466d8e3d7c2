// Compact addresses (BEP 23, 7, 5): 4 or 16 bytes of IP and two of port. Pure.
#pragma once
#include "base/address.h"
#include "base/buf.h"
#include "base/bytes.h"

enum { ENDPOINT_V4_BYTES = 6, ENDPOINT_V6_BYTES = 18 };
static inline int endpoint_bytes(int family) { return family == 6 ? ENDPOINT_V6_BYTES : ENDPOINT_V4_BYTES; }

addr endpoint_read(reader *r, int family);               // family 0 after a failed read
void endpoint_write(writer *w, addr x);                  // its own family's form
// Appends the endpoints of one family; others are passed over. False when full.
bool endpoint_put_all(buf *out, const addr *list, int count, int family);
int  endpoint_count(const addr *list, int count, int family);
// A run of whole endpoints: appended to list, up to max (the rest is passed over). False when the length is no multiple.
// Port 0 is nobody's: such endpoints are passed over.
bool endpoint_read_all(str compact, int family, addr *list, int *count, int max);
