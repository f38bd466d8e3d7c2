#include "rooms/mta/undeliverable.h"

#include "rt/log.h"
#include "wire/mail/bounce.h"

enum { BOUNCE_BYTES_MAX = 512 * 1024, BOUNCE_RECIPIENTS_MAX = 50 };

static bool to_be_told(const letter *l, const outcome *o)
{
    return o->state == RECIPIENT_FAILED && l->to[o->index].mailbox.len == 0;
}

static bool is_reply(str said) { return said.len > 3 && is_digit(said.at[0]) && is_digit(said.at[1]) && is_digit(said.at[2]) && said.at[3] == ' '; }

static str header_of(mta *m, letter *l, arena *msg)
{
    str text = {0};
    header_block head = {0};
    if (l->in_blob) {
        size_t got = 0;
        unsigned char *at = arena_alloc(msg, BOUNCE_HEADER_BYTES_MAX, 1, 1);
        if (at && blob_read(spool_blobs(m->spool), l->blob, 0, at, BOUNCE_HEADER_BYTES_MAX, &got) == E_OK)
            text = str_of(at, got);
    } else {
        spool_text(m->spool, l, msg, &text);
    }
    header_read(text, msg, &head);
    return head.raw;
}

letter *undeliverable_bounce(mta *m, letter *l, const outcome *v, int count, str host, arena *msg)
{
    bounce_recipient failed[BOUNCE_RECIPIENTS_MAX];
    int n = 0;
    for (int i = 0; i < count && n < BOUNCE_RECIPIENTS_MAX; i++) {
        if (!to_be_told(l, &v[i]))
            continue;
        bounce_recipient *b = &failed[n++];
        *b = (bounce_recipient){.said = v[i].reply, .is_reply = is_reply(v[i].reply), .remote = host};
        address_read(l->to[v[i].index].address, msg, &b->recipient);
        str status = b->is_reply ? smtp_reply_enhanced(500, str_from(v[i].reply, 4)) : (str){0};
        b->status = status.len ? status : b->is_reply ? S("5.0.0") : S("5.4.7");      // 5.4.7: delivery time expired
    }
    if (n == 0 || l->from.len == 0)
        return NULL;
    letter *out = spool_letter_new(m->spool);
    bounce b = {.kind = BOUNCE_FAILED, .host = m->host, .time_s = world_wall_s(m->w), .arrived_s = l->arrived_s,
                .chance = world_random_u64(m->w), .recipients = failed, .count = n, .letter_header = header_of(m, l, msg)};
    address_read(l->from, msg, &b.to);
    b.message_id = message_id_make(msg, b.time_s, world_random_u64(m->w), m->host);
    out->text_memory = buf_make(BOUNCE_BYTES_MAX);
    out->to = arena_new(&out->memory, recipient);
    out->to[0].address = str_copy(&out->memory, l->from);
    out->to_count = out->to_waiting = 1;
    out->trace = l->trace;
    out->arrived_s = b.time_s;
    if (!bounce_compose(&b, &out->text_memory)) {
        log_line("mta", LOG_ERROR, "bounce-too-large", F_STR("to", l->from));
        letter_free(out);
        return NULL;
    }
    out->text = buf_str(&out->text_memory);
    out->size_bytes = (int64_t)out->text_memory.len;
    return out;
}
