// The authoritative name server. Settings that others write: zone NAME FILE (repeated), listen ADDRESS (repeated).
#pragma once
#include "rt/room.h"

extern const room_kind authoritative_kind;
