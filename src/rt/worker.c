#include "rt/worker.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "rt/fiber_inside.h"

enum { WORKERS_MIN = 2, WORKERS_MAX = 64, LARGE_BLOCK_BYTES = 256 * 1024 };

// A work stands on the stack of the fiber that waits for it.
typedef struct job {
    struct job *next;
    void      (*compute)(void *);                // first; NULL: nothing
    void      (*fn)(void *);                     // NULL: in the simulator, whose thread does it itself
    void       *arg;
    worker_place place;
    loop       *loop;
    fiber      *fiber;
    bool        taken, done;                     // of the simulator's: under the pool's lock
    post        done_post;
} job;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t  come, computed;
    job            *first, *last;
    int             threads;
    bool            stopping;
    pthread_t       thread[WORKERS_MAX];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .come = PTHREAD_COND_INITIALIZER, .computed = PTHREAD_COND_INITIALIZER};

// ---- on the worker's side -------------------------------------------------------------------------------------------------

static job *pool_take(void)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.first && !pool.stopping)
        pthread_cond_wait(&pool.come, &pool.lock);
    job *j = pool.first;
    if (j) {
        pool.first = j->next;
        j->taken = true;
    }
    pthread_mutex_unlock(&pool.lock);
    return j;
}

static void job_done(void *arg)                  // on the loop's thread
{
    job *j = arg;
    j->done = true;
    fiber_wake(j->fiber);
}

static void computed_tell(job *j)
{
    pthread_mutex_lock(&pool.lock);
    j->done = true;
    pthread_cond_broadcast(&pool.computed);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker_main(void *unused)
{
    for (job *j; (j = pool_take()); ) {
        worker_here = j->place;
        if (j->compute)
            j->compute(j->arg);
        if (!j->loop) {
            computed_tell(j);
            continue;
        }
        j->fn(j->arg);
        worker_here = (worker_place){0};
        j->done_post = (post){.task = job_done, .arg = j};
        loop_post_node(j->loop, &j->done_post);  // from here on j may be gone
    }
    return unused;
}

static int processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < WORKERS_MIN ? WORKERS_MIN : n > WORKERS_MAX ? WORKERS_MAX : (int)n;
}

static void start_locked(int threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);         // signals go to the loops' threads
    pool.stopping = false;
    while (pool.threads < threads && pthread_create(&pool.thread[pool.threads], NULL, worker_main, NULL) == 0)
        pool.threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    must(pool.threads > 0);
}

void workers_start(int threads)
{
    must(threads <= WORKERS_MAX);
    // Large blocks (argon2's 19 MiB) are mapped and given back each time. Left alone, malloc moves this threshold up after
    // the first one and keeps that much in every thread's heap.
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
    pthread_mutex_lock(&pool.lock);
    must(!pool.threads);
    start_locked(threads > 0 ? threads : processors());
    pthread_mutex_unlock(&pool.lock);
}

void workers_stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stopping = true;
    int threads = pool.threads;
    pthread_cond_broadcast(&pool.come);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < threads; i++)
        pthread_join(pool.thread[i], NULL);
    pool.threads = 0;
}

// ---- on the fiber's side --------------------------------------------------------------------------------------------------

static void pool_put(job *j)
{
    pthread_mutex_lock(&pool.lock);
    if (!pool.threads)
        start_locked(j->loop ? processors() : processors() - 1);         // the simulator's own thread works, too
    if (pool.first)
        pool.last->next = j;
    else
        pool.first = j;
    pool.last = j;
    pthread_cond_signal(&pool.come);
    pthread_mutex_unlock(&pool.lock);
}

static void work_real(loop *l, void (*compute)(void *), void (*fn)(void *), void *arg)
{
    while (l->works >= WORK_QUEUE_MAX)
        gate_wait_uncanceled(&l->works_room, "a place in the work queue");
    fiber *f = fiber_self();
    job j = {.compute = compute, .fn = fn, .arg = arg, .place = {f->world, f->trace}, .loop = l, .fiber = f};
    l->works++;
    pool_put(&j);
    while (!j.done)
        fiber_park_uncanceled("work");
    l->works--;
    gate_wake_one(&l->works_room);
}

// Nothing else of the simulated world happens while fn runs; then the time passes that its operations would have taken.
static void work_simulated(loop *l, void (*fn)(void *), void *arg)
{
    l->charged_ns = 0;
    loop_call(l, fn, arg);
    int64_t until = time_after(l->now_ns, l->charged_ns);
    while (l->now_ns < until)
        fiber_park_deaf(until, "work");
}

// Takes it back when no thread has begun it: then the caller computes.
static bool job_untaken(job *j)
{
    job **at = &pool.first, *before = NULL;
    for (; *at && *at != j; at = &(*at)->next)
        before = *at;
    if (!*at)
        return false;
    *at = j->next;
    if (pool.last == j)
        pool.last = before;
    return true;
}

static void job_join(job *j)
{
    pthread_mutex_lock(&pool.lock);
    bool ours = !j->taken && job_untaken(j);
    while (!ours && !j->done)
        pthread_cond_wait(&pool.computed, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    if (ours)
        j->compute(j->arg);
}

static void compute_simulated(loop *l, void (*compute)(void *), int64_t ns, void *arg)
{
    job j = {.compute = compute, .arg = arg};
    int64_t until = time_after(l->now_ns, ns);
    pool_put(&j);
    while (l->now_ns < until)
        fiber_park_deaf(until, "work");
    job_join(&j);
}

void work_computed(void (*compute)(void *), int64_t ns, void (*fn)(void *), void *arg)
{
    loop *l = loop_of_thread;
    if (!l || l->in_work) {
        if (compute)
            compute(arg);
        fn(arg);                                 // no loop to hold up; or we are in a work already
    } else if (!world_is_simulated(fiber_self()->world)) {
        work_real(l, compute, fn, arg);
    } else {
        if (compute)
            compute_simulated(l, compute, ns, arg);
        work_simulated(l, fn, arg);
    }
}

void work(void (*fn)(void *), void *arg) { work_computed(NULL, 0, fn, arg); }

bool work_allowed(void) { return !loop_of_thread || loop_of_thread->in_work; }

void work_charge(int64_t ns)
{
    if (loop_of_thread && loop_of_thread->in_work)
        loop_of_thread->charged_ns = time_after(loop_of_thread->charged_ns, ns);
}
