// Which names of strangers the console takes: films, their files, hosts. Pure.
#pragma once
#include "base/text.h"

enum { CONSOLE_ID_BYTES_MAX = 64, CONSOLE_FILE_BYTES_MAX = 96, CONSOLE_HOST_BYTES_MAX = 253 };

bool film_id_sound(str id);                  // small letters, digits, dashes
// "v1000/3.m4s", "poster.jpg": one or two names of letters, digits and "._-", none that begins with a dot.
bool film_file_sound(str path);
// "host", "host:port", "[::1]:port"; the port is 80 where none stands.
bool relay_authority(str authority, str *host, uint16_t *port);
