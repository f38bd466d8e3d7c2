// Files of the source tree that stand in the binary (tools/embed): the small Internet's zones, pages.
#pragma once
#include "base/text.h"

typedef struct { const char *name; str text; } embedded_file;      // a table of them ends with name NULL
