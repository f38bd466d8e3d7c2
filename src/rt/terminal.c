#include "rt/terminal.h"

#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum { ESCAPE = 27, ESCAPE_BYTES_MAX = 8 };

static struct termios before;
static bool changed;

void terminal_keys_end(void)
{
    if (changed)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = false;
}

bool terminal_keys_begin(void)
{
    static bool at_exit;
    if (changed || tcgetattr(STDIN_FILENO, &before) != 0)
        return changed;
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    changed = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
    if (changed && !at_exit)
        at_exit = atexit(terminal_keys_end) == 0;
    return changed;
}

static int byte_next(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char byte;
    return poll(&in, 1, 0) == 1 && read(STDIN_FILENO, &byte, 1) == 1 ? byte : -1;
}

// Arrows come as ESC [ A to D (or ESC O A); other sequences are read to their end.
static int escape_read(void)
{
    int byte = byte_next();
    if (byte < 0)
        return KEY_ESCAPE;
    for (int n = 0; n < ESCAPE_BYTES_MAX && (byte = byte_next()) >= 0; n++)
        if (byte >= '@' && byte <= '~')
            return byte == 'A' ? KEY_UP : byte == 'B' ? KEY_DOWN : byte == 'C' ? KEY_RIGHT : byte == 'D' ? KEY_LEFT : KEY_OTHER;
    return KEY_OTHER;
}

int terminal_key(void)
{
    int byte = changed ? byte_next() : -1;
    return byte < 0 ? KEY_NONE : byte == ESCAPE ? escape_read() : byte;
}
