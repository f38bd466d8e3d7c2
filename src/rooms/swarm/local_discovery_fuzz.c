// Messages of the local group: what is read is written and read again the same; anything else is refused.
#include "base/must.h"
#include "rooms/swarm/local_discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    local_message m, again;
    buf text = buf_make(LOCAL_MESSAGE_BYTES_MAX + LOCAL_COOKIE_BYTES_MAX);
    if (local_message_read(str_of(data, size), &m)) {
        must(m.port && m.hash_count > 0 && m.hash_count <= LOCAL_HASHES_MAX && m.cookie.len <= LOCAL_COOKIE_BYTES_MAX);
        must(local_message_write(&text, 4, &m) && text.len <= LOCAL_MESSAGE_BYTES_MAX);
        must(local_message_read(buf_str(&text), &again));
        must(again.port == m.port && again.hash_count == m.hash_count && str_eq(again.cookie, m.cookie));
    }
    buf_free(&text);
    return 0;
}
