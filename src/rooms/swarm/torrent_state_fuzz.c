// What is read as a state is written as bytes that read the same; nothing is read past its end.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/swarm/torrent_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void texts_free(torrent_entry *e)
{
    for (int i = 0; i < TORRENT_STATE_TEXTS; i++)
        torrent_entry_text(e, torrent_state_text(e, i), (str){0});
}

// The list's own, without its files.
void torrent_entry_text(torrent_entry *e, str *field, str value)
{
    (void)e;
    void *copy = value.len ? memcpy(memory_new((size_t)value.len), value.at, (size_t)value.len) : NULL;
    memory_free((void *)(uintptr_t)field->at);
    *field = (str){copy, value.len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(64 << 20);
    torrent_entry e = {0}, again = {0};
    buf out = buf_make(TORRENT_STATE_BYTES_MAX), twice = buf_make(TORRENT_STATE_BYTES_MAX);
    if (torrent_state_read(str_of(data, size), &a, &e) && torrent_state_write(&out, &e)) {
        must(torrent_state_read(buf_str(&out), &a, &again));
        must(torrent_state_write(&twice, &again));
        must(str_eq(buf_str(&out), buf_str(&twice)));
    }
    texts_free(&e);
    texts_free(&again);
    buf_free(&out);
    buf_free(&twice);
    arena_free(&a);
    return 0;
}
