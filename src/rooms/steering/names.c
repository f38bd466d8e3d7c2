// The inside door "steering.names": GET /NAME?have=VERSION is answered when the name's ranking is another one than that, at the latest
// after a while (304). So the name server learns of a change at once, and a name server that has just started of everything.
//
//     version 17
//     ttl 10
//     192.0.2.0/24 203.0.113.31 203.0.113.32
//     0.0.0.0/0 203.0.113.33
#include "rooms/steering/steering_inside.h"
#include "rt/loop.h"

enum { WAIT_S = 20, HEAD_BYTES = 128 };

static void on_request(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    steering *s = arg;
    uint64_t have = 0;
    int64_t until_ns = loop_now_ns() + seconds(WAIT_S);
    str name = str_from(q->path, 1);
    (void)str_to_u64(http_query_get(q, S("have"), msg), &have);
    int number = topology_name_find(s->top, name);
    while (number >= 0 && s->names[number].version == have && gate_wait(&s->changed, until_ns, "another ranking") == E_OK)
        number = topology_name_find(s->top, name);
    if (number < 0)
        http_answer(reply, 404, S("text/plain"), S("steering has no such name\n"));
    else if (s->names[number].version == have)
        http_answer(reply, 304, S("text/plain"), (str){0});
    else
        http_answer(reply, 200, S("text/plain"), str_format(msg, "version %llu\nttl %lld\n" STR_FMT, (unsigned long long)s->names[number].version,
                                                           (long long)(s->ttl_ns / NS_PER_S), STR_ARG(buf_str(&s->names[number].text))));
}

void steering_names(conn *c, void *arg)
{
    http_serve(c, (http_limits){.requests_max = 1000000, .idle_ns = seconds(3 * WAIT_S)}, on_request, arg);
}
