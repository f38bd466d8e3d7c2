// The data of records, driven by one table of field layouts. Inside naru rdata is a view of plain wire form: names in
// it are not compressed and have been checked. A type without a row is opaque bytes, shown as \# length hex (RFC 3597).
#pragma once
#include "wire/dns/name.h"
#include "wire/dns/type.h"
#include "wire/dns/token.h"

enum {
    DNS_RDATA_MAX = 65535,
    DNS_RDATA_FIELDS_MAX = 8,        // fields of one type
};

typedef enum {
    DNS_FIELD_END = 0,
    DNS_FIELD_NAME,                  // a name that may be compressed, both ways: the types of RFC 1035
    DNS_FIELD_NAME_READ,             // compressed on reading only: old types that some still compress (RFC 3597 4)
    DNS_FIELD_NAME_PLAIN,            // never compressed
    DNS_FIELD_U8,
    DNS_FIELD_U16,
    DNS_FIELD_U32,
    DNS_FIELD_TTL,                   // 32 bits of seconds; the text may say 1h30m
    DNS_FIELD_TYPE,                  // 16 bits, a type's mnemonic
    DNS_FIELD_A,
    DNS_FIELD_AAAA,
    DNS_FIELD_STRING,                // <character-string>: a length byte and up to 255 bytes
    DNS_FIELD_STRINGS,               // one or more of them, to the end
    DNS_FIELD_TEXT_REST,             // the rest as one quoted text (CAA)
    DNS_FIELD_HEX_REST,              // the rest as hex digits
} dns_field_kind;

typedef struct { dns_field_kind kind; const char *label; } dns_rdata_field;    // label: "preference", as RFC 1035 says

// The layout of a type, ended by DNS_FIELD_END; NULL for a type that naru keeps as opaque bytes.
const dns_rdata_field *dns_rdata_fields(unsigned type);

// Reads `len` bytes of rdata at the reader (which starts at the message's first byte) into plain wire form: a view
// into the message when nothing was compressed, else a copy in `msg`. The fields must fill `len` exactly.
// False, and the reader bad, on anything else.
bool dns_rdata_read(reader *r, size_t len, unsigned type, arena *msg, str *out);
// Is `rdata` well-formed plain wire form of this type? Opaque types: always.
bool dns_rdata_valid(unsigned type, str rdata);
// Writes plain rdata, its names compressed where RFC 3597 4 lets them be; c NULL: never.
void dns_rdata_write(writer *w, dns_compressor *c, unsigned type, str rdata);

// The name inside the rdata that the record points to: NS, CNAME, DNAME, PTR the name; MX the exchange; SRV the
// target. Length 0 for other types.
dns_name dns_rdata_target(unsigned type, str rdata);
uint16_t dns_rdata_preference(str mx_rdata);

typedef struct { dns_name mname, rname; uint32_t serial, refresh_s, retry_s, expire_s, minimum_s; } dns_soa;
bool dns_rdata_soa(str rdata, dns_soa *out);

// Text form (RFC 1035 5.1) of plain rdata; what its type's row cannot show becomes \# form.
str dns_rdata_text(arena *a, unsigned type, str rdata);
// Text tokens to plain rdata in `a`; relative names end in `origin`. Also takes \# length hex for every type.
// False with a sentence in *why.
bool dns_rdata_from_tokens(arena *a, unsigned type, const dns_token *token, int tokens, dns_name origin, str *out,
                           const char **why);
// The same from one line of text.
bool dns_rdata_from_text(arena *a, unsigned type, str text, dns_name origin, str *out, const char **why);

bool dns_ttl_from_text(str text, uint32_t *seconds);     // 3600, 1h30m, 2W; at most 2^32-1
