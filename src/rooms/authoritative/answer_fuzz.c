// Whatever arrives at an authoritative server: nothing, or a reply that can be read, fits, and answers that message.
#include "base/must.h"
#include "rooms/authoritative/answer.h"
#include "rooms/authoritative/zone_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static zone_table held;

static void hold_once(void)
{
    arena a = arena_make(1 << 20);
    str why = {0};
    bool full;
    dns_name origin;
    if (held.count)
        return;
    must(dns_name_from_text(&a, S("a"), dns_root, &origin, NULL));
    zone *z = zone_load(origin, 1, S("zone"),
                        S("$TTL 60\n@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n* MX 10 ns\nb CNAME c.b\nc.b CNAME b\n"
                          "d NS ns.d\nns.d A 192.0.2.2\n*.e CNAME b\nf TXT x y z\nf A 1.1.1.1\nf A 1.1.1.2\n"),
                        NULL, NULL, &a, &why);
    must(z && !zone_table_put(&held, z, &full));
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char out[DNS_MESSAGE_MAX];
    hold_once();
    for (int stream = 0; stream < 2; stream++) {
        arena a = arena_make(4 << 20);
        answer_setting how = {.zones = &held, .turn = (uint32_t)size, .is_stream = stream, .offers_recursion = size & 1};
        dns_message asked, back;
        str reply = {0}, query = str_of(data, size);
        if (answer(&how, query, &a, out, sizeof out, &reply, &asked) == ANSWER_READY) {
            must(reply.len <= (stream ? DNS_MESSAGE_MAX : DNS_UDP_MAX));
            must(dns_message_read(reply, &a, &back, NULL) && back.header.response);
            must(back.header.id == (data[0] << 8 | data[1]));
            must(!back.has_question || !asked.has_question || dns_question_eq(back.question, asked.question));
        }
        arena_free(&a);
    }
    return 0;
}
