// Writing JSON (RFC 8259). Reading is jansson's business, in commands and consoles.
#pragma once
#include "base/buf.h"

// Appends text as a JSON string with its quotes. Controls are escaped, bytes that are not UTF-8 become U+FFFD. Not
// made for standing inside an HTML <script>.
bool json_put(buf *out, str text);               // false when the buffer is full
