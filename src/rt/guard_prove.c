// The guard on trial: what must not work is tried behind it.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/guard.h"

enum { PROOF_REFUSED = 10, PROOF_ALLOWED = 11, PROOF_UNTRIED = 12, DISCARD_PORT = 9 };

const char *guard_try_name(guard_try t)
{
    static const char *const names[] = {"open", "connect", "exec", "ptrace"};
    return names[t];
}

// To a port that no service may connect to; a refused or unreachable connection went through the guard.
static bool connect_works(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || (errno != EACCES && errno != EPERM);
}

static bool try_works(guard_try t)
{
    static char name[] = "true";
    char *const words[] = {name, NULL};
    switch (t) {
    case GUARD_TRY_OPEN:    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
    case GUARD_TRY_CONNECT: return connect_works();
    case GUARD_TRY_EXEC:    execv("/bin/true", words); return false;
    case GUARD_TRY_PTRACE:  return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
    case GUARD_TRIES:       break;
    }
    return false;
}

static _Noreturn void prove_here(const guard_policy *p, guard_try t)
{
    guard_report report;
    const char *why;
    if (!guard_enter(p, &report, &why))
        _exit(PROOF_UNTRIED);
    _exit(try_works(t) ? PROOF_ALLOWED : PROOF_REFUSED);
}

guard_verdict guard_prove(const guard_policy *p, guard_try t)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        prove_here(p, t);
    if (child < 0)
        return GUARD_UNTRIED;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return GUARD_UNTRIED;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? GUARD_KILLED : GUARD_UNTRIED;
    int code = WEXITSTATUS(status);                  // 0: the other program ran
    return code == PROOF_REFUSED ? GUARD_REFUSED : code == PROOF_ALLOWED || code == 0 ? GUARD_ALLOWED : GUARD_UNTRIED;
}
