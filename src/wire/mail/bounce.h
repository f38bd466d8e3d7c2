// Delivery status notifications (RFC 3461 6, 3462, 3464): the letter that tells a sender what became of theirs.
// multipart/report of three parts: for people, for programs, and the header of the letter.
#pragma once
#include "wire/mail/header.h"

typedef enum { BOUNCE_FAILED, BOUNCE_DELAYED } bounce_kind;

typedef struct {
    address recipient;
    str     original;                // ORCPT as the sender gave it; empty: none
    str     status;                  // "5.1.1"; empty: made from the kind ("5.0.0", "4.0.0")
    str     remote;                  // the host that said so; empty: we ourselves
    str     said;                    // its reply with the code, "550 5.1.1 no such mailbox", or our own sentence
    bool    is_reply;                // `said` is an SMTP reply (then it is quoted as Diagnostic-Code: smtp)
} bounce_recipient;

typedef struct {
    bounce_kind kind;
    str     host;                    // who reports: this MTA's name
    address to;                      // the envelope's sender; a letter without one must never be bounced (must)
    str     envelope_id;             // ENVID; empty: none
    str     message_id;              // of the bounce itself
    int64_t time_s, arrived_s;       // now; when the letter came to us
    int64_t tries_until_s;           // DELAYED: when we shall give up; 0: not said
    int     zone_minutes;
    uint64_t chance;                 // for the boundary
    const bounce_recipient *recipients;
    int     count;
    str     letter_header;           // what is returned: the header block of the letter, raw
} bounce;

enum { BOUNCE_HEADER_BYTES_MAX = 16384 };      // more of the letter's header is not returned

// The whole letter, header and body, in CR LF lines of 7 bits; its envelope sender is the null path. False: `out`
// is full.
bool bounce_compose(const bounce *b, buf *out);
