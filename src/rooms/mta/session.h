// One SMTP conversation, server side.
#pragma once
#include "rooms/mta/mta.h"

typedef struct {
    mta    *m;
    conn   *c;
    bool    submission;              // a door for our own people: AUTH first, relaying allowed
    bool    extended, greeted;       // EHLO was said; EHLO or HELO was said
    bool    over;                    // say no more, hang up
    arena   conversation, msg;       // two of the four lifetimes
    buf     reply;
    str     helo;                    // in `conversation`; what the peer calls itself
    str     account;                 // who has logged in; empty: nobody
    letter *letter;                  // the transaction's, from MAIL to the end of DATA; NULL: none
    address from;
    int     to_cap;
    unsigned errors, junk, auth_tries, letters, accepted, refused;       // letters: that were tried
    unsigned aimless;                // commands since the last letter
    int64_t  begun_ns, aimed_ns;     // since when it goes on; since when without a letter
} session;

// Answers, told to the story too. text: lines separated by '\n'.
void session_reply(session *s, int code, const char *enhanced, str text);
void session_format(session *s, int code, const char *enhanced, const char *format, ...) __attribute__((format(printf, 4, 5)));
void session_forget(session *s);     // ends the transaction: the letter and its recipients are gone
void message_receive(session *s);    // message.c: DATA, from 354 to the final answer
