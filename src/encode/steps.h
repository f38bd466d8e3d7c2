// The steps, each a process's whole work. False: said already.
#pragma once
#include "encode/task.h"
#include "rt/world.h"

bool step_probe(const task *t, world *w);
bool step_video(const task *t, world *w);        // NAME.part
bool step_sound(const task *t, world *w);        // NAME.part
bool step_stills(const task *t, world *w);       // poster.jpg, tiles-N.jpg, flat.pgm, busy.pgm; of a rendition's file
bool step_sample(const task *t, world *w);       // NAME.part: a film that nobody shot

// ./NAME SUFFIX: valid until the next call.
const char *task_path(const char *name, const char *suffix);
