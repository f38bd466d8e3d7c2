// edge: the HTTP cache (RFC 9110, 9111, 9112) in memory and on disk, for the sites of its configuration: docs/edge.md.
#pragma once
#include "rt/room.h"

enum { EDGE_PORT = 80, EDGE_TLS_PORT = 443 };

// Doors on `port` (plain HTTP) and `tls-port`. Control: GET /edge/about, GET /edge/show?url=, GET /edge/top?count=,
// POST /edge/purge?url= | ?tag= | ?all=yes, each with &soft=yes.
extern const room_kind edge_kind;
