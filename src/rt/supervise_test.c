// The supervisor with real children. Each test ends when what it waits for has happened; a tick a second is the emergency exit.
#include "rt/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "fiber_test.h"

enum { TICKS_MAX = 120, WAITS = 6, SOON_MS = 300 };

typedef struct {
    supervisor *s;
    const char *does;                    // what the child does: "obey", "die", "hang"
    int         pids[WAITS], ready, ended, ticks, changes[SERVICE_WAITING + 1];
    int64_t     waits_ns[WAITS];
    int         died;
    bool        hung, told_dead, heard_gone;
    char        heard[SUPERVISE_LINE_BYTES_MAX];
    int         ends_at_ready, ends_at_died;             // supervise_end after so many; 0: never
    void      (*at_ready)(void *play);
} play;

// ---- the child ----------------------------------------------------------------------------------------------------------------

static void say(int fd, const char *line) { must(write(fd, line, strlen(line)) == (ssize_t)strlen(line)); }

static bool hear(int fd, char *line, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    poll(&p, 1, -1);
    ssize_t n = read(fd, line, size - 1);
    line[n > 0 ? n : 0] = 0;
    return n > 0;
}

// "echo X": says X; "file": says what stands in the file that came; "go": ends with code 5; "wait": ends 5 after a while.
static int obey(service_ends ends)
{
    char line[256], path[SUPERVISE_PATH_BYTES_MAX], text[64] = "";
    signal(SIGTERM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    say(ends.channel, "ready\n");
    while (hear(ends.channel, line, sizeof line)) {
        int fd = -1;
        if (strcmp(line, "go\n") == 0)
            return 5;
        if (strncmp(line, "echo", 4) == 0)
            say(ends.channel, line + 5);
        else if (strcmp(line, "file\n") == 0 && supervise_file_receive(ends.files, path, &fd) && read(fd, text, sizeof text - 1) > 0)
            say(ends.channel, text);
    }
    return 0;
}

static int child(void *arg, int number, service_ends ends)
{
    play *p = arg;
    (void)number;
    if (strcmp(p->does, "die") == 0)
        return 7;
    if (strcmp(p->does, "hang") == 0) {
        say(ends.channel, "ready\n");
        for (;;)
            pause();
    }
    return obey(ends);
}

// ---- the hooks ----------------------------------------------------------------------------------------------------------------

static void heard(void *arg, int number, str line)
{
    play *p = arg;
    (void)number;
    if (!str_eq(line, S("ready")))
        snprintf(p->heard, sizeof p->heard, STR_FMT, STR_ARG(line));
    if (p->heard[0])
        supervise_end(p->s);
}

static void changed(void *arg, int number, const service_view *now)
{
    play *p = arg;
    (void)number;
    p->changes[now->state]++;
    if (now->state == SERVICE_READY) {
        if (p->ready < WAITS)
            p->pids[p->ready] = now->pid;
        p->ready++;
        if (p->at_ready)
            p->at_ready(p);
        if (p->ready == p->ends_at_ready)
            supervise_end(p->s);
    } else if (now->state == SERVICE_WAITING) {
        p->hung |= now->hung;
        p->ended = now->end;
        if (p->died < WAITS)
            p->waits_ns[p->died] = now->wait_ns;
        p->died++;
        p->told_dead |= supervise_tell(p->s, 0, S("echo nobody\n"));
        if (p->died == p->ends_at_died)
            supervise_end(p->s);
    } else if (now->state == SERVICE_STOPPED) {
        p->ended = now->end;
    }
}

static void hang_up(void *arg) { (void)arg; }

static void tick(void *arg)
{
    play *p = arg;
    if (++p->ticks == TICKS_MAX) {
        test_failed(__FILE__, __LINE__, "nothing came of it in %d s", TICKS_MAX);
        supervise_end(p->s);
    }
}

static void run(play *p, int64_t silent_ns_max)
{
    const supervise_hooks hooks = {p, child, heard, changed, hang_up, hang_up, tick};
    p->s = supervise_new(&hooks);
    supervise_watch(p->s, silent_ns_max);
    supervise_start(p->s, supervise_add(p->s, "child"));
    supervise_run(p->s);
    CHECK_INT(supervise_look(p->s, 0).pid, 0);
    CHECK_INT(supervise_retired(p->s), 0);
    supervise_free(p->s);
}

// ---- the tests ----------------------------------------------------------------------------------------------------------------

TEST(supervise_starts_and_stops)
{
    play p = {.does = "obey", .ends_at_ready = 1};
    run(&p, 0);
    CHECK(p.changes[SERVICE_STARTING] == 1 && p.changes[SERVICE_READY] == 1 && p.changes[SERVICE_STOPPING] == 1 && p.changes[SERVICE_STOPPED] == 1);
    CHECK_INT(p.ended, -SIGTERM);
}

static void kill_once(void *arg)
{
    play *p = arg;
    if (p->ready == 1)
        kill(p->pids[0], SIGKILL);
}

TEST(supervise_starts_again_what_was_killed_and_tells_no_dead_child)
{
    play p = {.does = "obey", .ends_at_ready = 2, .at_ready = kill_once};
    run(&p, 0);
    CHECK_INT(p.died, 1);
    CHECK_INT(p.waits_ns[0], 0);
    CHECK(p.pids[0] != p.pids[1]);
    CHECK(!p.told_dead);
}

TEST(supervise_waits_longer_and_longer)
{
    static const int64_t wanted_ms[] = {0, 0, 100, 200, 400};
    play p = {.does = "die", .ends_at_died = 5};
    run(&p, 0);
    CHECK_INT(p.ended, 7);
    for (int i = 0; i < 5; i++)
        CHECK_ROW(i, p.waits_ns[i] == millis(wanted_ms[i]));
}

TEST(supervise_kills_what_is_silent)
{
    play p = {.does = "hang", .ends_at_died = 1};
    int64_t begun_ns = supervise_now_ns();
    run(&p, millis(SOON_MS));
    CHECK(p.hung);
    CHECK_INT(p.changes[SERVICE_READY], 1);
    CHECK(supervise_now_ns() - begun_ns >= millis(SOON_MS));
}

static void ask_echo(void *arg) { CHECK(supervise_tell(((play *)arg)->s, 0, S("echo ketchup\n"))); }

TEST(supervise_tells_and_hears)
{
    play p = {.does = "obey", .at_ready = ask_echo};
    run(&p, 0);
    CHECK_STR(str_z(p.heard), S("ketchup"));
}

static char file_name[] = "/tmp/naru-supervise-XXXXXX";

static void send_file(void *arg)
{
    play *p = arg;
    CHECK_INT(supervise_file_send(p->s, 0, "/nowhere/at/all"), E_NO_ENTRY);
    CHECK_INT(supervise_file_send(p->s, 0, file_name), E_OK);
    CHECK(supervise_tell(p->s, 0, S("file\n")));
}

TEST(supervise_hands_a_file_over)
{
    int fd = mkstemp(file_name);
    say(fd, "a new key\n");
    close(fd);
    play p = {.does = "obey", .at_ready = send_file};
    run(&p, 0);
    unlink(file_name);
    CHECK_STR(str_z(p.heard), S("a new key"));
}

static void replace_once(void *arg)
{
    play *p = arg;
    if (p->ready == 1) {
        supervise_replace(p->s, 0, (farewell){S("go\n"), seconds(20)});
        CHECK_INT(supervise_retired(p->s), 1);
        CHECK_INT(supervise_look(p->s, 0).state, SERVICE_STARTING);
    }
}

TEST(supervise_replaces_while_the_old_one_finishes)
{
    play p = {.does = "obey", .ends_at_ready = 2, .at_ready = replace_once};
    run(&p, 0);
    CHECK(p.pids[0] != p.pids[1]);
    CHECK_INT(p.died, 0);
}

static void stop_once(void *arg)
{
    play *p = arg;
    if (p->ready == 1)
        supervise_stop(p->s, 0, true, (farewell){S("go\n"), seconds(20)});
}

TEST(supervise_stops_and_starts_again_what_must_be_alone)
{
    play p = {.does = "obey", .ends_at_ready = 2, .at_ready = stop_once};
    run(&p, 0);
    CHECK(p.pids[0] != p.pids[1]);
    CHECK_INT(p.died, 0);
}

TEST(supervise_kills_what_was_to_run_once_and_does_not_end)
{
    play p = {.does = "hang"};
    const supervise_hooks hooks = {&p, child, heard, changed, hang_up, hang_up, tick};
    p.s = supervise_new(&hooks);
    int trial = supervise_add(p.s, "trial"), other = supervise_add(p.s, "other");
    (void)other;
    supervise_start_once(p.s, trial, millis(SOON_MS));
    p.ends_at_died = 0;
    while (supervise_look(p.s, trial).pid && p.ticks < TICKS_MAX)
        supervise_turn(p.s);
    CHECK_INT(supervise_look(p.s, trial).state, SERVICE_STOPPED);
    CHECK_INT(p.ended, -SIGKILL);
    supervise_free(p.s);
}

TEST(supervise_goes_on_in_another_program)
{
    play p = {.does = "obey"};
    const supervise_hooks hooks = {&p, child, heard, changed, hang_up, hang_up, tick};
    supervisor *first = p.s = supervise_new(&hooks);
    supervise_start(first, supervise_add(first, "child"));
    while (supervise_look(first, 0).state != SERVICE_READY && p.ticks < TICKS_MAX)
        supervise_turn(first);
    buf text = buf_make(4096);
    supervise_write(first, &text);
    supervisor *second = p.s = supervise_new(&hooks);            // the same process, as after an exec: the children are ours
    supervise_add(second, "another");
    supervise_add(second, "child");
    str all = buf_str(&text);
    CHECK(supervise_read(second, str_cut(&all, '\n')) && all.len == 0);
    CHECK(!supervise_read(second, S("process nobody 2 1 1 1 0 0 0 0")));
    CHECK(!supervise_read(second, S("process child 9 1 1 1 0 0 0 0")));
    CHECK_INT(supervise_look(second, 1).pid, supervise_look(first, 0).pid);
    CHECK(supervise_tell(second, 1, S("echo still here\n")));
    supervise_run(second);
    CHECK_STR(str_z(p.heard), S("still here"));
    CHECK_INT(supervise_look(second, 1).pid, 0);
    supervise_free(second);
    supervise_free(first);
    buf_free(&text);
}
