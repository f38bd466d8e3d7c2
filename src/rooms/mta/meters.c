#include "rooms/mta/mta.h"

#include "rt/meter.h"

static meter accepted = {.name = "naru_mta_letters_accepted_total", .help = "Letters made durable and answered with 250", .type = METER_COUNTER};
static meter accepted_bytes = {.name = "naru_mta_bytes_accepted_total", .help = "Bytes of accepted letters", .type = METER_COUNTER};
static meter refused = {.name = "naru_mta_letters_not_stored_total", .help = "Letters answered with 4xx because the disk said no", .type = METER_COUNTER};
static meter delivered = {.name = "naru_mta_deliveries_total", .help = "Recipients delivered to", .type = METER_COUNTER,
                          .label = "to", .values = {"elsewhere", "here"}};
static meter bounced = {.name = "naru_mta_bounces_total", .help = "Letters returned to their sender", .type = METER_COUNTER};
static meter deferred = {.name = "naru_mta_deferrals_total", .help = "Attempts that will be repeated, by recipient", .type = METER_COUNTER};
static meter waiting = {.name = "naru_mta_queue_letters", .help = "Letters in the queue now", .type = METER_GAUGE};

void mta_count_accepted(int64_t bytes) { meter_add(&accepted, 1), meter_add(&accepted_bytes, bytes); }
void mta_count_refused(void) { meter_add(&refused, 1); }
void mta_count_delivered(bool local) { meter_add_at(&delivered, local, 1); }
void mta_count_bounced(void) { meter_add(&bounced, 1); }
void mta_count_deferred(void) { meter_add(&deferred, 1); }
void mta_count_waiting(int64_t change) { meter_add(&waiting, change); }

void mta_meters_show(void)
{
    meter *const all[] = {&accepted, &accepted_bytes, &refused, &delivered, &bounced, &deferred, &waiting};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        meter_show(all[i]);
}
