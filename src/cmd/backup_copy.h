// Copying files into a backup and out of it, with bounded memory; every byte is digested on its way. Blocking.
#pragma once
#include "cmd/backup_manifest.h"

enum { COPY_PIECE_BYTES = 1 << 20 };

typedef struct {
    world *world;
    arena *memory;                       // for *why
    str    why;                          // what, where, why and what to do
    bool   scratch;                      // nothing needs to last: not synced
    bool (*beat)(void *arg);             // called between pieces; false: give up (it has said why); may be NULL
    void  *arg;
    unsigned char *piece;                // COPY_PIECE_BYTES, made when needed
    unsigned char sha256[DIGEST_SHA256_BYTES];      // of what was copied last
    int64_t bytes;
} copier;

void copier_free(copier *c);
// The first `bytes` of `from` (-1: all) into the new file `to`, synced; empty: nowhere, only digested. E_NO_ENTRY: there is no `from`.
// E_CORRUPT: it has fewer bytes. On every error c->why.
err  copy_file(copier *c, str from, str to, int64_t bytes);
// Makes the directories above `path` (mode 0700).
err  copy_parents(copier *c, str path);
// Syncs a directory and all below it.
err  copy_sync_tree(copier *c, str directory);
