// Finding a running naru and asking it, for the commands that look into one.
//
// A running naru keeps one entry (a directory, or a link to its data directory) under $XDG_RUNTIME_DIR/naru, else under
// /tmp/naru-UID (mode 0700, ours): its name says nothing, its control.sock answers while it lives.
#pragma once
#include "talk/http_fetch.h"

// The directory of the naru that is meant: wanted_dir when given, else $NARU_DIR, else the newest live instance. False:
// none answers on its control socket (dead entries are passed over). The text is in the arena.
bool running_find(arena *a, str wanted_dir, str *dir);

// Where instances are listed; made with mode 0700 when it is missing. False when it cannot be made or is not ours alone.
bool running_list_dir(arena *a, str *path);
// Lists `dir` (absolute) as a running instance until running_forget. False: `naru story` and the like need --dir then.
bool running_announce(arena *a, str dir);
void running_forget(arena *a, str dir);

// The nodes of a running naru that have a service: itself (`naru up`, name empty), or directories below it (`naru try`). host: only
// the node of this name; empty: all. Returns how many of `out` were filled.
typedef struct { str directory, name; } running_node;
int running_nodes(arena *a, str directory, const char *service, str host, running_node *out, int max);

// One request to the control socket of the instance in dir, on a loop of its own. The answer is in the arena. Not for use
// where a loop runs already.
enum { RUNNING_ANSWER_BYTES_MAX = 32 << 20 };
http_result running_ask(arena *a, str dir, str method, str target, str body);
void running_pause(int ms);          // before asking again
