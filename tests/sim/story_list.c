#include "story_list.h"

#include <inttypes.h>

#include "rt/story.h"

void story_list(FILE *out)
{
    static story_event events[STORY_RING_EVENTS];
    static const char *const arrows[] = {[STORY_IN] = "<-", [STORY_OUT] = "->", [STORY_NOTE] = "--"};
    int count = story_read(0, events, STORY_RING_EVENTS);
    for (int i = 0; i < count; i++) {
        const story_event *e = &events[i];
        char peer[ADDR_TEXT_MAX] = "";
        if (e->peer.family)
            addr_print(peer, e->peer);
        fprintf(out, "%12lld.%03lld ms  %-16.24s %-5.8s %s %-22s %.*s  [%016" PRIx64 "]\n",
                (long long)(e->mono_ns / NS_PER_MS), (long long)(e->mono_ns % NS_PER_MS / 1000), e->here,
                e->protocol, arrows[e->direction], peer, e->len, e->line, e->trace);
    }
}
