#include "rooms/console/names.h"

enum { PORT_MAX = 65535 };

bool film_id_sound(str id)
{
    for (ptrdiff_t i = 0; i < id.len; i++)
        if (!is_digit(id.at[i]) && !(id.at[i] >= 'a' && id.at[i] <= 'z') && id.at[i] != '-')
            return false;
    return id.len > 0 && id.len <= CONSOLE_ID_BYTES_MAX;
}

bool film_file_sound(str path)
{
    int names = 0;
    if (path.len > CONSOLE_FILE_BYTES_MAX)
        return false;
    while (path.len) {
        ptrdiff_t slash = str_find(path, '/');
        str name = str_cut(&path, '/');
        for (ptrdiff_t i = 0; i < name.len; i++)
            if (!is_alnum(name.at[i]) && str_find(S("._-"), name.at[i]) < 0)
                return false;
        if (!name.len || name.at[0] == '.' || ++names > 2 || (slash >= 0 && !path.len))
            return false;
    }
    return names > 0;
}

bool relay_authority(str authority, str *host, uint16_t *port)
{
    ptrdiff_t colon = str_rfind(authority, ':'), end = str_rfind(authority, ']');
    uint64_t number = 80;
    *host = authority;
    if (colon > end) {
        *host = str_first(authority, colon);
        if (!str_to_u64(str_from(authority, colon + 1), &number) || number < 1 || number > PORT_MAX)
            return false;
    }
    for (ptrdiff_t i = 0; i < host->len; i++)
        if (!is_alnum(host->at[i]) && str_find(S("-._[]:"), host->at[i]) < 0)
            return false;
    *port = (uint16_t)number;
    return host->len > 0 && host->len <= CONSOLE_HOST_BYTES_MAX;
}
