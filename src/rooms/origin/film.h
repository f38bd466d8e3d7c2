// A film of the catalogue: what its presentation.json says, and where its files are. The record is written once,
// by `naru video add`,
// after every file that it speaks of; it never changes. Bytes of segments stand once, in the rendition's whole.mp4:
//
//     films/ID/presentation.json       this record
//     films/ID/RENDITION/whole.mp4     initialization, index (sidx), segments one behind the other
//     films/ID/RENDITION/frames.txt    a line a picture, in decoding order: type and bytes
//     films/ID/poster.jpg tiles-N.jpg flat.pgm busy.pgm
#pragma once
#include "base/buf.h"
#include "wire/media/presentation.h"

enum {
    FILM_ID_BYTES_MAX = 64,
    FILM_TITLE_BYTES_MAX = 200,
    FILM_RENDITIONS_MAX = 16,
    FILM_RECORD_BYTES_MAX = 16 << 20,
    FILM_MEMORY_BYTES_MAX = 64 << 20,        // of one that is read
    FILM_VERSION_BYTES = 16,                 // hexadecimal digits
};
#define FILM_RECORD "presentation.json"

typedef struct { int64_t count, bytes; } film_frames;
typedef enum { FILM_FRAMES_I, FILM_FRAMES_P, FILM_FRAMES_B, FILM_FRAME_KINDS } film_frame_kind;

typedef struct {
    str     id, version;                     // version: another for each time that it was added, in every ETag
    int64_t added_s;                         // since 1970
    bool    constant;                        // encoded at constant bit rate
    str     source;                          // the file's name
    int64_t source_bytes;
    media_presentation presentation;         // no bases: the service adds its own
    film_frames (*frames)[FILM_FRAME_KINDS]; // one a rendition; zero for sound and images
} film;

bool film_id_valid(str id);                  // lower-case letters, digits, single dashes inside
// From a title or file name: "My Film (2024).mkv" becomes "my-film-2024"; empty when nothing remains.
str  film_id_from(str text, arena *a);

// JSON. False: full.
bool film_write(const film *f, buf *out);
// Everything within bounds, segments' offsets and starts worked out. False with *why; values live in the arena.
bool film_read(str json, arena *a, film *out, const char **why);

int64_t film_bytes(const film *f);           // of all renditions
