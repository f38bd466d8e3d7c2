#include "fiber_test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/guard.h"
#include "rt/inherit.h"
#include "rt/linux.h"

// ---- the guard ------------------------------------------------------------------------------------------------------------

static bool enforces_all(void)
{
    guard_report k = guard_kernel();
    return k.files && k.tcp && k.calls && !k.calls_logged_only;
}

TEST(what_no_policy_names_is_refused)
{
    if (!enforces_all())
        return;                                  // tests/up says that it skips
    guard_policy narrow = {0}, wide = {.calls = GUARD_CALLS_INET | GUARD_CALLS_FILES_CHANGE};
    CHECK_INT(guard_prove(&narrow, GUARD_TRY_CONNECT), GUARD_KILLED);        // not even a socket
    CHECK_INT(guard_prove(&wide, GUARD_TRY_CONNECT), GUARD_REFUSED);         // a socket, but not to that port
    for (int t = 0; t < GUARD_TRIES; t++) {
        CHECK(guard_prove(&narrow, (guard_try)t) != GUARD_ALLOWED);
        CHECK(guard_prove(&wide, (guard_try)t) != GUARD_ALLOWED);
    }
}

// The proof itself can fail: a policy that names what is tried lets it through.
TEST(what_a_policy_names_is_allowed)
{
    if (!enforces_all())
        return;
    guard_policy open_one = {.reads = {"/etc/passwd"}, .read_count = 1};
    guard_policy one_port = {.connect_ports = {9}, .connect_port_count = 1, .calls = GUARD_CALLS_INET};
    CHECK_INT(guard_prove(&open_one, GUARD_TRY_OPEN), GUARD_ALLOWED);
    CHECK_INT(guard_prove(&one_port, GUARD_TRY_CONNECT), GUARD_ALLOWED);
}

// In a process of its own: what the body answers, or -1 when it was killed.
static int behind_guard(const guard_policy *p, int (*body)(const char *), const char *directory)
{
    int status = 0;
    guard_report report;
    const char *why;
    pid_t child = fork();
    if (child == 0)
        _exit(guard_enter(p, &report, &why) ? body(directory) : 99);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int write_inside(const char *directory)
{
    char path[128];
    snprintf(path, sizeof path, "%s/inside", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 && unlink(path) == 0 ? 0 : 1;
}

static int write_beside(const char *directory)
{
    char path[128];
    snprintf(path, sizeof path, "%s-beside", directory);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ? 0 : 1;
}

static int bind_any_port(const char *unused)
{
    (void)unused;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, own = any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    own.sin_port = htons(9);
    bool any_works = bind(fd, (struct sockaddr *)&any, sizeof any) == 0, own_works = bind(other, (struct sockaddr *)&own, sizeof own) == 0;
    return any_works && !own_works ? 0 : 1;
}

// The node's own address, and the port that the kernel chooses: nothing goes out without.
TEST(who_may_connect_may_bind_its_address_and_no_port_of_its_own_choice)
{
    guard_policy p = {.connect_ports = {25}, .connect_port_count = 1, .calls = GUARD_CALLS_INET};
    if (enforces_all())
        CHECK_INT(behind_guard(&p, bind_any_port, ""), 0);
}

TEST(a_service_writes_in_its_own_directory_only)
{
    char directory[] = "/tmp/naru-guard-XXXXXX";
    must(mkdtemp(directory));
    guard_policy p = {.writes = {directory}, .write_count = 1, .calls = GUARD_CALLS_FILES_CHANGE};
    CHECK_INT(behind_guard(&p, write_inside, directory), 0);
    if (guard_kernel().files)
        CHECK_INT(behind_guard(&p, write_beside, directory), 0);
    rmdir(directory);
}

// ---- what is inherited ----------------------------------------------------------------------------------------------------

// The tables are the process's: each test has one of its own.
static int in_child(int (*body)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int find_doors(void)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    addr mine = addr_v4(0x7f000001, 0), others = addr_v4(0x7f000001, 1);
    int fd = -1;
    if (inherited_listen(mine, &fd) != E_AGAIN)              // nothing is kept: go on and bind
        return 1;
    if (inherit_listen(w, 1, mine, 1) != E_OK || inherit_listen(w, 1, mine, 1) != E_OK || inherit_listen(w, 2, mine, 1) != E_IN_USE)
        return 2;
    inherit_seal(1);
    if (inherited_listen(mine, &fd) != E_OK || fd < 0)
        return 3;
    return inherited_listen(others, &fd) == E_ACCESS ? 0 : 4;
}

static int lose_doors(void)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    addr at = addr_v4(0x7f000001, 0);
    int fd = -1;
    if (inherit_listen(w, 1, at, 1) != E_OK)
        return 1;
    inherit_seal(2);                                         // another service's process
    return inherited_listen(at, &fd) == E_ACCESS ? 0 : 2;
}

static int port_of(int fd)
{
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    return getsockname(fd, (struct sockaddr *)&name, &size) == 0 ? ntohs(name.sin_port) : -1;
}

static int share_doors(void)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    addr at = addr_v4(0x7f000001, 0);
    int first = -1, second = -1, third = -1;
    if (inherit_listen(w, 1, at, 2) != E_OK || inherit_listen(w, 1, at, 2) != E_OK || inherit_listen(w, 1, at, 3) != E_IN_USE)
        return 1;
    inherit_seal(1);
    if (inherited_listen(at, &first) != E_OK)
        return 2;
    inherit_share(1);
    if (inherited_listen(at, &second) != E_OK || port_of(first) == port_of(second))      // port 0: the kernel chose for each
        return 3;
    inherit_share(2);
    return inherited_listen(at, &third) == E_ACCESS ? 0 : 4;
}

// What the next program reads is what this one had, and what it has no longer is swept.
static int hand_doors_over(void)
{
    char path[] = "/tmp/naru-doors-XXXXXX", door[64], lock[64];
    inherit_peers some = {.users = {4711, 4712}, .count = 2};
    world *w = world_linux_new(S("test"), NULL, 0);
    addr at = addr_v4(0x7f000001, 0);
    if (!mkdtemp(path))
        return 1;
    snprintf(door, sizeof door, "%s/door", path);
    snprintf(lock, sizeof lock, "%s/lock", path);
    if (inherit_listen(w, 3, at, 1) != E_OK || inherit_unix(4, door, 0, &some) != E_OK || inherit_lock(lock) != E_OK || inherit_lock(lock) != E_OK)
        return 2;
    buf text = buf_make(4096), again = buf_make(4096);
    inherit_write(&text);
    inherit_forget();
    for (str all = buf_str(&text); all.len; )
        if (!inherit_read(str_cut(&all, '\n')))
            return 3;
    inherit_write(&again);
    if (!str_eq(buf_str(&text), buf_str(&again)) || inherit_read(S("kept pipe 1 2 3 4 - - x")) || inherit_read(S("kept listen 1")))
        return 4;
    if (inherit_listen(w, 3, at, 1) != E_OK)                 // marks it
        return 5;
    inherit_sweep(3);
    inherit_sweep(4);                                        // nobody asked for it again
    bool swept = access(door, F_OK) != 0;
    inherit_seal(3);
    int fd = -1;
    bool kept = inherited_listen(at, &fd) == E_OK;
    unlink(lock);
    rmdir(path);
    return swept && kept ? 0 : 6;
}

static int check_peers(void)
{
    int pair[2];
    inherit_peers nobody = {0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return 1;
    return inherit_peer_allowed(pair[0], &nobody) && inherit_peer_allowed(pair[0], NULL) ? 0 : 2;     // ourselves
}

// Another user's process has connected: it comes in when it is listed.
static int check_stranger(void)
{
    char path[] = "/tmp/naru-peers-XXXXXX";
    inherit_peers some = {.users = {4711}, .count = 1}, others = {.users = {4712}, .count = 1};
    int listener = -1, status;
    if (!mkdtemp(path) || chmod(path, 0711) != 0)
        return 1;
    char door[64];
    snprintf(door, sizeof door, "%s/door", path);
    if (linux_listen_unix_fd(door, 0666, &listener) != E_OK)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        snprintf(to.sun_path, sizeof to.sun_path, "%s", door);
        int fd = setuid(4711) == 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
        _exit(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    int fd = accept(listener, NULL, NULL);
    unlink(door);
    rmdir(path);
    return fd >= 0 && inherit_peer_allowed(fd, &some) && !inherit_peer_allowed(fd, &others) ? 0 : 3;
}

TEST(loops_have_a_share_of_a_door_each) { CHECK_INT(in_child(share_doors), 0); }
TEST(doors_are_handed_to_another_program) { CHECK_INT(in_child(hand_doors_over), 0); }

TEST(doors_are_found_by_address_by_their_owner_only)
{
    CHECK_INT(in_child(find_doors), 0);
    CHECK_INT(in_child(lose_doors), 0);
    CHECK_INT(in_child(check_peers), 0);
    if (geteuid() == 0)
        CHECK_INT(in_child(check_stranger), 0);
}

static int keep_file(void)
{
    char path[] = "/tmp/naru-inherit-XXXXXX";
    int fd = mkstemp(path), got = -1;
    if (fd < 0 || inherit_file(1, path) != E_OK)
        return 1;
    unlink(path);                                            // no path leads to it any more
    inherit_seal(1);
    return inherited_file(path, &got) == E_OK && got >= 0 && inherited_file("/etc/passwd", &got) == E_AGAIN ? 0 : 2;
}

TEST(a_file_that_was_kept_opens_without_its_path) { CHECK_INT(in_child(keep_file), 0); }
