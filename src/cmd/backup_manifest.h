// The manifest of a backup: DIR/manifest, text, a line an entry, written last. docs/backup.md has the format.
//
//     naru backup 1
//     KEY VALUE                        version, host, directory, config, begun, ended, running, left-out
//     file SHA256 BYTES PATH           PATH below DIR, percent-encoded: data/... or files/...
//     end FILES BYTES SHA256           of all that stands above this line
#pragma once
#include "base/buf.h"
#include "rt/digest.h"
#include "rt/world.h"

enum {
    MANIFEST_FORMAT = 1,
    MANIFEST_LINE_BYTES_MAX = 16 * 1024,
    MANIFEST_BYTES_MAX = 1 << 30,
    MANIFEST_PATH_BYTES_MAX = 4000,
};

typedef struct {
    str           path;                          // below the backup's directory
    int64_t       bytes;
    unsigned char sha256[DIGEST_SHA256_BYTES];
} manifest_file;

typedef struct { int64_t offset, files, bytes; } manifest_mark;

// ---- writing: blocking, as all here -----------------------------------------------------------------------------------------

typedef struct {
    world *world;
    char  *draft, *path;                         // written as DIR/manifest.unfinished, then renamed
    file  *file;
    buf    waiting;
    manifest_mark at;                            // with what waits
    err    error;                                // sticky
} manifest_writer;

err  manifest_begin(manifest_writer *m, world *w, str directory, arena *a);
void manifest_say(manifest_writer *m, const char *key, str value);       // control characters become spaces
void manifest_add(manifest_writer *m, const manifest_file *f);
manifest_mark manifest_here(const manifest_writer *m);
void manifest_go_back(manifest_writer *m, manifest_mark to);             // forgets what was said since
// Seals it: the end line, synced, renamed, the directory synced. On error there is no manifest.
err  manifest_end(manifest_writer *m);
void manifest_drop(manifest_writer *m);                                  // gives memory back; after manifest_end too

// ---- reading ------------------------------------------------------------------------------------------------------------------

typedef struct {
    int     format;
    str     version, host, directory, config, begun, ended;              // in the arena; empty when they are not said
    bool    running;
    str     left_out[16];
    int     left_out_count;
    int64_t files, bytes;                        // as the end line says
} manifest_head;

typedef struct {
    world *world;
    file  *file;
    unsigned char *piece;
    size_t  have, at;
    int64_t offset;
} manifest_reader;

// Reads it once from end to end. E_NO_ENTRY: there is none, the backup is unfinished (or no backup); E_CORRUPT: not what was written;
// E_UNSUPPORTED: a newer format. *why is a sentence.
err  manifest_check(world *w, str directory, arena *a, manifest_head *out, str *why);
// Then its files, one after the other. False: that was all (or the file changed meanwhile). The path lives in `line`, which is reset each time.
err  manifest_open(manifest_reader *r, world *w, str directory, arena *a);
bool manifest_next(manifest_reader *r, manifest_file *out, arena *line);
void manifest_close(manifest_reader *r);
