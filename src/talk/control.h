// The control socket: every room's mode-0600 Unix socket that speaks HTTP + JSON. GET /status, /metrics, /story?trace=, /ps, POST /reload,
// and what the room adds. In `naru try` one socket serves a node: /ROOM/... .
#pragma once
#include "rt/room.h"
#include "talk/http_serve.h"

typedef struct { const char *path; http_handler *handler; void *arg; } control_route;     // path below /ROOM/; exact, or a prefix ending in '/'
// Adds routes to the node's control server; the array must live as long as the room.
void control_add(room *r, const control_route *routes, int count);
// Opens NODE_DIRECTORY/control.sock (mode 0600) in the node's scope (Unix socket also in the simulator).
err  control_open(node *n);
enum { CONTROL_ROUTES_MAX = 64 };
