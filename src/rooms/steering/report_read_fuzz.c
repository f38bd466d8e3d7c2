#include "base/must.h"
#include "rooms/steering/steering_inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    player_report p;
    bool good = player_report_read(str_of(data, size), &p);
    must(p.server.len <= REPORTS_SESSION_BYTES_MAX && p.presentation.len <= REPORTS_SESSION_BYTES_MAX && p.rung.len <= REPORTS_SESSION_BYTES_MAX);
    must(!good || (p.server.len > 0 && p.throughput_bps >= -1 && p.stalls >= -1 && p.buffer_ms >= -1));
    int load = steering_load_read(str_of(data, size));
    must(load >= -1);
    return 0;
}
