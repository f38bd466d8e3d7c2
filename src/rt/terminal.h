// The keys of the terminal that a command runs in, one by one. For commands with a live view.
#pragma once
#include <stdbool.h>

typedef enum {
    KEY_NONE = 0,                    // nothing was pressed
    KEY_LEFT = 256, KEY_RIGHT, KEY_UP, KEY_DOWN, KEY_ESCAPE, KEY_OTHER,
} key;

// Keys come at once and are not echoed; signals' keys (Ctrl-C) stay signals. False: standard input is no terminal;
// nothing changes. What is changed is changed back at exit at the latest.
bool terminal_keys_begin(void);
void terminal_keys_end(void);
// The next key that was pressed, without waiting: a byte as it is, or one of `key`.
int  terminal_key(void);
