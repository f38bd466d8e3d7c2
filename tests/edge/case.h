// Cases for a cache, as texts that people read (tests/edge/cases): what a client asks, what the origin is asked and
// answers, what the client sees.
//
//     # a comment
//     case NAME | SECTION | what must hold
//     config heuristics no         a setting of the site; config-edge TEXT: of the edge. In the simulator only
//     client GET /a                a request: METHOD and TARGET, then in any order "a body", chunked, http/1.0,
//       Accept: text/*             times N (so many clients at once)
//     client raw "GET / HTTP/1.1\r\n"      exactly these bytes: \r \n \t \0 \\ \" \xHH, and \{N}: the byte before it
//                                  N times. Several `seen` may follow
//     origin GET /a                the origin is asked, and so (then perhaps "a body"); `origin` alone: however
//       If-None-Match: "1"
//     answer 200 "one"             what it answers. Instead of a text: bytes N (of a pattern). Then: chunked, close (the
//       Cache-Control: max-age=60  end of the connection is the end of the body), length N (a lie), die N (the connection
//                                  ends after N bytes of the body), stall N (nothing comes after N bytes), slow MS (before
//                                  it answers), no-date
//     answer raw "HTTP/1.1 ..."    exactly these bytes, and the end of the connection
//     answer nothing               hangs up
//     seen 200 "one"               what the client must see; instead of a text: bytes A-B (of the pattern), parts A-B,C-D
//       Age: 0..1                  (of it, as multipart/byteranges), broken (less than was promised); or whatever body
//     seen nothing                 the connection ends without an answer
//     closed                       behind what was seen the edge ends the connection; `open`: it does not
//     wait 10                      seconds pass
//     serve 300000                 from here on the origin serves an object of so many bytes (of the pattern) by itself,
//       ETag: "1"                  and ranges of it
//     asked 1..2                   so many requests have reached the origin since the last client, with `serve`
//     sent 0..70000                and so many bytes of bodies were sent by it
//     origin away | origin back    nobody listens at the origin's door
//     purge /a | purge-tag news | soft-purge /a | soft-purge-tag news
//
// An `answer` stands for one request to the origin: without `serve` the origin is asked exactly as often as there are
// answers between one client and the next; those behind `seen` are asked for after the client was served. A field's
// value is the text itself, or `absent`, `present`, a number between A..B, or a text with * for anything; `= TEXT` is
// TEXT whatever it looks like. In values {now-5} is the date five seconds ago, {start+5} five seconds after the case
// began, {host} the site, {origin} the origin's HOST:PORT. A field with several lines is joined by ", ".
#pragma once
#include "base/arena.h"

typedef enum {
    ACT_CLIENT, ACT_ORIGIN, ACT_ANSWER, ACT_SEEN, ACT_CLOSED, ACT_OPEN, ACT_WAIT, ACT_SERVE, ACT_ASKED, ACT_SENT,
    ACT_AWAY, ACT_BACK, ACT_PURGE,
} case_act;

typedef struct { str name, value; } case_field;

typedef struct {
    case_act    act;
    int         line;
    str         method, target;              // of a client; of an origin's request (empty: however); what is purged
    bool        raw, nothing, broken;
    bool        http_1_0, chunked, close, no_date;
    int         times, status;
    str         body;
    bool        has_body;
    int64_t     bytes;                       // of the pattern: how many; of a served object; -1: none
    int64_t     first, last;                 // seen: bytes A-B; asked, sent: A..B; -1: not said
    str         parts;
    int64_t     length, die, stall, slow_ms; // -1: not said
    int64_t     wait_s;
    bool        by_tag, soft;                // of a purge
    case_field *fields;
    int         field_count;
} case_step;

typedef struct {
    str        file, name, section, about;
    int        line;
    case_step *steps;
    int        count;
    str        site_settings, edge_settings; // of `config` and `config-edge`
} edge_case;

enum {
    CASES_MAX = 600, CASE_STEPS_MAX = 80, CASE_FIELDS_MAX = 120, CASE_FILE_BYTES_MAX = 1 << 20, CASE_TEXT_BYTES_MAX = 128 * 1024,
};

// Reads a file's cases behind those that are there. False with a sentence in *why, in `a`.
bool cases_read(str file, str text, arena *a, edge_case *out, int *count, str *why);

int64_t case_waits_s(const edge_case *c);                            // all its waits together, the origin's too
// Byte number `at` of the pattern that stands for an object: the objects of two paths differ, and so do neighbours.
unsigned char case_pattern(int64_t at);
