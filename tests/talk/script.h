// A conversation script: what a client says and what a server must answer, line by line.
//
//     # a comment; the first one is the script's title
//     connect hamburger.edu smtp         a TCP connection to a service of a host: smtp, submission, submissions, pop3,
//                                        pop3s, dns, upper
//     datagram hamburger.edu upper       instead: a UDP socket; C= sends a datagram, S= wants one
//     S: 220 hamburger.edu *             a line comes (ended by CR LF) that looks like this: `*` stands for anything
//     S: /^250[ -]SIZE [0-9]+$/          or matches this extended regular expression
//     S.. 250 *                          any number of lines come, the last like this
//     C: HELO crepes.fr                  a line is sent, with CR LF
//     C= "no newline"                    exactly these bytes are sent (\r \n \t \\ \" \xHH)
//     S= "NO NEWLINE"                    exactly these bytes come
//     starttls                           a TLS handshake, as client
//     wait 1500ms                        time passes
//     letters hamburger.edu bob@hamburger.edu 1
//                                        waits until POP3 counts so many letters in the mailbox; before `connect`
//     shut                               we say no more, but listen
//     closed                             the server ends the connection, and says nothing before
//     close                              we end it
//
// In what is sent, {password WHO} stands for the password of an account and {plain WHO} for its SASL PLAIN
// response.
#pragma once
#include "base/arena.h"

typedef enum {
    TALK_CONNECT, TALK_DATAGRAM, TALK_SAY, TALK_SEND, TALK_HEAR, TALK_HEAR_LAST, TALK_HEAR_EXACTLY,
    TALK_STARTTLS, TALK_WAIT, TALK_LETTERS, TALK_SHUT, TALK_CLOSED, TALK_CLOSE,
} talk_act;

typedef struct {
    talk_act act;
    int      line;
    str      text;                   // what is said, the pattern, the bytes; the host of a connection
    str      service;                // of a connection; whose mailbox
    int64_t  wait_ms;
    uint64_t count;                  // of letters
} talk_step;

typedef struct {
    str        file, title;
    talk_step *steps;
    int        count;
} talk_script;

enum { TALK_STEPS_MAX = 1000, TALK_SCRIPT_BYTES_MAX = 1 << 20, TALK_LINE_BYTES_MAX = 4096 };

// False with a sentence in *why, in `a`.
bool talk_script_read(str name, str text, arena *a, talk_script *out, str *why);
bool talk_matches(str pattern, str line);
