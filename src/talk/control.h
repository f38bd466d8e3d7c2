// The control socket: every node's mode-0600 Unix socket that speaks HTTP + JSON, also in the simulator.
//
//     GET  /status          the node: name, version, services, uptime, fibers
//     GET  /metrics         Prometheus text
//     GET  /story?trace=ID  the story's events of a trace; ?last: of the newest letter (or query); neither: all
//     GET  /ps              the fibers of this loop
//     POST /reload          reads the configuration again
//     *    /ROOM/...        what the room adds
//
// In `naru try` every node has one, and the whole has one at DIR/control.sock; they share the process, so any of them answers
// the whole story, /metrics and /ps.
#pragma once
#include "rt/room.h"
#include "rt/story.h"
#include "talk/http_serve.h"

enum { CONTROL_ROUTES_MAX = 64, CONTROL_FIBERS_MAX = 4096,
       CONTROL_ANSWER_BYTES_MAX = 32 << 20,
       CONTROL_LARGE_AT_ONCE_MAX = 4,       // stories and lists of fibers under way; who comes while all are waits two seconds, then 503
       CONTROL_CONNS_MAX = 64 };

typedef struct {
    const char   *path;              // below /ROOM: "/queue" exactly, "/queue/" and everything below it
    http_handler *handler;
    void         *arg;
} control_route;
// Adds routes to the node's control server; the array must live as long as the room. The handler sees the whole path; it
// runs on a fiber in the room's scope: it may park, and is canceled when the room ends.
void control_add(room *r, const control_route *routes, int count);
// What POST /reload does: false with *why (in msg) when the new configuration was refused and the old one stays.
typedef bool control_reload(void *arg, arena *msg, str *why);
void control_on_reload(node *n, control_reload *reload, void *arg);
// What a room has written down of a journey: /story?trace= shows it for the time that the ring of messages does not reach back to (before
// the process began, or long ago). Fills in wall_ns, here, protocol, direction and line, oldest first; returns how many. Runs like a handler.
typedef int control_story(void *arg, uint64_t trace, story_event *out, int max);
void control_add_story(room *r, control_story *tell, void *arg);
enum { CONTROL_RECORDED_MAX = 256 };                 // recorded events of one journey
// Opens NODE_DIRECTORY/control.sock (mode 0600) in the node's scope.
err  control_open(node *n);
err  control_open_at(node *n, const char *path);     // the same elsewhere: a process of its own for each service
// {"error": TEXT} with a status, for handlers.
void control_error(http_reply *reply, int status, str text, arena *msg);
// What a handler wrote, as JSON; a full buffer: 500 instead. Frees it.
void control_answer(http_reply *reply, buf *json, arena *msg);
