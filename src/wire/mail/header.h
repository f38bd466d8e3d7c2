// The header of a letter (RFC 5322 2.2): reading what strangers sent, writing what can never be read as two fields.
#pragma once
#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "wire/mail/address.h"

enum {
    HEADER_BYTES_MAX = 256 * 1024,   // of a whole block
    HEADER_FIELDS_MAX = 1000,
    HEADER_NAME_MAX = 76,            // bytes of a field's name
    HEADER_COLUMNS = 78,             // where lines are folded, RFC 5322 2.1.1
    HEADER_LINE_MAX = 998,           // no line is ever longer
    HEADER_HOPS_MAX = 100,           // more Received fields than these: the letter goes in circles (RFC 5321 6.3)
};

typedef struct {
    str name;                        // as written, without blanks
    str value;                       // behind the colon, still folded, without the last line end
    str raw;                         // the whole field with its line ends
} header_field;

typedef struct {
    header_field *fields;
    int  count;
    str  raw;                        // the fields, without the empty line
    str  body;                       // behind the empty line, or from the first line that is no field
    bool has_blank;                  // was there an empty line?
} header_block;

// Reads the block at the start of a message (lines end with CR LF or LF). The block ends at an empty line or at the
// first line that is no field, as when a person forgets the empty line. False: above HEADER_BYTES_MAX or
// HEADER_FIELDS_MAX, or the arena is full; *out then holds what came before the limit. Views live in `message`.
bool header_read(str message, arena *msg, header_block *out);

const header_field *header_find(const header_block *h, str name);                              // the first, NULL
const header_field *header_next(const header_block *h, const header_field *after, str name);   // further ones
int header_count(const header_block *h, str name);                // "Received": more than HEADER_HOPS_MAX is a loop

// A value on one line: folds become one blank, blanks at both ends go. Stray CR, LF and NUL become blanks.
str header_unfold(str value, arena *msg);

// ---- encoded words (RFC 2047) ----------------------------------------------------------------------------------

// Converts text of a charset that is not built in (UTF-8, US-ASCII and ISO-8859-1 are); the empty text: not known.
typedef str charset_convert(void *arg, str charset, str bytes, arena *msg);

// A field's value as UTF-8 for people: unfolded, encoded words decoded, control characters and malformed UTF-8
// replaced, so the result is one line. Words in unknown charsets stay as they are. convert may be NULL.
str header_text(str value, arena *msg, charset_convert *convert, void *arg);

// ---- writing ---------------------------------------------------------------------------------------------------
// All of these fold at HEADER_COLUMNS where there is a blank and break lines by force before HEADER_LINE_MAX; CR, LF,
// NUL and other control characters in values become blanks: what they are given can never start another field.
// They return false when `out` is full or the name is no field name.

bool header_put(buf *out, str name, str value);                   // ASCII; bytes above 127 become '?'
bool header_put_text(buf *out, str name, str text);               // UTF-8: encoded words where needed
bool header_put_addresses(buf *out, str name, const header_address *who, int count);   // names may be UTF-8
bool header_put_date(buf *out, str name, int64_t time_s, int zone_minutes);

typedef struct {
    str     helo;                    // as the peer called itself
    addr    peer;                    // family 0: a local one
    str     by;                      // this host
    str     with;                    // "SMTP", "ESMTP", "ESMTPS", "ESMTPSA", "LMTP" (RFC 3848)
    str     tls;                     // a comment on the cipher; may be empty
    str     id;
    address recipient;               // `for`; empty local: left out (always when there are several: no Bcc leaks)
    int64_t time_s;
    int     zone_minutes;
} received_line;
bool received_put(buf *out, const received_line *r, arena *msg);  // RFC 5321 4.4

// "<20261121125327.00f3a1b2c3d4e5f6@host>" from the time and 64 bits of chance (RFC 5322 3.6.4).
str message_id_make(arena *a, int64_t time_s, uint64_t chance, str host);
