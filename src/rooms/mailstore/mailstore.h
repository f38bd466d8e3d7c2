// The mailstore: mail at rest, one SQLite database an account. Doors: LMTP inside ("mailstore.lmtp") and POP3 outside
// (110, 995). docs/mailstore.md, docs/pop3.md.
#pragma once
#include "rt/room.h"

extern const room_kind mailstore_kind;
