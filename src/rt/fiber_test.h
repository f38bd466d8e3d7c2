// For the tests of the runtime: a body run as the first fiber of a real loop in a world of its own.
#pragma once
#include "rt/loop.h"
#include "test.h"

static inline err run_real(fiber_body *first, void *arg)
{
    world *w = world_linux_new(S("test"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, w, first, arg);
    driver_linux_free(driver);
    world_linux_free(w);
    return e;
}

// TEST whose text runs on a fiber.
#define FIBER_TEST(id)                                                                            \
    static void id##_body(void *unused);                                                          \
    TEST(id) { CHECK_INT(run_real(id##_body, NULL), E_OK); }                                      \
    static void id##_body(void *unused __attribute__((unused)))
