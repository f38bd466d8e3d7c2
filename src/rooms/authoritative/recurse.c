#include "rooms/authoritative/recurse.h"

#include <string.h>

#include "talk/dns_exchange.h"

// The addresses that our own referral names.
static int referred_to(const dns_message *referral, addr *out)
{
    int count = 0;
    for (int i = 0; i < referral->count[DNS_ADDITIONAL] && count < RECURSE_SERVERS_MAX; i++) {
        const dns_record *r = dns_message_record(referral, DNS_ADDITIONAL, i);
        if (r->type != DNS_A && r->type != DNS_AAAA)
            continue;
        out[count] = (addr){.family = r->type == DNS_A ? 4 : 6, .port = DNS_PORT};
        memcpy(out[count++].ip, r->rdata.at, (size_t)r->rdata.len);
    }
    return count;
}

static size_t hand_back(const dns_message *asked, const dns_message *got, bool is_stream, void *out, size_t out_max)
{
    dns_builder b;
    dns_edns edns = {.present = true, .udp_size = DNS_UDP_MAX, .has_ede = got->edns.has_ede, .ede = got->edns.ede,
                     .ede_text = got->edns.ede_text};
    dns_header h = {.id = asked->header.id, .response = true, .recursion_desired = true, .recursion_available = true,
                    .rcode = got->header.rcode};
    size_t limit = is_stream ? out_max : asked->edns.present ? asked->edns.udp_size : DNS_UDP_PLAIN_MAX;
    if (!is_stream && limit > DNS_UDP_MAX)
        limit = DNS_UDP_MAX;
    dns_build_start(&b, out, limit < out_max ? limit : out_max, h, asked->edns.present ? &edns : NULL);
    dns_build_question(&b, asked->question);
    for (int s = DNS_ANSWER; s <= DNS_AUTHORITY; s++)
        for (int i = 0; i < got->count[s]; i++)
            b.header.truncated |= !dns_build_record(&b, s, dns_message_record(got, s, i));
    return (size_t)dns_build_end(&b, asked->edns.present ? &edns : NULL).len;
}

size_t recurse(world *w, const zone_table *zones, str query, bool is_stream, arena *msg, void *out, size_t out_max)
{
    answer_setting plain = {.zones = zones, .is_stream = true};
    dns_message asked, referral;
    addr servers[RECURSE_SERVERS_MAX];
    str own = {0};
    unsigned char *room = arena_alloc(msg, DNS_UDP_MAX, 1, 1);
    int64_t until = world_now_ns(w) + seconds(RECURSE_SECONDS_MAX);
    if (!room || answer(&plain, query, msg, room, DNS_UDP_MAX, &own, &asked) != ANSWER_READY ||
        !dns_message_read(own, msg, &referral, NULL))
        return 0;
    if (asked.edns.trace)
        fiber_set_trace(asked.edns.trace);                 // what we ask on is part of the asker's story
    int count = referred_to(&referral, servers);
    for (int i = 0; i < count && world_now_ns(w) < until; i++) {
        dns_asking asking = {.question = asked.question, .recursion_desired = true};
        dns_exchanged x = dns_exchange(w, servers[i], asking, (until - world_now_ns(w)) / (count - i), msg);
        if (x.error == E_OK && (x.message.header.rcode == DNS_NOERROR || x.message.header.rcode == DNS_NXDOMAIN))
            return hand_back(&asked, &x.message, is_stream, out, out_max);
    }
    if (referral.count[DNS_ANSWER])                        // an alias that leads out of our zones: what we know of it
        return hand_back(&asked, &referral, is_stream, out, out_max);
    dns_message failed = {.header.rcode = DNS_SERVFAIL,
                          .edns = {.has_ede = true, .ede = DNS_EDE_NO_REACHABLE_AUTHORITY,
                                   .ede_text = S("none of the servers that hold this name answered")}};
    return hand_back(&asked, &failed, is_stream, out, out_max);
}
