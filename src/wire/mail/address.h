// Mail addresses: the path of an SMTP envelope (RFC 5321 4.1.2) and the address lists of a header (RFC 5322 3.4).
// The parser of the envelope is friendly to people who type (a space after the colon, no angle brackets) and strict
// about everything that two servers could read differently: control characters, bytes above 127, lengths.
#pragma once
#include "base/arena.h"
#include "base/buf.h"

enum {
    ADDRESS_LOCAL_MAX = 64,          // bytes, RFC 5321 4.5.3.1.1, with its quotes
    ADDRESS_DOMAIN_MAX = 255,        // bytes, RFC 5321 4.5.3.1.2
    ADDRESS_PATH_MAX = 256,          // bytes, RFC 5321 4.5.3.1.3, with the angle brackets, without a source route
    ADDRESS_COMMENT_DEPTH_MAX = 16,  // ( ( ) ) of a header
    ADDRESS_LIST_MAX = 1000,         // addresses that are read from one header field
};

// `local` is the text itself: quotes and backslashes taken away (address_write puts them back where needed).
// `domain` is as it was written, an address literal with its brackets, empty when there was none.
typedef struct {
    str local, domain;
} address;

typedef enum {
    ADDRESS_OK,
    ADDRESS_NULL,          // "<>", the sender of bounces
    ADDRESS_NO_DOMAIN,     // "<postmaster>": only the local part is filled in; the caller decides
    ADDRESS_SYNTAX,
    ADDRESS_TOO_LONG,
    ADDRESS_NOT_ASCII,     // well formed but with bytes above 127: needs SMTPUTF8 (RFC 6531), which is not offered
} address_verdict;

// Reads the path at the start of *s: `<a@b>`, `<@relay:a@b>` (the source route is dropped, RFC 5321 4.1.1.3), `a@b`
// up to a blank. Blanks before it are skipped. On OK, NULL and NO_DOMAIN *s moves behind the path, otherwise it stays.
// The parts live in *s or in `msg`.
address_verdict address_path_read(str *s, arena *msg, address *out);

// The whole of `s` is one address, with or without angle brackets.
address_verdict address_read(str s, arena *msg, address *out);

// A host name as in HELO, an address's domain or an address literal: letters, digits, '-', '_' and '.', no empty label,
// labels of at most 63 bytes; or "[192.0.2.1]", "[IPv6:2001:db8::1]".
bool address_domain_valid(str domain);

// Writes local@domain, the local part quoted where RFC 5321 wants it. Never writes CR, LF, NUL: an address that holds
// them (none that was read here does) writes nothing and gives false.
bool address_write(buf *out, address a);
str  address_text(arena *a, address who);         // the same as a text; "" for the null path or a full arena

// Same mailbox? The domain compares without case, the local part as it is (RFC 5321 2.4).
bool address_eq(address a, address b);
// The form in which naru's own mailboxes are looked up: local@domain, all of it in lower case.
str  address_key(arena *a, address who);

// One address of From, To, Cc, ... `name` is the display name (quotes gone, encoded words still encoded), or the
// comment that followed a bare address; `group` is the name of the group it stood in. Empty where absent.
typedef struct {
    str     name, group;
    address address;
} header_address;

// Reads the list in a field's unfolded value. At most `max` entries are stored. Entries that are no address are skipped
// and *bad (may be NULL) is set: header lists are shown to people, never trusted. Returns the number stored.
// Time grows with the length of the value alone.
int address_list_read(str value, arena *msg, header_address *out, int max, bool *bad);
