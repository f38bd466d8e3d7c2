// What the two halves of the SMTP client share: smtp_send.c (a conversation's beginning and end) and smtp_letter.c.
#pragma once
#include "talk/smtp_send.h"

enum {
    SMTP_MESSAGE_BYTES_MAX = 256 * 1024,     // memory of one command and its reply
    SMTP_VERDICT_TEXT_MAX = 1024,            // of a reply's text kept in a verdict: a thousand recipients' fit into memory
    SMTP_PIPELINE_MAX = 100,                 // commands under way: their replies fit into the conn's buffer (RFC
                                             // 2920 3.1)
};

// RFC 5321 4.5.3.2, in minutes; a chunk of the letter is given its own 3.
enum { GREETING_MINUTES = 5, COMMAND_MINUTES = 5, DATA_MINUTES = 2, CHUNK_MINUTES = 3, DOT_MINUTES = 10,
      QUIT_SECONDS = 5 };

// A server that keeps each of those times and never gets on: greeting to AUTH together; MAIL to DATA together, for each recipient more;
// and the letter itself no slower than this, once the account of CHUNK_MINUTES is used up (conn_rate_min).
enum { START_MINUTES_MAX = 10, ENVELOPE_MINUTES_MAX = 10, RECIPIENT_SECONDS_MAX = 10, BODY_BYTES_PER_S_MIN = 500 };

struct smtp_client {
    conn               *c;
    smtp_client_options options;
    smtp_capabilities   capabilities;
    smtp_reply          reply;
    arena               msg;                 // one reply's lines
    buf                 wire;                // a chunk of the letter, dot-stuffed
    int64_t             until_ns;            // what is under way must have been answered by then
    bool                over;                // 421, broken, nonsense: nothing more can be sent
    bool                open_transaction;    // the last letter ended before its dot: RSET first
};

// Queues a command line (without CR LF) and tells it to the story.
void smtp_client_say(smtp_client *s, str line);
// What follows, all its replies together, may take so long. 0: each reply its own time alone.
void smtp_client_allow(smtp_client *s, int64_t ns);
// The next reply, within the time. false: the conversation is over; *verdict says why (`what` names the step).
bool smtp_client_hear(smtp_client *s, int64_t timeout_ns, const char *what, smtp_verdict *verdict, arena *a);
// Our own finding, as if the server had said it.
smtp_verdict smtp_verdict_of(int code, const char *enhanced, str text);
