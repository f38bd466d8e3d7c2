// work(): a blocking or long computation (files, SQLite, argon2, hashing) on a worker thread, while the fiber parks.
#pragma once
#include "rt/fiber.h"

// Runs fn(arg) off the loop and waits for it, deaf to cancelling: memory has been lent out. The order of two works of one
// fiber is the order of the calls. In the simulator fn runs at once on the loop's thread on one large stack, must not park,
// and the virtual time that its file operations cost is charged afterwards. Never fails: a full queue makes the caller wait.
void work(void (*fn)(void *arg), void *arg);

// compute(arg), then fn(arg), as one work. compute touches nothing but what was lent with arg: no file, no clock, no chance. So the
// simulator lets another thread compute while `ns` of virtual time pass, and has the result at that instant, however long it took.
void work_computed(void (*compute)(void *arg), int64_t ns, void (*fn)(void *arg), void *arg);

bool work_allowed(void);          // may blocking calls be made here? (a worker, or no loop runs on this thread)
void work_charge(int64_t ns);     // simulator: this work would have taken that long (argon2 ...); real world: nothing
void workers_start(int threads);  // once per process, before the loops; 0: as many as processors, at least 2
void workers_stop(void);          // waits for what is running
enum { WORK_QUEUE_MAX = 4096 };   // works waiting; above it callers wait
