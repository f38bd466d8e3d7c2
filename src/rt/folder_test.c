// Folders against what a stranger's names, and a stranger on the same machine, may try.
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rt/world.h"
#include "test.h"

typedef struct { char root[64], inside[80], outside[80]; world *w; folder *d; } ground;

static const char secret[] = "outside";

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0);
    if (f)
        fclose(f);
}

static void ground_make(ground *g)
{
    char path[128];
    *g = (ground){.root = "/tmp/naru-folder-XXXXXX", .w = world_linux_new(S("here"), NULL, 0)};
    CHECK(mkdtemp(g->root));
    snprintf(g->inside, sizeof g->inside, "%s/inside", g->root);
    snprintf(g->outside, sizeof g->outside, "%s/outside", g->root);
    CHECK(mkdir(g->inside, 0700) == 0 && mkdir(g->outside, 0700) == 0);
    snprintf(path, sizeof path, "%s/secret", g->outside);
    put_file(path, secret);
    CHECK_INT(folder_open(g->w, g->inside, &g->d), E_OK);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

static void ground_end(ground *g)
{
    folder_close(g->d);
    world_linux_free(g->w);
    CHECK(nftw(g->root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static err try_write(ground *g, const char *path)
{
    file *f;
    err e = folder_file(g->d, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f);
    if (!e) {
        e = file_write(f, 0, &(struct iovec){(char *)(uintptr_t)"stolen!", 7}, 1);
        file_close(f);
    }
    return e;
}

static bool secret_whole(const ground *g)
{
    char path[128], text[32] = {0};
    snprintf(path, sizeof path, "%s/secret", g->outside);
    FILE *f = fopen(path, "r");
    bool good = f && fgets(text, sizeof text, f) && strcmp(text, secret) == 0;
    if (f)
        fclose(f);
    return good;
}

TEST(folder_refuses_names_that_lead_out)
{
    ground g;
    file_stat st;
    ground_make(&g);
    static const char *const names[] = {
        "..", ".", "../outside/secret", "a/../../outside/secret", "/etc/passwd", "", "a//b", "a/", "./a", "a/./b", "a/..",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_ROW(i, try_write(&g, names[i]) == E_ACCESS);
        CHECK_ROW(i, folder_make(g.d, names[i], 0700) == E_ACCESS);
        CHECK_ROW(i, folder_remove(g.d, names[i]) == E_ACCESS);
        CHECK_ROW(i, !*names[i] || folder_stat(g.d, names[i], &st) == E_ACCESS);
        CHECK_ROW(i, folder_rename(g.d, "x", g.d, names[i], true) == E_ACCESS);
    }
    char longest[400];
    memset(longest, 'n', sizeof longest);
    longest[300] = 0;
    CHECK_INT(try_write(&g, longest), E_TOO_LONG);
    CHECK(secret_whole(&g));
    ground_end(&g);
}

TEST(folder_follows_no_link_and_opens_no_fifo_or_device)
{
    ground g;
    char path[128], target[128];
    file_stat st;
    ground_make(&g);
    snprintf(path, sizeof path, "%s/link", g.inside);
    snprintf(target, sizeof target, "%s/secret", g.outside);
    CHECK(symlink(target, path) == 0);
    snprintf(path, sizeof path, "%s/dir", g.inside);
    CHECK(symlink("../outside", path) == 0);
    snprintf(path, sizeof path, "%s/own", g.inside);
    CHECK(symlink("real", path) == 0);                       // also a link that stays inside
    snprintf(path, sizeof path, "%s/fifo", g.inside);
    CHECK(mkfifo(path, 0600) == 0);
    snprintf(path, sizeof path, "%s/null", g.inside);
    bool device = mknod(path, S_IFCHR | 0600, (dev_t)(1 << 8 | 3)) == 0;     // root may
    CHECK_INT(try_write(&g, "real"), E_OK);
    CHECK_INT(try_write(&g, "link"), E_ACCESS);
    CHECK_INT(try_write(&g, "dir/secret"), E_ACCESS);
    CHECK_INT(try_write(&g, "dir/new"), E_ACCESS);
    CHECK_INT(try_write(&g, "own"), E_ACCESS);
    CHECK_INT(try_write(&g, "fifo"), E_ACCESS);
    file *f;
    CHECK_INT(folder_file(g.d, "fifo", FILE_WRITE, 0, &f), E_ACCESS);
    CHECK_INT(folder_file(g.d, "fifo", FILE_READ, 0, &f), E_ACCESS);
    CHECK(!device || try_write(&g, "null") == E_ACCESS);
    CHECK_INT(folder_make(g.d, "dir/sub", 0700), E_ACCESS);
    CHECK_INT(folder_make(g.d, "dir", 0700), E_ACCESS);
    CHECK_INT(folder_stat(g.d, "link", &st), E_ACCESS);
    CHECK_INT(folder_sync(g.d, "dir"), E_ACCESS);
    CHECK_INT(folder_rename(g.d, "real", g.d, "dir/real", true), E_ACCESS);
    CHECK_INT(folder_remove(g.d, "dir/secret"), E_ACCESS);
    CHECK_INT(folder_remove(g.d, "link"), E_OK);             // the link itself, not what it points at
    CHECK(secret_whole(&g));
    ground_end(&g);
}

typedef struct { const ground *g; _Atomic bool stop; } racer;

// Swaps a directory and a link to the outside as fast as it can.
static void *race_run(void *arg)
{
    racer *r = arg;
    char real[128], link[128];
    snprintf(real, sizeof real, "%s/d", r->g->inside);
    snprintf(link, sizeof link, "%s/link", r->g->inside);
    if (symlink("../outside", link) != 0)
        return NULL;
    while (!r->stop)
        if (renameat2(AT_FDCWD, real, AT_FDCWD, link, 2 /* RENAME_EXCHANGE */) != 0)
            break;
    return NULL;
}

TEST(folder_is_not_fooled_while_somebody_swaps_a_directory_for_a_link)
{
    ground g;
    pthread_t thread;
    ground_make(&g);
    CHECK_INT(folder_make(g.d, "d", 0700), E_OK);
    racer r = {.g = &g};
    CHECK(pthread_create(&thread, NULL, race_run, &r) == 0);
    for (int i = 0; i < 4000; i++)
        (void)try_write(&g, "d/secret");
    r.stop = true;
    pthread_join(thread, NULL);
    CHECK(secret_whole(&g));
    ground_end(&g);
}

TEST(folder_files_are_made_synced_moved_and_removed)
{
    ground g;
    file *f;
    file_stat st;
    int64_t space;
    ground_make(&g);
    CHECK_INT(folder_make(g.d, "a/b/c", 0700), E_OK);
    CHECK_INT(folder_make(g.d, "a/b/c", 0700), E_OK);
    CHECK_INT(try_write(&g, "a/b/c/file"), E_OK);
    CHECK_INT(folder_make(g.d, "a/b/c/file", 0700), E_EXISTS);
    CHECK_INT(folder_file(g.d, "a/b/c/none", FILE_READ, 0, &f), E_NO_ENTRY);
    CHECK_INT(folder_file(g.d, "a/b", FILE_READ, 0, &f), E_ACCESS);
    CHECK_INT(folder_file(g.d, "a/b/c/file", FILE_READ | FILE_WRITE, 0, &f), E_OK);
    err e = file_reserve(f, 0, 100000);
    CHECK(e == E_OK || e == E_UNSUPPORTED);
    CHECK_INT(file_look(f, &st), E_OK);
    CHECK_INT(st.size_bytes, e ? 7 : 100000);
    CHECK_INT(file_sync_whole(f), E_OK);
    CHECK_INT(file_reserve(f, 0, 1ll << 60) != E_OK, true);              // nobody has that much
    file_close(f);
    CHECK_INT(folder_sync(g.d, "a/b/c"), E_OK);
    CHECK_INT(folder_sync(g.d, ""), E_OK);
    CHECK_INT(folder_space(g.d, &space), E_OK);
    CHECK(space > 0);
    CHECK_INT(try_write(&g, "taken"), E_OK);
    CHECK_INT(folder_rename(g.d, "a/b/c/file", g.d, "taken", false), E_EXISTS);
    CHECK_INT(folder_rename(g.d, "a/b/c/file", g.d, "a/moved", false), E_OK);
    CHECK_INT(folder_rename(g.d, "a/moved", g.d, "taken", true), E_OK);
    CHECK_INT(folder_stat(g.d, "taken", &st), E_OK);
    CHECK_INT(folder_remove(g.d, "a/b"), E_EXISTS);
    CHECK_INT(folder_remove(g.d, "a/b/c"), E_OK);
    CHECK_INT(folder_remove(g.d, "a/b"), E_OK);
    CHECK_INT(folder_remove(g.d, "a/b"), E_NO_ENTRY);
    CHECK_INT(folder_stat(g.d, "", &st), E_OK);
    CHECK(st.is_dir);
    ground_end(&g);
}
