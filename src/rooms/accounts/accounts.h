// The accounts service: people, password hashes, app passwords, roles. Everybody else asks it for verdicts over one
// line protocol (docs/accounts.md) at the inside door "accounts.login"; `naru account` works through its control
// routes.
#pragma once
#include "rt/room.h"

extern const room_kind accounts_kind;

// For commands that hold the room in their own process (naru try): as `naru account add`. E_EXISTS, E_PROTOCOL (no
// address, no usable password), E_LIMIT, E_NO_SPACE ... with *why in `a`.
err accounts_add(room *r, str who, str password, str role, arena *a, str *why);
// The same, but an account that is there already gets this password.
err accounts_put(room *r, str who, str password);
