// The edge's meters that several parts count on.
#pragma once
#include "rt/meter.h"

extern meter edge_origin_bytes, edge_origin_asked, edge_memory, edge_objects, edge_purged, edge_damaged, edge_disk_failed;
