// What the doors of every room need: where they stand (the setting `listen`), and their certificate (`certificate`, `key`).
#pragma once
#include "rt/room.h"
#include "rt/tls.h"

// The addresses of the setting `listen` (SETTING_HOST or SETTING_ADDRESS; its other words, such as none, are no addresses); where it is
// absent the node's own; where it has none both "any", or 127.0.0.1 when only_here. Ports as written, else `port`. Returns how many, at
// most max (2 or more).
int  room_addresses(const room *r, bool only_here, uint16_t port, addr *out, int max);
// A machine without IPv6 cannot have the "any" of it: such a door is left out.
bool room_has_no_ipv6(addr at, err e);

enum { ROOM_PEM_BYTES_MAX = 256 * 1024 };
// A server's configuration for `service` (as for tls_server_new) from the files that the settings name. *out NULL: they name none.
// Parks. E_TLS with *why in r->memory: they cannot be read or used.
err  room_tls(room *r, const char *service, const char *const *alpn, tls_config **out, str *why);
// The files that `settings` name as they are now, into configurations that room_tls made (NULL among them: left out). only_try: would
// they do? Nothing changes. Parks. E_TLS with *why in r->memory.
err  room_tls_renew(room *r, const statement *settings, tls_config *const *all, int count, bool only_try, str *why);
