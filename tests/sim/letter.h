// The letter scene: two mail domains in a small Internet, a hundred senders, and everything that goes wrong on the way.
//
//     letter_hosts.c    the hosts and their services, started again after each crash
//     letter_sender.c   a client that follows RFC 5321: it tries until it has seen 250 or a refusal
//     letter_faults.c   what goes wrong
//     letter_check.c    reads the mailboxes when all has calmed down and judges
#pragma once
#include "rt/conn.h"
#include "rt/room.h"
#include "rt/tls.h"
#include "trial.h"

enum {
    LETTERS = 100, RECIPIENTS_MAX = 2, SENDER_HOSTS = 4, LETTER_BODY_BYTES_MAX = 3000, COPIES_MAX = 64,
    ID_BYTES_MAX = 20,
};

typedef enum { HOST_ROOT, HOST_TLD, HOST_NAMES, HOST_RESOLVER, HOST_HAMBURGER, HOST_CREPES, HOSTS } host_place;

typedef struct letter_scene letter_scene;

typedef struct {
    letter_scene *scene;
    host_place    place;
    const char   *name;
    world        *world;
    bool          serves, boots_in_vain;     // everything started; the last start failed (a full disk, a failing one)
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
    int             not_now;         // dots answered with 4xx: a record that reached the disk although its sync failed may be
                                     // delivered after a restart (better twice than lost, docs/design.md section 6)
    int             attempts;
} scene_letter;

struct letter_scene {
    trial       *trial;
    scene_host   hosts[HOSTS];
    world       *desks[SENDER_HOSTS];
    scene_letter letters[LETTERS];
    scope        life;               // of the hosts
    bool         calm;               // nothing went wrong in this trial
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
addr host_loopback(host_place place);            // mail hosts: where logging in without TLS is allowed
str  letter_text(const scene_letter *l, arena *a);           // header, blank line, body, CR LF lines
str  letter_body(const scene_letter *l, arena *a);

// letter_sender.c
void sender_run(void *letter);                   // fiber

// letter_faults.c
void faults_play(letter_scene *s);
void faults_heal(letter_scene *s);

// letter_check.c
void letters_check(letter_scene *s);
