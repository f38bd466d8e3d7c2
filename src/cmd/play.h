// What scenes are made of: a small Internet, conversations that are shown as they are held, and assertions that are counted.
#pragma once
#include "cmd/small_internet.h"
#include "rt/conn.h"

typedef struct play {
    small_internet *net;
    arena   memory;                  // the scene's
    bool    quiet;                   // --all: only the verdict
    int     checks, failed;
    uint64_t trace;                  // whose ladder is drawn at the end; 0: none
    str     first_failure;
} play;

// Counts an assertion and shows it.
bool play_check(play *p, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));
// A line of narration.
void play_tell(play *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A connection from one host of the small Internet to a service of another; never NULL. Closed by conn_close.
conn *play_connect(play *p, const char *from, const char *to, uint16_t port);
void  play_say(play *p, conn *c, const char *format, ...) __attribute__((format(printf, 3, 4)));    // a line, CR LF is added
void  play_show(play *p, const char *who, str line);                // "    C: line", nothing is sent
// Reads a reply (SMTP replies with all their lines); asserts that its last line starts with `want`. Returns that line.
str   play_expect(play *p, conn *c, const char *want);
// Reads lines up to the "." of a multi-line POP3 answer, unstuffed, joined with CR LF.
str   play_text(play *p, conn *c);

// A session with a host's submission port: under TLS, signed in.
conn *play_submission(play *p, const char *host, const char *who);
// Bob's mailbox by POP3 over TLS: signs in, waits (at most `patience_ns`) until it holds `count` letters, and leaves the session open
// (NULL when it never does; asserted).
conn *play_mailbox(play *p, const char *host, const char *who, int count, int64_t patience_ns);
// Wait until check(p, arg) or the time is over.
bool  play_until(play *p, int64_t patience_ns, bool (*check)(play *p, void *arg), void *arg);

typedef struct {
    const char *name, *title;        // "M1", "The textbook letter"
    void (*act)(play *p);            // NULL: not built yet
    const char *missing;             // what is not built of it, when it plays in part or not at all
    const char *map;                 // a further map of the small Internet that it plays on; NULL: none
} scene;

extern const scene mail_scenes[], name_scenes[], file_scenes[], socket_scenes[], later_scenes[];      // each ends with name NULL
void race_act(play *p);               // F1, in scene_race.c
