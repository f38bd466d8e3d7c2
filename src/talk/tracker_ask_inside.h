// What the files of tracker_ask share. Nobody else includes this.
#pragma once
#include "talk/tracker_ask.h"

typedef struct {
    const tracker_asker    *who;
    const tracker_question *q;
    arena          *a;
    tracker_answer *out;
    str            *why;
    int64_t         until_ns;                    // of all
} tracker_asking;

// One way that was decided on: URL (made for scrapes already), address, when to give up.
typedef struct {
    const tracker_url *url;
    addr    at;
    int64_t until_ns;
    str     redirect;                            // set when the answer was one: the Location
} tracker_try;

err tracker_ask_http(tracker_asking *x, tracker_try *t);
err tracker_ask_udp(tracker_asking *x, tracker_try *t);
str tracker_ask_own_query(const tracker_question *q, arena *a);        // what we say in an HTTP query; empty: the arena is full
static inline err tracker_ask_fail(tracker_asking *x, err e, str why) { return *x->why = why, e; }
