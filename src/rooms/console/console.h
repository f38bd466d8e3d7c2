// The console: the pages for people. Who may see them signs in here; the films' catalogue, the player and the account of every
// viewing are behind it. docs/console.md.
#pragma once
#include "rt/room.h"

enum { CONSOLE_PORT = 8000 };

extern const room_kind console_kind;
extern const setting   console_settings[];
