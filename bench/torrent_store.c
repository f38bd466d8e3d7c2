// bench-torrent_store [--json] [--dir D] (NARU_BENCH_QUICK: fewer rounds): what hashing, writing and reading a torrent's pieces costs
// beside OpenSSL's SHA-1 alone and beside a program that only hashes and writes. Pieces of 256 KiB, one at a time, in one run;
// rounds are interleaved, the median counts. Without --dir the files stand on a memory disk: the program is measured, not the disk.
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/must.h"
#include "rooms/swarm/store.h"
#include "rt/digest.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { PIECE = 256 << 10, PIECES = 256, ROUNDS_MAX = 15, ROUNDS_QUICK = 5, PATH_BYTES = 256 };

typedef struct { double mb_s, cpu_ns; } figure;       // of payload a second; CPU nanoseconds a KiB
typedef struct {
    const char *name;
    figure    (*measure)(void);
    int         against;                              // the row that CPU time is compared with; -1: none
    double      goal;                                 // least ratio of speeds by CPU time; 0: none
    figure      rounds[ROUNDS_MAX];
} row;

static unsigned char *payload;
static metainfo layout;
static uint8_t hash[INFO_HASH_BYTES];
static char directory[PATH_BYTES];
static world *here;
static store_pool *pool;
static int rounds = ROUNDS_MAX, serial;

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

typedef struct { double wall_ns, cpu_ns; } instant;
static instant now(void) { return (instant){clock_of(CLOCK_MONOTONIC), clock_of(CLOCK_PROCESS_CPUTIME_ID)}; }

static figure since(instant start)
{
    const instant end = now();
    const double bytes = (double)PIECE * PIECES;
    return (figure){bytes * 1e3 / (end.wall_ns - start.wall_ns), (end.cpu_ns - start.cpu_ns) * 1024 / bytes};
}

static str piece(int i) { return str_of(payload + (size_t)i * PIECE, PIECE); }

// ---- what is measured ---------------------------------------------------------------------------------------------------------

static void openssl_run(void *arg)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    instant start = now();
    for (int i = 0; i < PIECES; i++)
        must(EVP_Digest(piece(i).at, PIECE, out, NULL, EVP_sha1(), NULL) == 1);
    *(figure *)arg = since(start);
}

static figure openssl_alone(void)
{
    figure f;
    work(openssl_run, &f);
    return f;
}

static void plain_run(void *arg)
{
    char path[PATH_BYTES + 32];
    unsigned char out[EVP_MAX_MD_SIZE];
    snprintf(path, sizeof path, "%s/plain", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0);
    instant start = now();
    for (int i = 0; i < PIECES; i++) {
        must(EVP_Digest(piece(i).at, PIECE, out, NULL, EVP_sha1(), NULL) == 1);
        must(pwrite(fd, piece(i).at, PIECE, (off_t)i * PIECE) == PIECE);
    }
    must(fdatasync(fd) == 0);
    *(figure *)arg = since(start);
    close(fd);
    unlink(path);
}

static figure plain_write(void)
{
    figure f;
    work(plain_run, &f);
    return f;
}

static void pieces_put(store *s)
{
    for (int i = 0; i < PIECES; i++) {
        bool good = false;
        must(store_piece_put(s, i, piece(i), &good) == E_OK && good);
    }
}

// As the store does it without a disk: hashes, compares.
static figure store_hash(void)
{
    store *s;
    must(store_open_memory(pool, &layout, str_of(payload, (size_t)layout.length), false, (store_events){0}, &s) == E_OK);
    instant start = now();
    pieces_put(s);
    figure f = since(start);
    store_close(s);
    return f;
}

static store *store_fresh(arena *a, char home[PATH_BYTES + 32])
{
    store *s;
    str why;
    snprintf(home, PATH_BYTES + 32, "%s/home-%d", directory, serial);
    store_options options = {.state_directory = str_z(directory), .directory = str_z(home)};
    memcpy(options.hash, hash, sizeof hash);
    must(store_open(pool, &options, a, &s, &why) == E_OK);
    return s;
}

static void home_gone(arena *a, store *s)
{
    str why;
    must(store_remove_data(s, a, &why) == E_OK);
    store_close(s);
    serial++;
}

static figure store_write(void)
{
    arena a = arena_make(1 << 20);
    char home[PATH_BYTES + 32];
    store *s = store_fresh(&a, home);
    instant start = now();
    pieces_put(s);
    must(store_flush(s) == E_OK && store_all_complete(s));
    figure f = since(start);
    home_gone(&a, s);
    arena_free(&a);
    return f;
}

static figure store_read(void)
{
    arena a = arena_make(1 << 20);
    char home[PATH_BYTES + 32];
    store *s = store_fresh(&a, home);
    pieces_put(s);
    must(store_flush(s) == E_OK);
    instant start = now();
    for (int i = 0; i < PIECES; i++)
        for (int at = 0; at < PIECE; at += STORE_BLOCK_BYTES) {
            store_view v;
            must(store_view_get(s, i, at, STORE_BLOCK_BYTES, &v) == E_OK);
            store_view_release(s, &v);
        }
    figure f = since(start);
    home_gone(&a, s);
    arena_free(&a);
    return f;
}

static row table[] = {
    {.name = "store: hashed", .measure = store_hash, .against = 1, .goal = 0.9},
    {.name = "OpenSSL's SHA-1 alone", .measure = openssl_alone, .against = -1},
    {.name = "store: hashed, written, synced, recorded", .measure = store_write, .against = 3, .goal = 0.8},
    {.name = "hashed, written, synced by a plain program", .measure = plain_write, .against = -1},
    {.name = "store: read for sending, blocks of 16 KiB", .measure = store_read, .against = -1},
};
enum { ROWS = sizeof table / sizeof *table };

// ---- around it ----------------------------------------------------------------------------------------------------------------

static void torrent_make(arena *a)
{
    metainfo_file *only = arena_new(a, metainfo_file);
    unsigned char *digests = arena_array(a, unsigned char, PIECES * INFO_HASH_BYTES), name[2 * INFO_HASH_BYTES];
    char path[PATH_BYTES + 64];
    metainfo read;
    bencode_refusal why;
    buf text = buf_make(METAINFO_BYTES_MAX);
    layout = (metainfo){.name = S("payload"), .single = true, .piece_bytes = PIECE, .length = (int64_t)PIECE * PIECES, .piece_count = PIECES,
                        .files = only, .file_count = 1, .pieces = str_of(digests, PIECES * INFO_HASH_BYTES)};
    *only = (metainfo_file){S("payload"), 0, layout.length, false};
    for (int i = 0; i < PIECES; i++)
        digest_of(DIGEST_SHA1, piece(i), digests + i * INFO_HASH_BYTES);
    must(metainfo_write(&text, &layout) && metainfo_read(buf_str(&text), a, &read, &why));
    digest_of(DIGEST_SHA1, read.info, hash);
    hex_encode(name, str_of(hash, sizeof hash));
    snprintf(path, sizeof path, "%s/%.40s.torrent", directory, (const char *)name);
    FILE *f = fopen(path, "w");
    must(f && fwrite(text.at, 1, text.len, f) == text.len && fclose(f) == 0);
    buf_free(&text);
}

static void run(void *arg)
{
    torrent_make(arg);
    SCOPE(s, 0, 64);
    must(store_pool_open(&s, (store_limits){0}, &pool) == E_OK);
    for (int i = 0; i < rounds; i++)
        for (int k = 0; k < ROWS; k++)
            table[k].rounds[i] = table[k].measure();
    store_pool_close(pool);
}

static int by_cpu(const void *a, const void *b)
{
    const figure *x = a, *y = b;
    return (x->cpu_ns > y->cpu_ns) - (x->cpu_ns < y->cpu_ns);
}

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double ratio_of(const row *r)
{
    double ratios[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++)
        ratios[i] = table[r->against].rounds[i].cpu_ns / r->rounds[i].cpu_ns;
    qsort(ratios, (size_t)rounds, sizeof *ratios, by_number);
    return ratios[rounds / 2];
}

static int report(bool json)
{
    int missed = 0;
    FILE *out = json ? stderr : stdout;
    double ratios[ROWS];
    for (int k = 0; k < ROWS; k++)
        ratios[k] = table[k].against >= 0 ? ratio_of(&table[k]) : 0;
    printf("%s", json ? "{\"bench\": \"torrent_store\", \"unit\": \"MB a second\", \"rows\": [\n" : "");
    for (int k = 0; k < ROWS; k++) {
        row *r = &table[k];
        qsort(r->rounds, (size_t)rounds, sizeof *r->rounds, by_cpu);
        figure f = r->rounds[rounds / 2];
        bool met = ratios[k] >= r->goal;
        missed += !met;
        if (json)
            printf("  {\"name\": \"%s\", \"value\": %.0f, \"cpu_ns_kib\": %.0f, \"ratio\": %.2f, \"goal\": %.2f}%s\n", r->name, f.mb_s, f.cpu_ns,
                   ratios[k], r->goal, k + 1 < ROWS ? "," : "");
        fprintf(out, "%-46s %6.0f MB a second %6.0f ns of CPU a KiB", r->name, f.mb_s, f.cpu_ns);
        if (r->goal > 0)
            fprintf(out, "   %.2f of the next line by CPU, goal %.2f: %s", ratios[k], r->goal, met ? "met" : "MISSED");
        fputc('\n', out);
    }
    printf("%s", json ? "]}\n" : "");
    return missed;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

int main(int argc, char **argv)
{
    bool json = false;
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", *quick = getenv("NARU_BENCH_QUICK");
    if (quick && *quick)
        rounds = ROUNDS_QUICK;
    for (int i = 1; i < argc; i++) {
        json |= strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            parent = argv[++i];
    }
    snprintf(directory, sizeof directory, "%s/naru-bench-XXXXXX", parent);
    if (!mkdtemp(directory)) {
        fprintf(stderr, "bench-torrent_store: cannot make a directory in %s: give another with --dir\n", parent);
        return 2;
    }
    payload = malloc((size_t)PIECE * PIECES);
    must(payload);
    for (size_t i = 0; i < (size_t)PIECE * PIECES; i++)
        payload[i] = (unsigned char)(i * 2654435761u >> 13);
    arena a = arena_make(64 << 20);
    here = world_linux_new(S("bench"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    must(loop_run(driver, here, run, &a) == E_OK);
    driver_linux_free(driver);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    world_linux_free(here);
    arena_free(&a);
    free(payload);
    return report(json) != 0;
}
