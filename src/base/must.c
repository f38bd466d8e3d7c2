#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void (*must_hook)(const char *what, const char *file, int line);

_Noreturn void must_failed(const char *what, const char *file, int line, const char *function)
{
    fprintf(stderr, "naru: broken invariant: %s (%s, %s:%d)\n", what, function, file, line);
    void (*hook)(const char *, const char *, int) = must_hook;
    must_hook = NULL;                              // a hook that breaks an invariant itself runs once
    if (hook)
        hook(what, file, line);
    abort();
}
