// Text for man(7): every character stands for itself, whatever it means to roff.
#pragma once
#include "base/buf.h"

// One line or several: no line begins a request, '-' is a hyphen that can be copied to a shell.
void roff_put(buf *out, str text);
void roff_put_z(buf *out, const char *text);                       // NULL: nothing
// ".TH NAME SECTION ...", with this program's version.
void roff_head(buf *out, str name, int section);
// Lines as they are, not filled.
void roff_lines(buf *out, const char *text);
