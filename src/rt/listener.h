// Doors: listening sockets with limits, each accepted conn on a fiber of its own; and datagram doors.
#pragma once
#include "rt/conn.h"
#include "rt/scope.h"

typedef struct {
    const char *service;              // "smtp": for limits, meters, logs
    addr        at;                   // port 0 after mapping: any free port (door_address tells)
    int         conns_max;            // all together; 0: DOOR_CONNS_MAX
    int         conns_per_address_max;  // 0: no limit of its own; loopback and inside are counted like others
    str         busy;                 // said before closing when a limit refuses: "421 4.7.0 Too many connections\r\n"
    tls_config *tls;                  // not NULL: TLS from the first byte
    bool        share_port;
    bool        drain;                // door_stop lets running conversations finish
} door_options;

typedef struct door door;
typedef void door_serve(conn *c, void *arg);     // owns nothing: the door closes c when it returns

enum { DOOR_CONNS_MAX = 20000 };

// Opens and begins to accept; conversations run in the scope. E_IN_USE, E_ACCESS, E_LIMIT: the caller says what and why.
err  door_open(scope *s, world *w, door_options options, door_serve *serve, void *arg, door **out);
err  door_open_unix(scope *s, world *w, const char *path, unsigned mode, door_options options, door_serve *serve, void *arg,
                    door **out);
addr door_address(door *d);
int  door_conns(door *d);
// Accepts no more and ends the running conversations: with `drain` they may finish first (10 s at most). The door itself is
// freed with its scope.
void door_stop(door *d);
// A process is about to end: all doors of this loop accept no more, datagram doors receive no more, and the conversations of those
// with `drain` (`all`: of every door, and the answers that datagrams still wait for) may finish until the absolute time. For a fiber
// outside the doors' scopes; the doors are freed with their scopes.
void doors_drain(int64_t until_ns, bool all);

// ---- datagrams ----------------------------------------------------------------------------------------------------------
// Batches: receive up to DATAGRAM_BATCH_MAX, ask `answer` for each, send the answers, from the address that was asked.
// `answer` is pure or at least never parks: it writes at most out_max bytes and returns how many (0: no answer now). What
// needs a conversation copies the datagram, starts a fiber and calls datagram_send later.
typedef struct datagram_door datagram_door;
typedef size_t datagram_answer(void *arg, datagram_door *d, const datagram *in, unsigned char *out, size_t out_max);
enum { DATAGRAM_BYTES_MAX = 65535, DATAGRAM_ANSWER_BYTES_MAX = 65535 };
err  datagram_open(scope *s, world *w, const char *service, addr at, bool share_port, datagram_answer *answer, void *arg,
                   datagram_door **out);
bool datagram_send(datagram_door *d, addr to, addr from_local, str bytes);      // false: dropped (buffer full), counted
addr datagram_address(datagram_door *d);
// A conversation that will call datagram_send later counts itself, so that the door's end waits for it.
void datagram_hold(datagram_door *d);
void datagram_release(datagram_door *d);
// For doors_drain: this loop's doors receive no more, what they hold may still be sent; waits for what is held until the time.
void datagrams_quiet(void);
void datagrams_drain(int64_t until_ns);
