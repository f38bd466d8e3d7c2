// SMTP and LMTP as text: commands, replies, capabilities (RFC 5321, 2033, 1652, 1870, 2034, 3461, 4954).
// Pure: a line in, a value out. What a command means is the room's business.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "wire/mail/address.h"

enum {
    SMTP_COMMAND_LINE_MAX = 2048,    // bytes with CR LF; RFC 5321 wants 512, AUTH and parameters want more
    SMTP_REPLY_LINE_MAX = 2048,      // bytes of a line that we accept from a server; RFC 5321 says 512
    SMTP_REPLY_LINES_MAX = 128,      // lines of one reply
    SMTP_REPLY_BYTES_MAX = 16384,    // text of one reply
    SMTP_PARAMETERS_MAX = 16,        // ESMTP parameters of one command
    SMTP_DELIVERY_ID_MAX = 64,       // bytes of XDELIVERYID
    SMTP_MAILBOX_MAX = 255,          // bytes of XMAILBOX, as xtext
    SMTP_ENVID_MAX = 100,            // RFC 3461 4.4
    SMTP_ORCPT_MAX = 500,            // RFC 3461 4.2
};

typedef enum {
    SMTP_UNKNOWN, SMTP_EMPTY, SMTP_HELO, SMTP_EHLO, SMTP_LHLO, SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_BDAT, SMTP_RSET,
    SMTP_NOOP, SMTP_VRFY, SMTP_EXPN, SMTP_HELP, SMTP_QUIT, SMTP_STARTTLS, SMTP_AUTH,
    SMTP_HTTP,                       // a browser, or a page that makes one talk to us (ALPACA): hang up
    SMTP_VERB_COUNT
} smtp_verb;

// Bits of smtp_parameters.given.
typedef enum {
    SMTP_HAS_SIZE = 1, SMTP_HAS_BODY = 2, SMTP_HAS_AUTH = 4, SMTP_HAS_RET = 8, SMTP_HAS_ENVID = 16,
        SMTP_HAS_NOTIFY = 32,
    SMTP_HAS_ORCPT = 64, SMTP_HAS_DELIVERY_ID = 128, SMTP_HAS_SMTPUTF8 = 256,
    SMTP_HAS_MAILBOX = 512, SMTP_HAS_TRACE = 1024,
} smtp_parameter;

enum { SMTP_NOTIFY_NEVER = 1, SMTP_NOTIFY_SUCCESS = 2, SMTP_NOTIFY_FAILURE = 4, SMTP_NOTIFY_DELAY = 8 };

typedef struct {
    unsigned given;                  // which of them were there
    uint64_t size_bytes;             // SIZE=
    bool     body_8bit;              // BODY=8BITMIME
    bool     return_full;            // RET=FULL
    unsigned notify;                 // NOTIFY=, SMTP_NOTIFY_*
    str      auth, envid, orcpt;     // xtext decoded; orcpt without its address type "rfc822;"
    str      delivery_id;            // XDELIVERYID=, letters and digits and '-' '_' '.' alone
    str      mailbox;                // XMAILBOX=, xtext decoded: a mailbox other than the inbox
    uint64_t trace;                  // XTRACE=, hexadecimal: the story that this letter belongs to
} smtp_parameters;

typedef struct {
    smtp_verb       verb;
    smtp_verb       meant;           // for SMTP_UNKNOWN: the nearest verb, SMTP_UNKNOWN when none is near
    str             word;            // the first word as typed
    str             argument;        // what follows it, without blanks at both ends
    str             mechanism;       // AUTH: its first word; `argument` is then the initial response, "=" for an
                                     // empty one
    address         path;            // MAIL, RCPT
    address_verdict path_verdict;    // ADDRESS_OK, ADDRESS_NULL or ADDRESS_NO_DOMAIN when there is no complaint
    smtp_parameters parameters;
    // When `complaint.code` is not 0 the command is refused with it: a ready reply that says what would be right.
    struct { int code; const char *enhanced; str text; } complaint;
} smtp_command;

// Reads one line (without its CR LF). Never fails: what is not understood comes back as SMTP_UNKNOWN with a hint,
// what is understood but wrong with a complaint. Views live in `line` and `msg`.
smtp_command smtp_command_read(str line, arena *msg);

const char *smtp_verb_name(smtp_verb v);           // "MAIL"; "?" for what is none

// Applies backspace and DEL as a person at telnet means them, whole UTF-8 characters at a time. The same view when
// there is none of them in it. Only for sessions that never said EHLO: programs do not make typing errors.
str smtp_line_edit(str line, arena *msg);

// Writes a reply. Lines of `text` are separated by '\n'; each gets the code, and the enhanced code (may be "") where
// RFC 2034 allows it. Other control characters in the text become '?', so that nothing a peer sent can start a line.
// Lines are cut at SMTP_REPLY_LINE_MAX. False when `out` is full.
bool smtp_reply_write(buf *out, int code, const char *enhanced, str text);

// A server's reply, line by line. Zero-initialise; hand over each line without CR LF until it says DONE or BAD.
typedef struct {
    int  code;                       // 200 to 599; RFC 5321 4.2 ends at 559, real servers do not
    int  lines;
    buf  text;                       // lines without their codes, separated by '\n'; the enhanced code still in it
} smtp_reply;

typedef enum { SMTP_REPLY_MORE, SMTP_REPLY_DONE, SMTP_REPLY_BAD } smtp_reply_state;

void             smtp_reply_begin(smtp_reply *r);   // ready for the next reply; keeps the buffer
smtp_reply_state smtp_reply_line(smtp_reply *r, str line);   // BAD: not a reply line, another code, above a ceiling
void             smtp_reply_free(smtp_reply *r);
// "5.1.1" at the start of a reply's text when its class fits the code (RFC 2034 4), else empty.
str              smtp_reply_enhanced(int code, str text);

// What a server offered in its answer to EHLO or LHLO.
typedef struct {
    bool     pipelining, eight_bit_mime, starttls, smtputf8, dsn, enhanced_status_codes, chunking, size;
    bool     delivery_id, mailbox, trace;      // naru's own: XDELIVERYID, XMAILBOX, XTRACE (docs/mailstore.md)
    uint64_t size_bytes_max;         // 0: no fixed limit
    bool     auth_plain, auth_login;
} smtp_capabilities;

smtp_capabilities smtp_capabilities_read(str reply_text);   // the text of the reply; its first line is the greeting

// xtext (RFC 3461 4): "+HH" and printable letters. Reading fails on anything else, and on an encoded control character:
// what came in as +0A must not go out as a line break.
bool xtext_read(str s, arena *msg, str *out);
bool xtext_write(buf *out, str s);
