#include "test.h"

#include <stdarg.h>
#include <stdlib.h>

static test *tests;
static int   failures_here;
static const char *skipped_here;

void test_register(test *t) { t->next = tests, tests = t; }
void test_skip(const char *why) { skipped_here = why; }

void test_failed(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("  FAILED %s:%d: ", file, line);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    failures_here++;
}

// $NARU_UNIT_WITHOUT: tests with this in their names are left out, which is said.
static bool is_left_out(const char *name)
{
    const char *without = getenv("NARU_UNIT_WITHOUT");
    return without && *without && strstr(name, without);
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0;
    test *in_order = NULL;
    for (test *t = tests, *next; t; t = next)
        next = t->next, t->next = in_order, in_order = t;
    for (test *t = in_order; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        failures_here = 0, skipped_here = NULL;
        if (is_left_out(t->name))
            test_skip("left out by NARU_UNIT_WITHOUT");
        else
            t->run();
        if (failures_here)
            failed++, printf("not ok %s\n", t->name);
        else if (skipped_here)
            skipped++, printf("SKIPPED %s: %s\n", t->name, skipped_here);
        else
            passed++, printf("ok %s\n", t->name);
        fflush(stdout);
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed || !(passed + skipped);
}
