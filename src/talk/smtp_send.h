// Sending mail over a conn that the caller opened: SMTP (RFC 5321) and LMTP (RFC 2033), many letters over one
// connection.
#pragma once
#include "rt/conn.h"
#include "wire/mail/address.h"
#include "wire/mail/smtp.h"

typedef struct {
    bool        lmtp;
    str         helo;                // our name in EHLO / LHLO
    tls_config *tls;                 // STARTTLS when offered; NULL: never
    bool        tls_required;        // no TLS, no letter
    str         tls_host;            // the name to check when the config verifies, and for SNI
    str         user, password;      // AUTH PLAIN under TLS (or inside); empty: none
} smtp_client_options;

typedef struct smtp_client smtp_client;

// What the other side said, for one recipient or for the whole conversation. Texts live in the arena that was given.
typedef struct {
    err  error;                      // the conversation broke: E_TIMEOUT, E_RESET, E_PROTOCOL, E_TLS ...; E_OK when
                                     // there is a reply
    int  code;                       // 250, 450, 550 ...; 0 when there was no reply
    str  enhanced;                   // "5.1.1" or empty
    str  text;                       // the reply's text (printable), or a sentence about the error
    bool after_dot;                  // the conversation broke between the final dot and its answer: the letter may
                                     // have arrived
} smtp_verdict;

// Greeting, EHLO (HELO when refused) or LHLO, STARTTLS, AUTH. NULL with *verdict on failure; the conn stays the
// caller's.
smtp_client *smtp_client_start(conn *c, smtp_client_options options, arena *a, smtp_verdict *verdict);
const smtp_capabilities *smtp_client_capabilities(const smtp_client *s);

// delivery_id and mailbox (other than the inbox, "Sent"): LMTP inside, when the server announced them (XDELIVERYID,
// XMAILBOX).
typedef struct { address to; str delivery_id, mailbox; } smtp_recipient;

// The body comes in pieces: fills *piece (valid until the next call) and returns true, or false at the end (or on
// trouble: *trouble).
typedef bool smtp_body(void *arg, str *piece, err *trouble);
typedef struct {
    address from;                    // empty: the null path
    const smtp_recipient *to;
    int     count;
    int64_t size_bytes;
    bool    body_8bit;               // holds bytes above 127
    smtp_body *body;                 // CR LF lines, not dot-stuffed
    void   *body_arg;
} smtp_letter;

// One letter; verdicts[i] for each recipient. false when the conversation is over (verdicts say what became of each
// all the same). After true the next letter may follow on the same connection (M4).
bool smtp_client_send(smtp_client *s, const smtp_letter *letter, smtp_verdict *verdicts, arena *a);
void smtp_client_quit(smtp_client *s);       // QUIT and its answer (short), frees the client, not the conn
void smtp_client_drop(smtp_client *s);       // frees the client without a word
