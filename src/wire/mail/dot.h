// The end of a letter on the wire: dot transparency (RFC 5321 4.5.2), and nothing but CR LF . CR LF ends it
// (RFC 5321 2.3.8, 4.1.1.4). A server that takes any other spelling for the end lets a stranger smuggle a second letter
// behind the first; so a line feed or a carriage return on its own is refused wherever it stands.
#pragma once
#include "base/buf.h"

typedef enum {
    DOT_MORE,        // the chunk is used up, the letter goes on
    DOT_DONE,        // CR LF . CR LF was seen
    DOT_BARE_LF,     // refused, sticky: answer 5.5.2 and hang up; what follows cannot be trusted to be a command
    DOT_BARE_CR,
} dot_verdict;

typedef enum { DOT_LINE_START, DOT_TEXT, DOT_CR, DOT_DOT, DOT_DOT_CR, DOT_ENDED } dot_state;

// Reads DATA in chunks of any size. Zero-initialise and set the limit.
typedef struct {
    dot_state   state;
    dot_verdict verdict;
    uint64_t    size_bytes;          // of the letter so far, dots taken away, the end mark not counted
    uint64_t    size_bytes_max;      // above it nothing more is stored and `too_large` is set; counting goes on
    bool        too_large;
} dot_reader;

// Takes from *in what belongs to the letter and appends it, unstuffed, to `out`. After DOT_DONE *in holds what came
// behind the end mark. A full `out` sets too_large as well. The letter's last line keeps its CR LF.
dot_verdict dot_read(dot_reader *d, str *in, buf *out);

// Writes a letter as DATA. Zero-initialise. A line feed or carriage return on its own becomes CR LF: a server behind us
// may be one of those that would take it for an end.
typedef struct {
    bool in_line, after_cr;
} dot_writer;

bool dot_write(dot_writer *d, str chunk, buf *out);    // false when `out` is full
bool dot_finish(dot_writer *d, buf *out);              // ends an open line and writes the end mark
