// The best that hindsight could have done: the rungs of a film for a trace that is known in advance.
#pragma once
#include "rate_session.h"

// Dynamic programming forward over the segments. A state is when the segment came and how long the film had stalled by then (what the
// buffer holds follows); states in one cell of `cell_ms` by `cell_ms` are one, the one worth more stays, exact in itself. So the rungs found
// are possible ones and session_replay() plays them: a lower bound of the true optimum that rises to it with finer cells. `score` is where
// the search for the best ratio begins (a rule's score on this trace). rungs[] gets one a segment.
outcome optimum_find(const film *f, const trace *t, double capacity_ms, double cell_ms, double score, unsigned char *rungs);
