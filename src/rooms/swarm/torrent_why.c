// naru torrent why: who is choked and why, which piece is next from whom and why.
#include "rooms/swarm/swarm_inside.h"
#include "rt/json_text.h"
#include "rt/loop.h"

#define RATE_SPAN_NS (5 * NS_PER_S)

static const char *rules_words(choker_mode m)
{
    static const char *const words[] = {
        "the course's rules: the four fastest every 10 s, one more at random every 30 s",
        "the default rules: the four fastest and one at random, free slots given on at once",
        "the managed rules: no tit-for-tat, whoever lacks the most first",
    };
    return words[m];
}

static picker_explained next_from(torrent *t, const peer *p)
{
    if (!t->picker || !p->we_want)
        return (picker_explained){.piece = -1, .reason = PICKER_WHY_NOTHING};
    return picker_why(t->picker, p->number, &p->has, loop_now_ns());
}

static void next_put(buf *out, const peer *p, picker_explained x)
{
    if (!p->we_want)
        buf_put(out, S("it has nothing that we want"));
    else if (p->they_choke)
        buf_put(out, S("it chokes us"));
    else if (x.piece < 0)
        buf_put(out, S("nothing more to ask it for now"));
    if (x.piece >= 0)
        buf_format(out, "%spiece %d next, %s", p->they_choke ? "; " : "", x.piece, picker_reason_words(x.reason));
    if (x.piece >= 0 && x.reason == PICKER_WHY_RAREST)
        buf_format(out, " (%d have it, %d pieces are as rare)", x.availability, x.equals);
}

static void peer_line(buf *out, torrent *t, const peer *p, int64_t now)
{
    char at[ADDR_TEXT_MAX];
    addr_print(at, p->at);
    buf_format(out, "%-22s %-16.16s we %s it: %s; ", at, p->client[0] ? p->client : "-", p->we_choke ? "choke" : "send to",
               choker_reason_words(p->choke_reason));
    next_put(out, p, next_from(t, p));
    buf_format(out, "; up %lld kB/s, down %lld kB/s\n", (long long)(rate_now(&p->to, RATE_SPAN_NS, now) / 1000),
               (long long)(rate_now(&p->from, RATE_SPAN_NS, now) / 1000));
}

static void peer_object(buf *out, torrent *t, const peer *p, int64_t now)
{
    char at[ADDR_TEXT_MAX];
    picker_explained x = next_from(t, p);
    addr_print(at, p->at);
    buf_format(out, "{\"peer\": \"%s\", \"client\": ", at);
    json_put(out, str_z(p->client));
    buf_format(out, ", \"choked\": %s, \"choke_reason\": ", p->we_choke ? "true" : "false");
    json_put(out, str_z(choker_reason_words(p->choke_reason)));
    buf_format(out, ", \"chokes_us\": %s, \"interested\": %s, \"we_are_interested\": %s, \"next_piece\": %d, \"next_reason\": ",
               p->they_choke ? "true" : "false", p->they_want ? "true" : "false", p->we_want ? "true" : "false", x.piece);
    json_put(out, str_z(picker_reason_words(x.reason)));
    buf_format(out, ", \"rate_up\": %lld, \"rate_down\": %lld}", (long long)rate_now(&p->to, RATE_SPAN_NS, now),
               (long long)rate_now(&p->from, RATE_SPAN_NS, now));
}

static void head_put(buf *out, torrent *t, bool json)
{
    if (json) {
        buf_put(out, S("{\"state\": "));
        json_put(out, str_z(torrent_state_name(t->state)));
        buf_put(out, S(", \"rules\": "));
        json_put(out, str_z(rules_words(t->swarm->mode)));
        buf_put(out, S(", \"peers\": ["));
        return;
    }
    buf_format(out, "%s; %s\n", torrent_state_name(t->state), rules_words(t->swarm->mode));
    if (t->trouble)
        buf_format(out, "trouble: %s\n", t->trouble_text);
    picker_state s = t->picker ? picker_look(t->picker) : (picker_state){0};
    if (t->picker && !t->seeding)
        buf_format(out, "%d pieces there, %d wanted, %d begun%s", s.have, s.wanted, s.open,
                   s.endgame ? " (endgame: the last blocks are asked of several)" : "");
    if (t->picker && !t->seeding && s.rarest_count > 0)
        buf_format(out, "; the rarest wanted piece is at %d neighbour%s (%d such piece%s)", s.rarest, s.rarest == 1 ? "" : "s", s.rarest_count,
                   s.rarest_count == 1 ? "" : "s");
    if (t->picker && !t->seeding)
        buf_put_byte(out, '\n');
}

void torrent_why(torrent *t, buf *out, bool json)
{
    int64_t now = loop_now_ns();
    bool first = true;
    head_put(out, t, json);
    for (int i = 0; i < t->peers_end; i++) {
        const peer *p = t->peers[i];
        if (!p)
            continue;
        if (json && !first)
            buf_put(out, S(", "));
        first = false;
        if (json)
            peer_object(out, t, p, now);
        else
            peer_line(out, t, p, now);
    }
    if (json)
        buf_put(out, S("]"));
    torrent_web_why(t, out, json);
    if (json)
        buf_put(out, S("}\n"));
    else if (first)
        buf_put(out, t->awake                            ? S("no peers are connected\n")
                     : t->state == TORRENT_SEEDING       ? S("asleep: nobody wants anything of it\n")
                                                         : S("no peers: it does not run\n"));
}
