// A setting of naru.conf in words: for `naru config describe` and the manual page.
#pragma once
#include "rt/config.h"

const char *setting_type_text(const setting *s);                   // "on|off", "number", "size", "course|default|managed" ...
const char *setting_help(const setting *s, bool korean);           // never NULL; English where there is no Korean
