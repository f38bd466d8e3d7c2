#include "fiber_test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/child.h"
#include "rt/linux.h"
#include "rt/worker.h"

TEST(random_numbers_below_a_bound_are_spread_evenly)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    int counts[7] = {0};
    for (int i = 0; i < 7000; i++)
        counts[world_random_below(w, 7)]++;
    for (int i = 0; i < 7; i++)
        CHECK_ROW(i, counts[i] > 800 && counts[i] < 1200);
    unsigned char a[1000] = {0}, b[1000] = {0};
    world_random(w, a, sizeof a);
    world_random(w, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(world_random_u64(w) != world_random_u64(w));
    world_linux_free(w);
}

TEST(a_forked_child_draws_other_numbers)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    int ends[2];
    uint64_t childs = 0;
    world_random_u64(w);                                 // more is fetched ahead now
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t mine = world_random_u64(w);
        _exit(write(ends[1], &mine, sizeof mine) != sizeof mine);
    }
    CHECK(read(ends[0], &childs, sizeof childs) == sizeof childs);
    CHECK(childs != world_random_u64(w));
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(ends[0]), close(ends[1]);
    world_linux_free(w);
}

TEST(clocks_go_forward)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    int64_t a = world_now_ns(w), b = world_now_ns(w);
    CHECK(b >= a && a > 0);
    CHECK(world_wall_s(w) > 1600000000);
    CHECK_STR(world_name(w), S("test"));
    CHECK(!world_is_simulated(w));
    world_linux_free(w);
}

// Exit code 0: the wall clock goes a day ahead as soon as the file says so, and the monotonic one does not.
static int step_clock(const char *path, int fd)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    int64_t ahead_ns = seconds(86400), wall_ns = world_wall_ns(w), now_ns = world_now_ns(w);
    if (!test_clock_open(path) || world_wall_ns(w) - wall_ns > seconds(3600) || pwrite(fd, &ahead_ns, sizeof ahead_ns, 0) != sizeof ahead_ns)
        return 1;
    bool stepped = world_wall_ns(w) - wall_ns >= ahead_ns && world_now_ns(w) - now_ns < seconds(3600);
    world_linux_free(w);
    return stepped ? 0 : 2;
}

TEST(a_test_may_step_the_wall_clock_by_a_file_that_is_its_own)
{
    char path[] = "/tmp/naru-clock-XXXXXX";
    int64_t none = 0;
    int fd = mkstemp(path), status = -1;
    CHECK(fd >= 0 && !test_clock_open(path));                // empty
    CHECK(write(fd, &none, sizeof none) == sizeof none && fchmod(fd, 0620) == 0);
    CHECK(!test_clock_open(path));                           // others may write it
    CHECK(fchmod(fd, 0600) == 0 && !test_clock_open("/dev/null") && !test_clock_open("/nowhere"));
    pid_t child = fork();                                    // the other tests keep their time
    if (child == 0)
        _exit(step_clock(path, fd));
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    unlink(path);
    close(fd);
}

// ---- files ----------------------------------------------------------------------------------------------------------------

typedef struct { char folder[32], path[64]; world *w; arena a; } place;

static place place_new(void)
{
    place p = {.folder = "/tmp/naru-test-XXXXXX", .w = world_linux_new(S("test"), NULL, 0), .a = arena_make(1 << 20)};
    CHECK(mkdtemp(p.folder));
    return p;
}

static const char *in_place(place *p, const char *name)
{
    snprintf(p->path, sizeof p->path, "%s/%s", p->folder, name);
    return p->path;
}

static void place_free(place *p)
{
    CHECK_INT(path_remove(p->w, p->folder), E_OK);       // the tests left nothing
    arena_free(&p->a);
    world_linux_free(p->w);
}

TEST(files_are_written_and_read_at_offsets)
{
    place p = place_new();
    file *f;
    CHECK_INT(file_open(p.w, in_place(&p, "a"), FILE_READ, 0, &f), E_NO_ENTRY);
    CHECK_INT(file_open(p.w, in_place(&p, "a"), FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &f), E_OK);
    file *again;
    CHECK_INT(file_open(p.w, in_place(&p, "a"), FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, 0600, &again), E_EXISTS);
    struct iovec pieces[200];
    char text[200];
    for (int i = 0; i < 200; i++) {
        text[i] = (char)('a' + i % 26);
        pieces[i] = (struct iovec){&text[i], i % 7 ? 1 : 0};     // empty pieces too; more than one system call takes
    }
    CHECK_INT(file_write(f, 10, pieces, 200), E_OK);
    int64_t size;
    CHECK_INT(file_size(f, &size), E_OK);
    CHECK_INT(size, 10 + 171);
    char back[300];
    size_t got;
    CHECK_INT(file_read(f, 10, back, sizeof back, &got), E_OK);
    CHECK_INT(got, 171);
    for (int i = 0, k = 0; i < 200; i++)
        if (i % 7)
            CHECK_ROW(i, back[k++] == text[i]);
    CHECK_INT(file_truncate(f, 12), E_OK);
    CHECK_INT(file_read(f, 12, back, sizeof back, &got), E_OK);
    CHECK_INT(got, 0);
    CHECK_INT(file_sync(f), E_OK);
    file_close(f);
    file_stat st;
    CHECK_INT(path_stat(p.w, p.path, &st), E_OK);
    CHECK(st.size_bytes == 12 && !st.is_dir && st.mode == 0600 && st.modified_ns > 0);
    CHECK_INT(path_remove(p.w, p.path), E_OK);
    CHECK_INT(path_stat(p.w, p.path, &st), E_NO_ENTRY);
    place_free(&p);
}

TEST(a_full_disk_says_so)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    file *f;
    char x = 'x';
    struct iovec byte = {&x, 1};
    CHECK_INT(file_open(w, "/dev/full", FILE_WRITE, 0, &f), E_OK);
    CHECK_INT(file_write(f, 0, &byte, 1), E_NO_SPACE);
    file_close(f);
    world_linux_free(w);
}

TEST(files_are_replaced_whole)
{
    place p = place_new();
    str text;
    CHECK_INT(file_replace(p.w, in_place(&p, "conf"), S("first"), 0600), E_OK);
    CHECK_INT(file_replace(p.w, p.path, S(""), 0600), E_OK);
    CHECK_INT(file_replace(p.w, p.path, S("second"), 0600), E_OK);
    CHECK_INT(file_read_all(p.w, p.path, &p.a, 100, &text), E_OK);
    CHECK_STR(text, S("second"));
    CHECK_INT(file_read_all(p.w, p.path, &p.a, 5, &text), E_TOO_LONG);
    CHECK_INT(file_replace(p.w, "/proc/no/such/folder", S("x"), 0600), E_NO_ENTRY);
    str *names;
    int count;
    CHECK_INT(dir_list(p.w, p.folder, &p.a, &names, &count), E_OK);
    CHECK_INT(count, 1);                                 // no temporary file is left
    CHECK_INT(path_remove(p.w, p.path), E_OK);
    place_free(&p);
}

TEST(folders_are_made_listed_and_synced)
{
    place p = place_new();
    char path[128];
    str *names;
    int count;
    snprintf(path, sizeof path, "%s/x/y/z", p.folder);
    CHECK_INT(dir_make(p.w, path, 0700), E_OK);
    CHECK_INT(dir_make(p.w, path, 0700), E_OK);
    CHECK_INT(dir_list(p.w, path, &p.a, &names, &count), E_OK);
    CHECK_INT(count, 0);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof path, "%s/x/y/z/%02d", p.folder, (i * 7) % 20);
        CHECK_INT(file_replace(p.w, path, S("content"), 0600), E_OK);
    }
    CHECK_INT(dir_make(p.w, path, 0700), E_EXISTS);      // a file is in the way
    snprintf(path, sizeof path, "%s/x/y/z", p.folder);
    CHECK_INT(dir_list(p.w, path, &p.a, &names, &count), E_OK);
    CHECK_INT(count, 20);
    for (int i = 1; i < count; i++)
        CHECK_ROW(i, str_cmp(names[i - 1], names[i]) < 0);
    CHECK_INT(dir_sync(p.w, path), E_OK);
    CHECK_INT(path_remove(p.w, path), E_EXISTS);         // not empty
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/x/y/z/" STR_FMT, p.folder, STR_ARG(names[i]));
        CHECK_INT(path_remove(p.w, path), E_OK);
    }
    arena small = arena_make(10);
    CHECK_INT(dir_list(p.w, p.folder, &small, &names, &count), E_LIMIT);
    arena_free(&small);
    const char *deep[] = {"x/y/z", "x/y", "x"};
    for (int i = 0; i < 3; i++)
        CHECK_INT(path_remove(p.w, in_place(&p, deep[i])), E_OK);
    place_free(&p);
}

TEST(a_file_is_locked_against_another_open)
{
    place p = place_new();
    file *a, *b;
    CHECK_INT(file_open(p.w, in_place(&p, "lock"), FILE_WRITE | FILE_CREATE, 0600, &a), E_OK);
    CHECK_INT(file_open(p.w, p.path, FILE_WRITE, 0600, &b), E_OK);
    CHECK_INT(file_lock(a), E_OK);
    CHECK_INT(file_lock(b), E_IN_USE);
    file_close(a);
    CHECK_INT(file_lock(b), E_OK);
    file_close(b);
    CHECK_INT(path_remove(p.w, p.path), E_OK);
    place_free(&p);
}

static void read_on_worker(void *arg)
{
    arena a = arena_make(1 << 16);
    str text;
    *(err *)arg = file_read_all(world_here(), "/proc/self/status", &a, 1 << 15, &text);
    arena_free(&a);
}

FIBER_TEST(files_are_used_in_work)
{
    err e = E_IO;
    work(read_on_worker, &e);
    CHECK_INT(e, E_OK);
}

static void blocking_call(void *unused)
{
    (void)unused;
    file_stat st;
    path_stat(world_here(), "/", &st);
}

TEST(blocking_on_a_loop_is_our_mistake)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        run_real(blocking_call, NULL);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST(errors_of_the_system_have_a_meaning_here)
{
    static const struct { int number; err e; } rows[] = {
        {EAGAIN, E_AGAIN}, {ECONNREFUSED, E_REFUSED}, {EPIPE, E_RESET}, {ENOSPC, E_NO_SPACE}, {EROFS, E_READ_ONLY},
        {EMFILE, E_LIMIT}, {EACCES, E_ACCESS}, {EIO, E_IO}, {12345, E_IO}, {0, E_OK}, {EADDRINUSE, E_IN_USE},
        {EHOSTUNREACH, E_UNREACHABLE}, {ENOENT, E_NO_ENTRY}, {EEXIST, E_EXISTS}, {ETIMEDOUT, E_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(i, errno_err(rows[i].number) == rows[i].e);
}
