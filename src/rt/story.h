// The story: every conversation tells its dialogue into a ring; a trace id travels with a letter, a query, a segment from
// room to room and host to host. Passwords, AUTH exchanges and body bytes are never told.
#pragma once
#include "base/buf.h"
#include "rt/fiber.h"

typedef enum { STORY_IN, STORY_OUT, STORY_NOTE } story_direction;

enum { STORY_LINE_BYTES_MAX = 200, STORY_RING_EVENTS = 16384 };

typedef struct story_event {
    uint64_t  number;                // order of telling, over all loops of this process
    int64_t   wall_ns, mono_ns;
    uint64_t  trace;
    char      here[24];              // host name of the teller
    char      there[24];             // of the peer, where story_name told it; filled by story_read
    char      protocol[8];           // "smtp", "dns", "pop3", "lmtp", "disk"
    addr      local, peer;
    story_direction direction;
    uint8_t   len;
    char      line[STORY_LINE_BYTES_MAX];      // one line of dialogue or a message's summary; control characters replaced
} story_event;

uint64_t story_trace_new(void);                                 // a fresh id from the world's chance, never 0
// A line of dialogue, with the trace, the clock and the host of the running fiber (also from a worker). Never waits.
void story_tell(const char *protocol, story_direction direction, addr local, addr peer, str line);
void story_note(const char *protocol, str line);                // without peers: "queued", "synced", "stored"
// Copies the ring's events of a trace (0: all) in order of telling, oldest first; returns how many. When there are more
// than max, the newest max.
int  story_read(uint64_t trace, story_event *out, int max);
uint64_t story_last_trace(const char *protocol);                // the newest trace that spoke this protocol, 0: none
// Whose address this is (the port does not matter): so that hosts that tell nothing, such as name servers on their fast
// paths, have names in a story. At most STORY_NAMES_MAX; the newest name of an address counts.
void story_name(addr at, str host);
enum { STORY_NAMES_MAX = 512 };
void story_forget(void);                                        // an empty ring: the simulator, between two seeds
void story_trace_text(char out[17], uint64_t trace);            // 16 hexadecimal digits and NUL, as users see and type it
bool story_trace_parse(str text, uint64_t *trace);              // the same back; leading zeros may be missing, never 0
void story_json(const story_event *events, int count, buf *out);
bool story_from_json(str json, arena *a, story_event **events, int *count);     // what story_json wrote
// What a line of dialogue means, in one sentence; empty when there is nothing to say. And what a protocol is for.
str  story_explain(const char *protocol, str line, bool korean);
str  story_about(const char *protocol, bool korean);
// For a terminal of so many columns (40 to 400).
void story_ladder(const story_event *events, int count, int columns, bool colour, buf *out);
// One self-contained page; lang is "ko", everything else means "en".
void story_html(const story_event *events, int count, str lang, str title, buf *out);
