// Do a torrent's files get into each other's way? Pure.
#pragma once
#include "wire/bt/metainfo.h"

typedef enum { PATHS_DIFFER, PATHS_SAME, PATHS_FOLDER, PATHS_NO_MEMORY } path_clash_kind;

typedef struct {
    path_clash_kind kind;
    int file;                        // the later one of the two in the list
} path_clash;

// Two files (pad files aside) of the same path, or one whose path is a folder on another's: the first clash in the order
// of the paths. n log n comparisons, memory for the order from `a`.
path_clash path_set_clash(const metainfo_file *files, int count, arena *a);
