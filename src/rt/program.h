// One program taking the place of another in the same process, or being tried beforehand in a child: sockets, files and children
// stay, what else must be known goes along as a text. For `naru up`, whose supervisor has one thread.
#pragma once
#include "base/arena.h"

enum { PROGRAM_STATE_BYTES_MAX = 1 << 20, PROGRAM_WORDS_MAX = 64 };

// Where this program lies on the disk. At start, before anybody replaces the file: a file that was replaced has no name any more.
str  program_path(arena *a);
// This very program, however its file is replaced or removed: a descriptor for program_become_again. -1: cannot be had.
int  program_open(void);
void program_close(int fd);                      // -1: nothing happens

// In place of this program: `path` (or the open program, when path is NULL), with argv (NULL ends it). `state` is what
// program_state finds there; `trial`: a descriptor that it answers over, -1: it is the real thing. Descriptors that
// program_keep named stay open. Returns only when it did not work: the errno; all is as before.
void program_keep(int fd);
int  program_become(const char *path, int open_program, const char *const *argv, str state, int trial);

// What was handed to us, once: the next call finds nothing, nor does any child. False: we were started in the ordinary way.
bool program_state(arena *a, str *state, int *trial);
void program_answer(int trial, str line);       // over the trial's descriptor; "ready", "failed WHY"
