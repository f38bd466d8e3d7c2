// Names that are taken can hurt nobody: they lead nowhere else on the origin, and name a host that stands in a header as it is.
#include "base/must.h"
#include "rooms/console/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_byte(str text, const char *bad)
{
    for (; *bad; bad++)
        must(str_find(text, (unsigned char)*bad) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_of(data, size), host;
    uint16_t port;
    if (film_id_sound(text)) {
        must(text.len > 0 && text.len <= CONSOLE_ID_BYTES_MAX && film_file_sound(text));
        no_byte(text, "./%?#&\\\r\n <");
    }
    if (film_file_sound(text)) {
        must(text.len > 0 && text.len <= CONSOLE_FILE_BYTES_MAX && str_find_str(text, S("..")) != 0 && str_find_str(text, S("/.")) < 0);
        must(str_find(text, '/') == str_rfind(text, '/') && text.at[0] != '/' && text.at[text.len - 1] != '/');
        no_byte(text, "%?#&\\\r\n <");
    }
    if (relay_authority(text, &host, &port)) {
        must(host.len > 0 && host.len <= CONSOLE_HOST_BYTES_MAX && port > 0 && host.at == text.at);
        no_byte(text, "/@?#%\\\r\n <");
    }
    return 0;
}
