// Films from one catalogue into another: what `make run` has made once comes to the origins of the small Internet.
#pragma once
#include "rt/world.h"

enum { FILM_COPY_BYTES_MAX = 1 << 30 };          // of one film

// Copies every film of from/films that to/films has not: below to/work first, then it is there by one rename. Directories of the
// origin service. Blocking. *count: how many. E_NO_ENTRY: there is no catalogue.
err films_copy(world *w, const char *from, const char *to, int *count);
