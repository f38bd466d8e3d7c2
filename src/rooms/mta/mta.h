// The mail transfer agent: accepts letters (SMTP, submission), keeps them in the spool until each recipient has an end, and
// carries them on: inside by LMTP to the mailstore, outside by SMTP to the exchangers of the domain.
//
//     session.c  what a client says, line by line          message.c  the text behind DATA, and its acceptance
//     queue.c    which letter goes where, and when          deliver.c  one conversation with a destination
//     spool.c    what survives a crash                      control.c  what `naru queue` asks
//     room.c     start and end, doors, certificates         settings.c what naru.conf may say
#pragma once
#include "rooms/mta/spool.h"
#include "rt/room.h"
#include "rt/story.h"
#include "rt/tls.h"
#include "wire/mail/smtp.h"

typedef struct queue queue;

enum {
    MTA_DOMAINS_MAX = 64,
    MTA_RESOLVERS_MAX = 4,
    MTA_TRACE_PREFIXES_MAX = 8,
    MTA_ERRORS_MAX = 20,             // refused commands a conversation
    MTA_JUNK_MAX = 1000,             // NOOP, RSET, VRFY, HELP and empty lines a conversation
    MTA_COMMANDS_A_LETTER_MAX = 5000,    // of any kind, however polite, before the next letter comes
    MTA_AUTH_TRIES_MAX = 5,
    MTA_LETTERS_MAX = 10000,         // letters a conversation
    MTA_AIMLESS_MINUTES_MAX = 30,    // without a letter, however polite the commands in between
    MTA_LIFE_HOURS_MAX = 24,         // of a conversation
    MTA_TEXT_HOURS_MAX = 2,          // of one letter behind DATA, however steadily it comes
};

typedef struct {
    room  *room;
    world *w;
    str    host;                     // as we call ourselves
    str    domains[MTA_DOMAINS_MAX];
    int    domain_count;
    addr   resolvers[MTA_RESOLVERS_MAX];
    int    resolver_count;
    struct { addr prefix; int bits; } trace_from[MTA_TRACE_PREFIXES_MAX];   // peers whose stories we continue
    int    trace_from_count;
    str    postmaster;               // who gets mail for <postmaster>
    int64_t size_bytes_max, retry_ns, retry_max_ns, expire_ns;
    int    recipients_max, senders_max, concurrency_max;
    bool   plaintext_loopback, sent_copies;
    tls_config *tls_smtp, *tls_submission, *tls_client;
    spool *spool;
    queue *queue;
} mta;

extern const room_kind mta_kind;

// ---- settings.c ----
extern const setting mta_settings[];
bool mta_settings_take(mta *m, const statement *block, str *why);     // false with a sentence; m is then half changed
const statement *mta_statements(const statement *block, const char *key);    // the first with this key; config_next goes on
bool mta_is_local(const mta *m, str domain);
bool mta_trusts_trace(const mta *m, const conn *c);  // may this peer say which story its letters belong to?
void mta_converse(conn *c, void *arg);               // session.c: port 25; arg is the mta
void mta_converse_submission(conn *c, void *arg);    // 587 and 465
void mta_control(mta *m);                            // control.c: adds its routes
int  mta_story(void *arg, uint64_t trace, story_event *out, int max);     // story.c: what the spool knows (talk/control.h)
void mta_backup(mta *m);                             // backup.c: lends the spool to `naru backup`

// ---- meters.c ----
void mta_count_accepted(int64_t bytes);
void mta_count_refused(void);
void mta_count_delivered(bool local);
void mta_count_bounced(void);
void mta_count_deferred(void);
void mta_count_waiting(int64_t change);          // living letters
void mta_meters_show(void);
