// Which files of a torrent a user means: numbers as `naru torrent show` and `files` count them, and patterns of names.
#pragma once
#include "base/text.h"

typedef struct {
    str        name;                             // the torrent's; a path may begin with it
    const str *paths;                            // without it
    int        count;
} file_names;

typedef struct { str want, skip, first; } file_choices;      // --want, --skip, --first; empty: not said
typedef enum { FILE_STAYS, FILE_SKIPPED, FILE_WANTED, FILE_FIRST } file_choice;

static inline bool files_chosen(file_choices c) { return c.want.len || c.skip.len || c.first.len; }

// Each choice is a list with commas: 3, 4-6, *.pdf (a path's last part), week1/*.pdf (the whole path), week1/ (all beneath). Writes
// out[count]. `only`: where something is wanted the rest is skipped. False: *wrong is the part that means nothing, or no file.
bool files_choose(file_choices c, file_names of, bool only, file_choice *out, str *wrong);
