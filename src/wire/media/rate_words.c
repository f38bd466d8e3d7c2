// The decision in words, for views and logs.
#include "wire/media/rate_decision.h"

static const char *const rules[] = {
    [RATE_NARU] = "naru", [RATE_THROUGHPUT] = "throughput", [RATE_BUFFER] = "bola", [RATE_BUFFER_ENHANCED] = "bola-e",
    [RATE_HYBRID] = "dynamic", [RATE_HYBRID_ENHANCED] = "dynamic-e",
};

static const char *const whens[] = {
    [RATE_WHEN_ROOM] = "the buffer has room",
    [RATE_WHEN_FULL] = "the buffer is full",
    [RATE_WHEN_PLENTY] = "the buffer holds enough for this rung",
    [RATE_WHEN_RUNNING] = "the running download is worth its time",
    [RATE_WHEN_TOO_SLOW] = "given up: the rest would come later than a smaller one",
    [RATE_WHEN_SILENT] = "given up: the server sends nothing",
    [RATE_WHEN_NO_SERVER] = "every server failed a moment ago",
    [RATE_WHEN_END] = "the film is fetched",
};

static const char *const whats[] = {
    [RATE_WHAT_FIRST] = "nothing is known yet: start soon",
    [RATE_WHAT_ONLY] = "there is no other",
    [RATE_WHAT_TOP] = "the best there is",
    [RATE_WHAT_PLANNED] = "the best plan keeps the rung",
    [RATE_WHAT_UP] = "the best plan goes up",
    [RATE_WHAT_DOWN] = "the best plan goes down",
    [RATE_WHAT_BUFFER_LOW] = "more could empty the buffer",
    [RATE_WHAT_THROUGHPUT] = "the throughput allows it",
    [RATE_WHAT_BUFFER] = "the buffer's level says so",
};

static const char *const wheres[] = {
    [RATE_WHERE_RANKED] = "the steering's first choice",
    [RATE_WHERE_ONLY] = "there is no other",
    [RATE_WHERE_FAILED_OVER] = "those before it failed",
    [RATE_WHERE_FASTER] = "those before it do not carry the film",
    [RATE_WHERE_PROBED] = "tried again after a failure",
    [RATE_WHERE_SAME] = "where the download runs",
};

static str word(const char *const *words, size_t count, size_t which)
{
    return which < count && words[which] ? str_z(words[which]) : S("?");
}

str rate_rule_name(rate_rule r) { return word(rules, sizeof rules / sizeof *rules, (size_t)r); }
str rate_when_text(rate_when w) { return word(whens, sizeof whens / sizeof *whens, (size_t)w); }
str rate_what_text(rate_what w) { return word(whats, sizeof whats / sizeof *whats, (size_t)w); }
str rate_where_text(rate_where w) { return word(wheres, sizeof wheres / sizeof *wheres, (size_t)w); }
