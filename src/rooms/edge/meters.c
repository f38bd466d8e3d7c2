// What the edge counts: docs/metrics.md.
#include "rooms/edge/edge_inside.h"
#include "rt/meter.h"

static meter requests = {.name = "naru_edge_requests_total", .help = "Requests, by what became of them", .type = METER_COUNTER, .label = "verdict",
                         .values = {"hit", "miss", "validated", "stale", "pass", "refused"}};
static meter bytes = {.name = "naru_edge_bytes_total", .help = "Bytes of bodies that clients were given", .type = METER_COUNTER};
static meter answers = {.name = "naru_edge_answers_total", .help = "Answers to clients, by class", .type = METER_COUNTER, .label = "class",
                        .values = {"1xx", "2xx", "3xx", "4xx", "5xx"}};
meter edge_origin_bytes = {.name = "naru_edge_origin_bytes_total", .help = "Bytes of bodies that origins gave", .type = METER_COUNTER};
meter edge_origin_asked = {.name = "naru_edge_origin_requests_total", .help = "Requests to origins, by how they ended", .type = METER_COUNTER,
                           .label = "end", .values = {"answered", "failed"}};
meter edge_memory = {.name = "naru_edge_memory_bytes", .help = "Memory of slices and of what is known about objects", .type = METER_GAUGE};
meter edge_objects = {.name = "naru_edge_objects", .help = "Objects kept", .type = METER_GAUGE};
meter edge_purged = {.name = "naru_edge_purged_total", .help = "Objects that purges took or made stale", .type = METER_COUNTER};
meter edge_damaged = {.name = "naru_edge_damaged_total", .help = "Slices on disk that did not pass their checksum", .type = METER_COUNTER};
meter edge_disk_failed = {.name = "naru_edge_disk_failures_total", .help = "Writes that the disk refused: what they held stays in memory only", .type = METER_COUNTER};

void edge_meters_show(void)
{
    meter *all[] = {&requests, &bytes, &answers, &edge_origin_bytes, &edge_origin_asked, &edge_memory, &edge_objects, &edge_purged, &edge_damaged, &edge_disk_failed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        meter_show(all[i]);
}

void edge_count(edge *e, const request *q)
{
    int verdict = 0;
    e->given += q->given;
    while (verdict < 5 && !str_eq(str_z(q->verdict), str_z(requests.values[verdict])))
        verdict++;
    meter_add_at(&requests, verdict, 1);
    meter_add(&bytes, q->given);
    if (q->status >= 200 && q->status < 600)
        meter_add_at(&answers, q->status / 100 - 1, 1);
}
