// bench-base64 [--json]: gigabytes (10^9) of binary data a second through base64, in cache: naru's plain and fast versions,
// lines of 76 columns, and OpenSSL's EVP_EncodeBlock in the same run. Rounds are interleaved; the median counts. With --json
// the table goes to stderr and one JSON object to stdout.
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/must.h"

enum { INPUT_BYTES = 24 * 1024 / 57 * 57, LETTERS_MAX = INPUT_BYTES * 3 / 2, ROUNDS = 31, ROUND_NS = 10 * 1000 * 1000 };

static unsigned char binary[INPUT_BYTES], letters[LETTERS_MAX], lines[LETTERS_MAX], out[LETTERS_MAX];
static size_t letters_size, lines_size;

static void encode_plain(void) { base64_encode_plain(out, str_of(binary, INPUT_BYTES)); }
static void encode(void) { base64_encode(out, str_of(binary, INPUT_BYTES)); }
static void encode_lines(void) { base64_encode_lines(out, str_of(binary, INPUT_BYTES)); }
static void encode_openssl(void) { must(EVP_EncodeBlock(out, binary, INPUT_BYTES) > 0); }
static void decode_plain(void) { must(base64_decode_plain(out, str_of(letters, letters_size)) == INPUT_BYTES); }
static void decode(void) { must(base64_decode(out, str_of(letters, letters_size)) == INPUT_BYTES); }
static void decode_lines(void) { must(base64_decode_mime(out, str_of(lines, lines_size)) == INPUT_BYTES); }
static void decode_openssl(void) { must(EVP_DecodeBlock(out, letters, (int)letters_size) == INPUT_BYTES); }

static struct {
    const char *name;
    void (*run)(void);
    double goal, gb_per_s[ROUNDS];
} rows[] = {
    {.name = "encode, naru plain", .run = encode_plain},
    {.name = "encode, naru", .run = encode, .goal = 10},
    {.name = "encode, naru, 76 columns", .run = encode_lines, .goal = 4},
    {.name = "encode, OpenSSL EVP_EncodeBlock", .run = encode_openssl},
    {.name = "decode, naru plain", .run = decode_plain},
    {.name = "decode, naru", .run = decode, .goal = 10},
    {.name = "decode, naru, 76 columns", .run = decode_lines, .goal = 4},
    {.name = "decode, OpenSSL EVP_DecodeBlock", .run = decode_openssl},
};
enum { ROWS = sizeof rows / sizeof *rows };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double gb_per_s(void (*run)(void))
{
    double start = now_ns(), took = 0;
    long times = 0;
    for (; took < ROUND_NS; took = now_ns() - start, times += 16)
        for (int i = 0; i < 16; i++) {
            run();
            __asm__ volatile("" ::: "memory");
        }
    return (double)times * INPUT_BYTES / took;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    for (size_t i = 0; i < INPUT_BYTES; i++)
        binary[i] = (unsigned char)(i * 2654435761u >> 13);
    letters_size = base64_encode_plain(letters, str_of(binary, INPUT_BYTES));
    lines_size = base64_encode_lines_plain(lines, str_of(binary, INPUT_BYTES));
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < ROWS; i++)
            rows[i].gb_per_s[round] = gb_per_s(rows[i].run);
    int missed = 0;
    FILE *table = json ? stderr : stdout;
    if (json)
        printf("{\"bench\": \"base64\", \"unit\": \"GB/s of binary data, in cache\", \"rows\": [\n");
    for (int i = 0; i < ROWS; i++) {
        qsort(rows[i].gb_per_s, ROUNDS, sizeof rows[i].gb_per_s[0], ascending);
        double median = rows[i].gb_per_s[ROUNDS / 2];
        bool met = median >= rows[i].goal;
        missed += !met;
        if (json)
            printf("  {\"name\": \"%s\", \"value\": %.2f, \"goal\": %.0f}%s\n", rows[i].name, median, rows[i].goal,
                   i + 1 < ROWS ? "," : "]}");
        if (rows[i].goal > 0)
            fprintf(table, "%-34s %6.2f GB/s   goal %.0f: %s\n", rows[i].name, median, rows[i].goal, met ? "met" : "MISSED");
        else
            fprintf(table, "%-34s %6.2f GB/s\n", rows[i].name, median);
    }
    return missed != 0;
}
