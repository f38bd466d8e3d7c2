// naru backup, naru backup verify, naru restore. docs/backup.md.
#pragma once
#include <jansson.h>

#include "cmd/backup_copy.h"

enum {
    BACKUP_MEMORY_BYTES_MAX = 512 << 20, BACKUP_LEFT_OUT_MAX = 64,
    BACKUP_PATIENCE_S = 30,              // for a service that is being started again
    BACKUP_TRIES_MAX = 20,               // of one loan whose service died meanwhile
    BACKUP_DEPTH_MAX = 32,
};

typedef struct {
    arena  memory;
    world *world;
    str    from, to, config;             // naru's directory; the backup's; naru.conf, empty: none known
    json_t *status;                      // of the running naru; NULL: it is stopped
    file  *lock;                         // of the stopped one
    copier copier;
    manifest_writer manifest;
    str    left_out[BACKUP_LEFT_OUT_MAX];
    int    left_out_count, tried_again, code;
    str    trouble;                      // when code is not COMMAND_OK
    str    loan_service;                 // the loan that is out
    char   loan[17];
    int64_t beat_ns;
} backup;

bool backup_fail(backup *b, str why);                        // false: code and trouble are set (the first one counts)
bool backup_left_out(backup *b, str what);
// One file into the backup: path below naru's directory, under data/. bytes -1: all. E_NO_ENTRY passes.
err  backup_data_file(backup *b, str path, int64_t bytes);
// A directory of a service that does not run, with all below it. backup_stopped.c
bool backup_tree(backup *b, str path);
bool backup_blobs(backup *b, str store, err *e);             // finished blobs of a store; false: *e
bool backup_stopped(backup *b);                              // all of a naru that does not run; takes its lock
bool backup_running(backup *b);                              // all of a running one. backup_running.c
enum { BACKUP_LENDERS = 7 };
extern const char *const backup_lenders[BACKUP_LENDERS];     // services that lend their files, in the order in which they are asked
bool backup_left_out_payload(backup *b);                     // says that the files of torrents are not in it
// The configuration and the files that it names, under files/. backup_files.c
bool backup_files(backup *b);

// backup_verify.c: digests, then all of it read back behind a guard. Exit code.
int  backup_verify(str directory, bool json);

// backup_start.c: the services that keep mail start on a restored directory that is thrown away afterwards, everybody gets a password, and
// each inbox is read over POP3. On a fiber; needs no socket. False: *why.
typedef struct { str account; int64_t inbox; } inbox_expected;
typedef struct { int64_t inboxes, letters, bytes; } started;
bool backup_start(world *w, str directory, const inbox_expected *inboxes, int count, started *out, arena *a, str *why);

// restore.c: the backup's files into an empty directory. False: *why; what was written is removed again.
typedef struct { manifest_head head; int64_t files, bytes; int damaged; } restored;
bool restore_check(world *w, str from, arena *a, restored *out, buf *damaged, str *why);        // digests; damaged: a line a file
// scratch: only to be looked at, then it is thrown away.
bool restore_into(world *w, str from, str to, bool scratch, arena *a, str *why);
