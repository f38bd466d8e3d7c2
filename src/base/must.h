// "We are wrong": a broken invariant. Always on; the handler that rt installs prints the fiber table, then aborts.
#pragma once

#define must(condition) \
    ((condition) ? (void)0 : must_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void must_failed(const char *what, const char *file, int line, const char *function);
extern void (*must_hook)(const char *what, const char *file, int line);   // runs before abort(); NULL: none
