// This very program once more, as a child that may be killed at any moment; a disk that may be full, a clock that may jump. For
// `naru torment`.
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

// Starts /proc/self/exe with these arguments (argv[0] is free, NULL ends them). Standard output and error are appended to the file
// `output`, standard input is empty, $XDG_RUNTIME_DIR is `run_directory`. It dies with the calling thread. E_IO: it did not start.
err  child_start(const char *const *argv, const char *output, const char *run_directory, int *pid);
// The same with another program: argv[0] is its path; `variables` (NAME=value, NULL ends them) take the place of ours. It gets a group
// of its own, which child_group_kill ends.
err  child_program_start(const char *const *argv, const char *const *variables, const char *output, int *pid);
void child_group_kill(int pid);      // SIGKILL for it and what it started; parks (through work()) until it is gone
// Runs a shell script in user, network and mount namespaces of its own, with $DIR (an empty directory, gone afterwards) and $NARU
// (this program): what it printed, standard output alone, up to the buffer's ceiling. Blocking; before any thread starts. E_IO: it
// could not be started. The namespaces end with it.
err  child_script(str script, buf *out);
bool child_ended(int pid);           // without waiting; true once, then the pid is nobody's
int  child_wait(int pid);            // parks (through work()) until it ends; its exit code, 128 and more: a signal
void child_kill(int pid);            // SIGKILL; parks (through work()) until it is gone
// SIGKILL for a child's own child (a service of `naru up`), and only for that. False: it is not (any more) a child of `parent`.
bool grandchild_kill(int pid, int parent);
// SIGKILL for a child and then for these of its children: as if the power had failed. Parks until all are gone.
enum { GRANDCHILDREN_MAX = 16 };
void family_kill(int pid, const int *children, int count);

// Lays a memory disk of so many bytes over `path`, seen by this process and its children alone and gone with them. Before any
// thread starts. On refusal nothing has changed that matters and *why says what the machine refused.
err  small_disk_enter(const char *path, int64_t bytes, arena *a, str *why);
void small_disk_leave(const char *path);               // takes it away again, with what lies on it
bool small_disk_fill(const char *path);                // what is there stays; nothing more fits. Blocking
bool small_disk_empty(const char *path, int64_t bytes);        // the old size again. Blocking

// The wall clock of this process and its children is ahead by what this file holds, eight bytes of nanoseconds, from now on and
// whenever that changes. $NARU_TEST_CLOCK names it at the start. False: the file is not ours alone, or not eight bytes.
bool test_clock_open(const char *path);
