#include "cmd/running.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "rt/loop.h"
#include "rt/wait.h"
#include "rt/worker.h"
#include "talk/control.h"
#include "test.h"

// A naru of one node on a thread of its own; it ends when it is told to reload.
typedef struct { char *dir; sem_t ready; gate ending; bool ended; pthread_t thread; err result; } instance;

static bool end_instance(void *arg, arena *msg, str *why)
{
    instance *i = arg;
    (void)msg, (void)why;
    i->ended = true;
    gate_wake_all(&i->ending);
    return true;
}

static void live(void *arg)
{
    instance *i = arg;
    node n;
    arena a = arena_make(1 << 20);
    node_start(&n, world_here(), S("test.example"), str_z(i->dir));
    control_on_reload(&n, end_instance, i);
    i->result = control_open(&n);
    if (i->result == E_OK)
        running_announce(&a, str_z(i->dir));
    sem_post(&i->ready);
    while (!i->ended && !i->result)
        gate_wait(&i->ending, NEVER_NS, "test");
    running_forget(&a, str_z(i->dir));
    node_stop(&n);
    arena_free(&a);
}

static void *live_on_a_loop(void *arg)
{
    world *w = world_linux_new(S("test.example"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    loop_run(driver, w, live, arg);
    driver_linux_free(driver);
    world_linux_free(w);
    return NULL;
}

static void instance_start(instance *i, char *dir)
{
    *i = (instance){.dir = dir};
    sem_init(&i->ready, 0, 0);
    CHECK_INT(pthread_create(&i->thread, NULL, live_on_a_loop, i), 0);
    sem_wait(&i->ready);
    CHECK_INT(i->result, E_OK);
}

static void instance_end(instance *i, arena *a)
{
    CHECK_INT(running_ask(a, str_z(i->dir), S("POST"), S("/reload"), (str){0}).status, 200);
    pthread_join(i->thread, NULL);
}

static int story_with(const char *option, const char *value)
{
    char *argv[] = {(char *)(uintptr_t)"story", (char *)(uintptr_t)option, (char *)(uintptr_t)value, NULL};
    return cmd_story(value ? 3 : 2, argv);
}

TEST(running_instances_are_found)
{
    char place[] = "/tmp/naru-running-test-XXXXXX";
    CHECK(mkdtemp(place) != NULL);
    arena a = arena_make(8 << 20);
    char *one = str_to_z(&a, str_format(&a, "%s/one", place)), *two = str_to_z(&a, str_format(&a, "%s/two", place));
    setenv("XDG_RUNTIME_DIR", place, 1);
    unsetenv("NARU_DIR");
    str dir;
    CHECK(!running_find(&a, (str){0}, &dir));
    CHECK_INT(story_with("--last", NULL), COMMAND_UNREACHABLE);

    instance i, k;
    instance_start(&i, one);
    CHECK(running_find(&a, (str){0}, &dir) && str_eq(dir, str_z(one)));
    instance_start(&k, two);
    CHECK(running_find(&a, (str){0}, &dir) && str_eq(dir, str_z(two)));               // the newest
    CHECK(running_find(&a, str_z(one), &dir) && str_eq(dir, str_z(one)));              // the one that is meant
    setenv("NARU_DIR", one, 1);
    CHECK(running_find(&a, (str){0}, &dir) && str_eq(dir, str_z(one)));
    setenv("NARU_DIR", "/nowhere", 1);
    CHECK(!running_find(&a, (str){0}, &dir));
    unsetenv("NARU_DIR");
    CHECK_INT(story_with("--dir", one), COMMAND_FAILED);                               // it lives, but nothing was told
    CHECK_INT(story_with("--dri", one), COMMAND_USAGE);

    instance_end(&k, &a);
    CHECK(running_announce(&a, str_z(two)));                                           // one that died without a word
    CHECK(running_find(&a, (str){0}, &dir) && str_eq(dir, str_z(one)));
    instance_end(&i, &a);
    CHECK(!running_find(&a, (str){0}, &dir));

    CHECK_INT(chmod(str_to_z(&a, str_format(&a, "%s/naru", place)), 0755), 0);         // open to others: not used
    str list;
    CHECK(!running_list_dir(&a, &list) || !str_starts(list, str_z(place)));
    unsetenv("XDG_RUNTIME_DIR");
    workers_stop();
    world *w = world_linux_new(S("test"), NULL, 0);
    CHECK_INT(directory_remove(w, str_z(place)), E_OK);
    world_linux_free(w);
    arena_free(&a);
}
