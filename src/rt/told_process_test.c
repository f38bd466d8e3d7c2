#include "rt/told_process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "rt/world.h"
#include "test.h"

static err run(const char *script, const char *source, str *last, int *lines, int *end)
{
    static char text[TOLD_LINE_BYTES_MAX];
    const char *argv[] = {"sh", "-c", script, NULL};
    told_process *t;
    err e = told_start("/bin/sh", argv, source, "/tmp", &t);
    *lines = 0;
    *last = (str){0};
    if (e)
        return e;
    for (str line; (e = told_line(t, seconds(10), &line)) == E_OK; ++*lines)
        *last = str_of(memcpy(text, line.at, (size_t)line.len), (size_t)line.len);
    told_end(t, end);
    return e;
}

TEST(told_process_tells_lines_and_how_it_ended)
{
    static const struct { const char *script; err e; int lines, end; str last; } rows[] = {
        {"echo one; echo two", E_EOF, 2, 0, S("two")},
        {"printf 'one\\ntw'; exit 3", E_EOF, 1, 3, S("one")},            // half a line is none
        {"kill -9 $$", E_EOF, 0, -9, S("")},
        {"true", E_EOF, 0, 0, S("")},
        {"printf 'a\\000b\\n'; sleep 100", E_TOO_LONG, 0, -9, S("")},
        {"head -c 3000 /dev/zero | tr '\\0' x; sleep 100", E_TOO_LONG, 0, -9, S("")},
        {"pwd", E_EOF, 1, 0, S("/tmp")},
        {"echo; cat; echo end", E_EOF, 2, 0, S("end")},                  // nothing to read without a source
    };
    str last;
    int lines, end = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(i, run(rows[i].script, NULL, &last, &lines, &end) == rows[i].e);
        CHECK_ROW(i, lines == rows[i].lines && end == rows[i].end && str_eq(last, rows[i].last));
    }
}

TEST(told_process_reads_its_source_and_nothing_else)
{
    char path[] = "/tmp/naru-told-XXXXXX";
    int fd = mkstemp(path), lines, end;
    str last;
    must(fd >= 0 && write(fd, "first\nsecond\n", 13) == 13);
    CHECK_INT(run("cat; ls /proc/self/fd | wc -l", path, &last, &lines, &end), E_EOF);
    CHECK_INT(lines, 3);
    CHECK_STR(str_trim(last), S("4"));                                   // 0 1 2, and the one that ls reads the directory by
    close(fd);
    unlink(path);
    CHECK_INT(run("cat", path, &last, &lines, &end), E_NO_ENTRY);
    CHECK_INT(run("cat", "/tmp", &last, &lines, &end), E_ACCESS);
}

TEST(told_process_ends_in_order_when_a_signal_asks)
{
    const char *argv[] = {"sh", "-c", "echo; sleep 100", NULL};
    told_process *t;
    str line;
    int end;
    signal(SIGTERM, SIG_DFL);
    CHECK_INT(told_start("/bin/sh", argv, NULL, NULL, &t), E_OK);
    CHECK_INT(told_line(t, seconds(10), &line), E_OK);
    kill(getpid(), SIGTERM);
    CHECK_INT(told_line(t, seconds(10), &line), E_CANCELED);
    told_end(t, &end);                                                   // and we are still here
    CHECK_INT(end, -9);
}

TEST(told_process_that_is_silent_or_not_there)
{
    const char *argv[] = {"x", NULL}, *silent[] = {"sleep", "100", NULL};
    told_process *t;
    str line;
    int end;
    CHECK_INT(told_start("/nothing/here", argv, NULL, NULL, &t), E_NO_ENTRY);
    CHECK(t == NULL);
    CHECK_INT(told_start("/bin/sleep", silent, NULL, NULL, &t), E_OK);
    CHECK_INT(told_line(t, millis(20), &line), E_TIMEOUT);
    told_end(t, &end);
    CHECK_INT(end, -9);
    CHECK_INT(told_ending_of(end), TOLD_KILLED);
    CHECK_INT(told_ending_of(1), TOLD_EXITED);
    CHECK_INT(told_ending_of(-11), TOLD_BROKE);
    CHECK(program_runs("/bin/sh") && !program_runs("/etc/passwd"));
}
