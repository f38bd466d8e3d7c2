// Directories that are still there after a crash, and what a person is told when storage refuses.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

// Makes the directory with its parents and syncs every directory on the way, so that the path itself survives a crash.
// Blocking: in work(). Parents that may not be opened for reading are taken as durable.
err directory_make(world *w, const char *path, unsigned mode);

// What, where, why, what to do:
// "cannot lock the journal with /var/lib/naru/mta/journal/lock: permission refused; let the user that naru runs as own it"
str trouble_sentence(arena *a, err e, const char *what, const char *where);
