#include "rt/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"

enum { PATH_BYTES_MAX = 4096, FIRST_FD = 3, PASSED_BYTES_MAX = 64, FORM = 1 };

// "FORM:DESCRIPTOR OF THE STATE:DESCRIPTOR OF THE TRIAL".
static const char variable[] = "NARU_INHERITED";

str program_path(arena *a)
{
    char path[PATH_BYTES_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    return length > 0 && length < PATH_BYTES_MAX ? str_copy(a, str_of(path, (size_t)length)) : (str){0};
}

int program_open(void) { return open("/proc/self/exe", O_RDONLY | O_CLOEXEC); }

void program_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

void program_keep(int fd)
{
    if (fd >= FIRST_FD)
        fcntl(fd, F_SETFD, 0);
}

// From now on nothing that we have open survives an exec.
static void all_closed_on_exec(void) { close_range(FIRST_FD, ~0U, CLOSE_RANGE_CLOEXEC); }

static int state_write(str state)
{
    int fd = memfd_create("naru-state", 0);
    if (fd >= 0 && write(fd, state.at, (size_t)state.len) != state.len) {
        close(fd);
        return -1;
    }
    return fd;
}

int program_become(const char *path, int open_program, const char *const *argv, str state, int trial)
{
    char passed[PASSED_BYTES_MAX];
    int fd = state_write(state);
    if (fd < 0)
        return errno;
    program_keep(trial);
    snprintf(passed, sizeof passed, "%d:%d:%d", FORM, fd, trial);
    setenv(variable, passed, 1);
    fflush(NULL);
    if (path)
        execv(path, (char *const *)(uintptr_t)argv);
    else
        fexecve(open_program, (char *const *)(uintptr_t)argv, environ);
    int trouble = errno;
    unsetenv(variable);
    close(fd);
    all_closed_on_exec();
    return trouble;
}

static bool state_read(int fd, arena *a, str *state)
{
    unsigned char *bytes = arena_array(a, unsigned char, PROGRAM_STATE_BYTES_MAX);
    ssize_t length = bytes ? pread(fd, bytes, PROGRAM_STATE_BYTES_MAX, 0) : -1;
    close(fd);
    *state = length > 0 ? str_of(bytes, (size_t)length) : (str){0};
    return length > 0;
}

bool program_state(arena *a, str *state, int *trial)
{
    str text = str_copy(a, str_z(getenv(variable)));
    int64_t form, fd, answer;
    bool good = str_to_i64(str_cut(&text, ':'), &form) && form == FORM && str_to_i64(str_cut(&text, ':'), &fd) && fd >= FIRST_FD &&
                str_to_i64(text, &answer);
    unsetenv(variable);
    if (!good)
        return false;
    all_closed_on_exec();
    *trial = (int)answer;
    return state_read((int)fd, a, state);
}

void program_answer(int trial, str line)
{
    char text[PATH_BYTES_MAX];
    int length = snprintf(text, sizeof text, STR_FMT "\n", STR_ARG(str_first(line, PATH_BYTES_MAX - 2)));
    (void)!write(trial, text, (size_t)length);
}
