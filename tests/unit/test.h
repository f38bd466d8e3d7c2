// The unit tests' whole framework. A file x_test.c beside x.c holds TEST(x_does_this) { CHECK(...); }.
// Every TEST registers itself; `unit-LAYER [FILTER]` runs those whose name contains FILTER.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/text.h"

typedef struct test { const char *name, *file; void (*run)(void); struct test *next; } test;
void test_register(test *t);
void test_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why);              // loud: named in the summary with its reason

// The next number of a repeatable sequence (splitmix64); start from any constant.
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#define TEST(id)                                                                                  \
    static void id(void);                                                                         \
    static test id##_entry = {#id, __FILE__, id, NULL};                                           \
    __attribute__((constructor)) static void id##_register(void) { test_register(&id##_entry); }  \
    static void id(void)

#define CHECK(condition)                                                                          \
    do { if (!(condition)) test_failed(__FILE__, __LINE__, "%s", #condition); } while (0)
#define CHECK_ROW(row, condition)                                                                 \
    do { if (!(condition)) test_failed(__FILE__, __LINE__, "row %d: %s", (int)(row), #condition); } while (0)
#define CHECK_INT(got, want)                                                                      \
    do { long long g_ = (long long)(got), w_ = (long long)(want);                                 \
         if (g_ != w_) test_failed(__FILE__, __LINE__, "%s: got %lld, want %lld", #got, g_, w_); } while (0)
#define CHECK_STR(got, want)                                                                      \
    do { str g_ = (got), w_ = (want);                                                             \
         if (!str_eq(g_, w_)) test_failed(__FILE__, __LINE__, "%s: got '" STR_FMT "', want '" STR_FMT "'", #got, \
                                          STR_ARG(g_), STR_ARG(w_)); } while (0)
