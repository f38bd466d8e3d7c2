// naru mail, the user agent: what its parts share.
#pragma once
#include "cmd/options.h"
#include "rt/conn.h"
#include "rt/world.h"

enum {
    MAIL_MEMORY_BYTES_MAX = 256 << 20,
    MAIL_LETTER_BYTES_MAX = 64 << 20,
    MAIL_ATTACHMENTS_MAX = 32, MAIL_RECIPIENTS_MAX = 100, MAIL_NUMBERS_MAX = 200,
    MAIL_CA_BYTES_MAX = 4 << 20, MAIL_PASSWORD_BYTES_MAX = 4096,
    MAIL_CONNECT_MS = 10000,
};

typedef struct {
    // the command line
    str   verb, account, from, subject, text, text_file, attach, cc, server, ca_file, password, password_file, dir,
        save, dns;
    bool  json, raw, plaintext, tls;
    str   words[MAIL_RECIPIENTS_MAX + 1];
    int   word_count;
    // what was found
    world *world;
    arena  memory;
    addr   to;                       // the server
    str    tls_host, ca_pem;
    str    running;                  // the directory of a running naru, or empty
    // the outcome
    int    code;
    str    trouble;                  // a sentence when code is not COMMAND_OK
} mail_run;

// Each false with r->code and r->trouble.
bool mail_fail(mail_run *r, int code, str why);
// The server from --server, or from the running `naru try` when it has one for the account; the password likewise.
bool mail_find_server(mail_run *r, const char *service, uint16_t port);
// A conn to it, under TLS already when the port (or the service's name) says so. *tls: for STARTTLS, NULL with
// --plaintext.
bool mail_connect(mail_run *r, bool tls_first, conn **c, tls_config **tls);
str  mail_charset(void *arg, str charset, str bytes, arena *msg);     // a charset_convert over iconv
void mail_print(str text, bool one_line);                             // nothing in it steers the terminal

void mail_send(mail_run *r);
void mail_list(mail_run *r);
void mail_read(mail_run *r);
void mail_delete(mail_run *r);
