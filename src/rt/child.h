// This very program once more, as a child that may be killed at any moment; and a disk that may be full. For `naru torment`.
#pragma once
#include "base/arena.h"
#include "base/err.h"

// Starts /proc/self/exe with these arguments (argv[0] is free, NULL ends them). Standard output and error are appended to the file
// `output`, standard input is empty, $XDG_RUNTIME_DIR is `run_directory`. It dies with the calling thread. E_IO: it did not start.
err  child_start(const char *const *argv, const char *output, const char *run_directory, int *pid);
bool child_ended(int pid);           // without waiting; true once, then the pid is nobody's
void child_kill(int pid);            // SIGKILL; parks (through work()) until it is gone

// Lays a memory disk of so many bytes over `path`, seen by this process and its children alone and gone with them. Before any
// thread starts. On refusal nothing has changed that matters and *why says what the machine refused.
err  small_disk_enter(const char *path, int64_t bytes, arena *a, str *why);
void small_disk_leave(const char *path);               // takes it away again, with what lies on it
bool small_disk_fill(const char *path);                // what is there stays; nothing more fits. Blocking
bool small_disk_empty(const char *path, int64_t bytes);        // the old size again. Blocking
