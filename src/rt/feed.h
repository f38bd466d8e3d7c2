// Another program that reads from us: mpv, ffplay. Its standard input is ours to write, its output goes where ours
// goes.
#pragma once
#include "base/err.h"
#include "base/text.h"

typedef struct feed feed;

// Starts argv[0] (looked for in $PATH) with these words (NULL ends them). quiet: its output and errors go nowhere.
// E_NO_ENTRY, E_ACCESS, E_IO.
err  feed_start(const char *const *argv, bool quiet, feed **out);
// Writes; while the program takes no more the fiber parks (bytes stay the caller's). E_EOF: it reads no more;
// E_CANCELED.
err  feed_put(feed *f, str bytes);
bool feed_ended(feed *f);            // has the program ended?
// No more comes. Waits for the program (it plays what it has) until patience_ns is over, then tells it to end.
// Frees f. How it ended: 0 well, or because it was told to; above 0 its exit code; below 0 a signal's number.
int  feed_end(feed *f, long long patience_ns);
