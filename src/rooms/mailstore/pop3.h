// One POP3 session, in the two halves of RFC 1939: before a login (pop3.c) and with a maildrop (pop3_maildrop.c).
#pragma once
#include "rooms/mailstore/mailstore_inside.h"
#include "wire/mail/pop3.h"

enum {
    POP3_MESSAGE_BYTES_MAX = 256 * 1024,     // memory of one command; an inline letter fits
    POP3_CONVERSATION_BYTES_MAX = 16 * 1024,
    POP3_MISTAKES_MAX = 20,                  // commands that are none, then the line is hung up
    POP3_COMMANDS_BEFORE_LOGIN_MAX = 50,
    POP3_LOGIN_MINUTES_MAX = 10,             // all that comes before the login together
    POP3_LIFE_HOURS_MAX = 24,                // of a session: its maildrop is locked for as long
    POP3_LOGINS_MAX = 5,                     // wrong passwords of one connection
};

typedef struct {
    mailstore *m;
    conn      *c;
    arena      conversation, msg;
    buf        out;
    str        user;                 // after USER
    account   *account;              // after the login: its maildrop is locked by this session
    maildrop   drop;
    int        mistakes, logins_failed, commands_before_login;
    int        retrieved, removed;
    bool       quitting;
    int64_t    begun_ns;
} pop3_session;

void pop3_say_ok(pop3_session *s, str text);
void pop3_say_err(pop3_session *s, const char *code, str text);
// The TRANSACTION state, from the greeting after the login to QUIT or the end of the conversation; then the lock is
// gone.
void pop3_maildrop_serve(pop3_session *s);
void pop3_capabilities(pop3_session *s);
// The next command; false: the conversation ends.
bool pop3_next(pop3_session *s, pop3_command *q);
