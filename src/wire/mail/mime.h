// MIME (RFC 2045, 2046, 2231): reading the tree of a letter's parts within ceilings, and composing letters.
#pragma once
#include "wire/mail/header.h"

enum {
    MIME_DEPTH_MAX = 20,             // multiparts inside multiparts
    MIME_PARTS_MAX = 1000,
    MIME_PARAMETERS_MAX = 32,        // of one Content-Type; further ones are not seen
    MIME_SECTIONS_MAX = 16,          // name*0, name*1, ... (RFC 2231 3)
    MIME_BOUNDARY_MAX = 70,          // RFC 2046 5.1.1
    MIME_LINE_MAX = 998,
};

typedef enum { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_BASE64, MIME_QUOTED_PRINTABLE,
              MIME_ENCODING_UNKNOWN } mime_encoding;

typedef struct {
    str name, value;                 // name in lower case, value without quotes
} mime_named;

typedef struct {
    str type, subtype;               // lower case: "text", "plain"
    mime_named *parameters;
    int parameter_count;
} mime_type;

// Reads a Content-Type or Content-Disposition value (then `type` is "attachment" and `subtype` empty). False:
// malformed; *out is then text/plain.
bool mime_type_read(str value, arena *msg, mime_type *out);
// A parameter by its lower-case name, RFC 2231 sections put together and percent-decoded; its charset, when one was
// given and is not UTF-8, is converted. Empty when absent. Controls become blanks.
str  mime_parameter(const mime_type *t, str name, arena *msg, charset_convert *convert, void *arg);

typedef struct {
    header_block  header;
    mime_type     type;
    mime_encoding encoding;
    str           content;           // still encoded; a multipart's whole content
    str           file_name;         // from Content-Disposition or Content-Type, without any directory; empty: none
    bool          attachment;        // Content-Disposition: attachment
    int           depth, parent;     // 0 and -1 for the letter itself
} mime_part;

typedef struct {
    mime_part *parts;                // the letter itself, then its parts in order of writing
    int        count, room;
    bool       cut;                  // a ceiling was reached or the arena is full: what lies deeper is not listed
} mime_tree;

// Never fails on malformed input: what cannot be understood is a leaf. Time: at most MIME_DEPTH_MAX times the length.
mime_tree mime_read(str message, arena *msg);
// A leaf's content decoded. Text parts keep CR LF lines. False when `out` is full.
bool mime_decode(const mime_part *p, buf *out);

// ---- composing -------------------------------------------------------------------------------------------------

typedef struct {
    str file_name;                   // UTF-8
    str type;                        // "image/jpeg"; empty: application/octet-stream
    str bytes;
} mime_attachment;

typedef struct {
    const header_address *from, *to, *cc;
    int   from_count, to_count, cc_count;
    str   subject, text;             // UTF-8
    const mime_attachment *attachments;
    int   attachment_count;
    str   message_id;                // with its angle brackets
    int64_t time_s;
    int   zone_minutes;
    bool  eight_bit;                 // text beyond ASCII may go as it is; otherwise quoted-printable or base64
    uint64_t chance;                 // for the boundary
} mime_letter;
bool mime_compose(const mime_letter *l, buf *out);                // false: `out` is full

// A letter for a next hop without 8BITMIME: every leaf that holds bytes above 127 is re-encoded as quoted-printable
// (text) or base64, multiparts are declared 7bit, a letter without MIME is given its fields. Bytes above 127 in
// header fields become '?'. False: `out` is full or the letter was too deep to convert.
bool mime_to_7bit(str message, arena *msg, buf *out);
bool mime_has_8bit(str message);

// "image/jpeg" for "photo.jpg", by the name's ending; application/octet-stream when not known.
str  mime_type_of_file(str file_name);
