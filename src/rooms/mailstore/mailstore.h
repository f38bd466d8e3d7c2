// The mailstore: mail at rest. Doors: LMTP inside ("mailstore.lmtp"), POP3 110 and 995.
// Settings that others write: certificate FILE, key FILE, plaintext loopback, listen ADDRESS.
#pragma once
#include "rt/room.h"

extern const room_kind mailstore_kind;
