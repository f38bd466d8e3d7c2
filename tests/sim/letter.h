// The letter scene: two mail domains in a small Internet, a hundred senders, and everything that goes wrong on
// the way.
//
//     letter_hosts.c    the hosts and their services, started again after each crash
//     letter_sender.c   a client that follows RFC 5321: it tries until it has seen 250 or a refusal
//     letter_mailbox.c  readers of mailboxes, while it goes on and at the end
//     letter_faults.c   what goes wrong
//     letter_check.c    judges
#pragma once
#include "rt/conn.h"
#include "rt/room.h"
#include "rt/tls.h"
#include "trial.h"

enum {
    LETTERS = 100, RECIPIENTS_MAX = 2, SENDER_HOSTS = 4, PEOPLE = 4, COPIES_MAX = 64, ID_BYTES_MAX = 20,
    LETTER_BODY_BYTES_MAX = 128 * 1024, LETTER_MEMORY = 3 * LETTER_BODY_BYTES_MAX,
    MAILBOX_ITEMS_MAX = 1000, UIDL_BYTES_MAX = 71,           // RFC 1939: at most 70
};

typedef enum { HOST_ROOT, HOST_TLD, HOST_NAMES, HOST_RESOLVER, HOST_HAMBURGER, HOST_CREPES, HOSTS } host_place;

typedef struct letter_scene letter_scene;

typedef struct {
    letter_scene *scene;
    host_place    place;
    const char   *name;
    world        *world;
    bool          serves;            // everything started
    node         *node;              // while it serves
    bool          in_trouble;        // a director is at it
} scene_host;

typedef struct {
    str  address;                    // as it stands in the envelope
    bool exists;
    bool refused;                    // the server we talked to said 5xx: nothing was promised for it
    // what the checker found
    int  copies, bounces;
    char ids[COPIES_MAX][ID_BYTES_MAX];      // the last server's id of each copy
} scene_recipient;

typedef struct {
    letter_scene   *scene;
    int             number;
    bool            submitted;       // to the sender's own server, with a login; else straight to the recipient's
    str             from;
    scene_recipient to[RECIPIENTS_MAX];
    int             to_count;
    world          *desk;            // where the sender sits
    bool            accepted, over;  // 250 seen; nothing more to do
    int             unanswered;      // dots that never had an answer: each may have made a copy (RFC 1047)
    int             not_now;         // dots answered with 4xx: a record that reached the disk although its sync
                                     // failed may be delivered after a restart (docs/design.md section 6)
    int             attempts;
} scene_letter;

typedef struct {
    char id[UIDL_BYTES_MAX];
    bool perhaps_deleted;            // DELE and QUIT were sent
} mailbox_item;

typedef struct {
    letter_scene *scene;
    host_place    place;
    const char   *owner;
    mailbox_item  items[MAILBOX_ITEMS_MAX];      // every message ever seen in it
    int           count;
} scene_mailbox;

struct letter_scene {
    trial       *trial;
    scene_host   hosts[HOSTS];
    world       *desks[SENDER_HOSTS];
    scene_letter letters[LETTERS];
    scene_mailbox mailboxes[PEOPLE];
    scope        life;               // of the hosts
    bool         calm;               // nothing went wrong in this trial
    bool         both_tls;           // between the servers too
    tls_config  *tls;                // the senders'
    arena        memory;
    int          doubtful_hops;      // what happened that may have cut a conversation between two servers
};

#define SOUND_DISK ((sim_disk){.write_ns = 10000, .sync_ns = NS_PER_MS, .per_kib_ns = 200})
#define SCENE_PASSWORD "correct horse battery"

// letter_hosts.c
void hosts_make(letter_scene *s);
void host_start(scene_host *h);                  // boots it
bool hosts_serve(letter_scene *s, int64_t patience_ns);      // waits until every host serves
addr host_address(host_place place);
str  letter_text(const scene_letter *l, arena *a);           // header, blank line, body, CR LF lines
str  letter_body(const scene_letter *l, arena *a);

// letter_sender.c
void sender_run(void *letter);                   // fiber

// letter_mailbox.c
// Reads what is new by POP3 and judges it; then deletes all, unless `keep`. False: something broke on the way.
bool mailbox_fetch(scene_mailbox *b, bool keep);
void reader_run(void *mailbox);                  // fiber

// letter_faults.c
void faults_play(letter_scene *s);               // in the end everything is sound again

// letter_check.c
void message_judge(scene_mailbox *b, str text);
void letters_check(letter_scene *s);
