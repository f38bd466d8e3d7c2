// The real program: `naru try --json` is started, its one JSON object says where everything is, and SIGTERM
// ends it.
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/loop.h"
#include "stage.h"

enum { READY_MS_MAX = 60 * 1000, JSON_BYTES_MAX = 1 << 20, PEM_BYTES_MAX = 1 << 20 };

extern char **environ;

typedef struct {
    pid_t       pid;
    int         out;                 // its standard output
    json_t     *told;
    world      *world;
    stage_play *play;
    void       *arg;
    bool        ok;
} theatre;

static bool where(void *arg, str host, str service, addr *out)
{
    theatre *t = arg;
    arena a = arena_make(4096);
    json_t *h = json_object_get(json_object_get(t->told, "hosts"), str_to_z(&a, host));
    const char *at = json_string_value(json_object_get(h, str_to_z(&a, service)));
    bool found = at && addr_parse(str_z(at), stage_port(service), out);
    arena_free(&a);
    return found;
}

static bool password(void *arg, str who, arena *a, str *out)
{
    theatre *t = arg;
    size_t i;
    json_t *account;
    json_array_foreach(json_object_get(t->told, "accounts"), i, account) {
        if (!str_eq(str_z(json_string_value(json_object_get(account, "address"))), who))
            continue;
        *out = str_copy(a, str_z(json_string_value(json_object_get(account, "password"))));
        return true;
    }
    return false;
}

static bool program_start(theatre *t, const char *naru)
{
    int ends[2];
    if (pipe(ends))
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    char *const arguments[] = {(char *)(uintptr_t)naru, (char *)(uintptr_t)"try", (char *)(uintptr_t)"--json", NULL};
    int failed = posix_spawn(&t->pid, naru, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    t->out = ends[0];
    if (failed)
        fprintf(stderr, "naru-talk: cannot start %s: %s\n", naru, strerror(failed));
    return !failed;
}

// Reads until what was read is a whole JSON object: then everything is ready.
static bool program_ready(theatre *t)
{
    buf text = buf_make(JSON_BYTES_MAX);
    for (;;) {
        struct pollfd waiting = {.fd = t->out, .events = POLLIN};
        unsigned char piece[4096];
        ssize_t n = poll(&waiting, 1, READY_MS_MAX) > 0 ? read(t->out, piece, sizeof piece) : -1;
        if (n <= 0 || !buf_put(&text, str_of(piece, (size_t)n)))
            break;
        t->told = json_loadb((const char *)text.at, text.len, JSON_DISABLE_EOF_CHECK, NULL);
        if (t->told)
            break;
    }
    buf_free(&text);
    if (!t->told)
        fprintf(stderr, "naru-talk: `naru try --json` did not say that it is ready\n");
    return t->told;
}

static void first(void *arg)
{
    theatre *t = arg;
    arena a = arena_make(4 * PEM_BYTES_MAX);
    str why = {0};
    buf pem = buf_make(PEM_BYTES_MAX);
    FILE *f = fopen(json_string_value(json_object_get(t->told, "ca")), "rb");
    unsigned char piece[4096];
    for (size_t n; f && (n = fread(piece, 1, sizeof piece, f)) > 0; )
        buf_put(&pem, str_of(piece, n));
    if (f)
        fclose(f);
    tls_config *tls = pem.len ? tls_client_new(t->world, buf_str(&pem), NULL, &a, &why) : NULL;
    talk_stage stage = {
        .name = "real", .world = t->world, .tls = tls, .where = where, .password = password, .arg = t};
    t->play(&stage, t->arg);
    tls_free(tls);
    buf_free(&pem);
    arena_free(&a);
}

bool stage_real(const char *naru, stage_play *play, void *arg)
{
    theatre t = {.play = play, .arg = arg};
    if (!program_start(&t, naru))
        return false;
    t.ok = program_ready(&t);
    if (t.ok) {
        t.world = world_linux_new(S("visitor"), NULL, 0);
        loop_driver *driver = driver_linux_new();
        t.ok = loop_run(driver, t.world, first, &t) == E_OK;
        driver_linux_free(driver);
        world_linux_free(t.world);
    }
    kill(t.pid, SIGTERM);
    int status;
    while (waitpid(t.pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(t.out);
    json_decref(t.told);
    return t.ok;
}
