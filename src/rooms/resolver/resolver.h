// The resolver. Settings that others write: root NAME ADDRESS (repeated: the hints), allow PREFIX (repeated),
// listen ADDRESS (repeated), explain TEXT (the EDE text of a name that the root does not know).
#pragma once
#include "rt/room.h"

extern const room_kind resolver_kind;
