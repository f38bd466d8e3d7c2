// Another program of ours in a process of its own, which tells what it does in lines: the encoder. It is started
// with a source to
// read and nothing else open, dies with its parent, and may be killed at any moment. For commands with one thread
// and no loop running.
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum { TOLD_LINE_BYTES_MAX = 1024, TOLD_WORDS_MAX = 32 };

typedef struct told_process told_process;

// Starts `program` (a path) with argv (ended by NULL); standard input is the file `source` opened for reading
// (NULL: empty), standard
// output comes to told_line, standard error goes nowhere; it begins in `directory` (NULL: where we are). From here
// to told_end SIGINT, SIGTERM and SIGHUP do not end this process but make
// told_line answer E_CANCELED. E_NO_ENTRY, E_ACCESS: of the source (also when it is no regular file) or the
// program; E_LIMIT, E_IO.
err  told_start(const char *program, const char *const *argv, const char *source, const char *directory, told_process **out);
// The next line without its end, valid until the next call. E_EOF: it has ended, or closed its output; E_TOO_LONG:
// a line above
// TOLD_LINE_BYTES_MAX, or one with a NUL; E_TIMEOUT: nothing came for so long; E_CANCELED: a signal asks us to stop.
err  told_line(told_process *t, int64_t patience_ns, str *line);
// Kills it where it still runs, waits for it, frees t. *end: the exit code, or minus the signal that ended it.
void told_end(told_process *t, int *end);

// What an end means.
typedef enum {
    TOLD_EXITED, TOLD_KILLED, TOLD_ASKED,        // ASKED: SIGINT, SIGTERM, SIGHUP
    TOLD_PROCESSOR_TIME, TOLD_FILE_SIZE,         // a limit of its guard
    TOLD_FORBIDDEN_CALL,                         // a system call that its guard does not allow
    TOLD_BROKE,                                  // any other signal
} told_ending;
told_ending told_ending_of(int end);

// May this be run? For finding a program that lies beside ours.
bool program_runs(const char *path);
