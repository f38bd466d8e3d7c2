// The accounts service: people and their passwords. See docs/accounts.md for its line protocol.
#pragma once
#include "rt/room.h"

extern const room_kind accounts_kind;

// From the process that runs the service (`naru try`, the simulator): makes the account (local@domain), or gives it this password
// when it exists. Parks. E_NO_SPACE, E_IO, E_PROTOCOL (not an address).
err accounts_put(room *accounts, str address, str password);
