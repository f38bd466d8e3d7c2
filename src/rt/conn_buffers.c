#include "rt/conn_buffers.h"

#include <pthread.h>

#include "base/heap_memory.h"
#include "base/must.h"

#if defined(__SANITIZE_ADDRESS__)
#define BUFFERS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUFFERS_SANITIZED 1
#endif
#endif

typedef struct {
    void *free[BUFFERS_CACHED_MAX];
    int   count;
} shelf;

enum { SHELVES = 3 };
static const size_t shelf_bytes[SHELVES] = {BUFFER_SMALL_BYTES, BUFFER_MIDDLE_BYTES, BUFFER_LARGE_BYTES};

static _Thread_local shelf shelves[SHELVES];
static _Thread_local bool will_empty;
static pthread_key_t  thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void shelves_empty(void *unused)
{
    (void)unused;
    for (int i = 0; i < SHELVES; i++)
        while (shelves[i].count > 0)
            memory_free(shelves[i].free[--shelves[i].count]);
}

static void key_make(void) { must(pthread_key_create(&thread_end, shelves_empty) == 0); }

// The cache goes with its thread: a key's destructor runs only for a value that is not NULL.
static void empty_at_thread_end(void)
{
    pthread_once(&once, key_make);
    pthread_setspecific(thread_end, shelves);
    will_empty = true;
}

static shelf *shelf_of(size_t bytes)
{
    for (int i = 0; i < SHELVES; i++)
        if (shelf_bytes[i] == bytes)
            return &shelves[i];
    return NULL;
}

void *buffer_take(size_t bytes)
{
    shelf *s = shelf_of(bytes);
    must(s);
    return s->count > 0 ? s->free[--s->count] : memory_new(bytes);
}

void buffer_give(void *buffer, size_t bytes)
{
    shelf *s = shelf_of(bytes);
    must(s);
#ifdef BUFFERS_SANITIZED
    memory_free(buffer);                     // so that ASan sees who still looks into it
    return;
#endif
    if (s->count == BUFFERS_CACHED_MAX) {
        memory_free(buffer);
        return;
    }
    if (!will_empty)
        empty_at_thread_end();
    s->free[s->count++] = buffer;
}
