#include "rooms/steering/health.h"

// A node gives up traffic in steps and takes it back in smaller ones: were it all or nothing, the next node would be full a moment
// later, and everybody would come back.
static void away_step(health *h, const health_rules *rules, health_check c)
{
    int64_t late_ms = c.answer_ms - h->usual_ms;
    bool slow = late_ms > rules->slow_ms;
    if (slow || c.load_per_mille >= HEALTH_FULL_PER_MILLE)
        h->away_per_mille += HEALTH_AWAY_FAST;
    else if (c.load_per_mille >= HEALTH_BUSY_PER_MILLE)
        h->away_per_mille += HEALTH_AWAY_STEP;
    else if (c.load_per_mille <= HEALTH_EASY_PER_MILLE && late_ms <= rules->slow_ms / 2)
        h->away_per_mille -= HEALTH_AWAY_BACK;
    h->away_per_mille = h->away_per_mille < 0 ? 0 : h->away_per_mille > 1000 ? 1000 : h->away_per_mille;
}

// The least that was seen; it rises slowly, since a path may have become another one.
static int64_t usual_of(const health *h, int64_t ms)
{
    int64_t risen = h->usual_ms + (h->checks % HEALTH_USUAL_EVERY == 0 ? h->usual_ms / HEALTH_USUAL_SHARE + 1 : 0);
    return !h->usual_ms || ms < risen ? (ms < 1 ? 1 : ms) : risen;
}

bool health_take(health *h, const health_rules *rules, health_check c)
{
    bool was = h->alive && h->known;
    h->checks++;
    h->failures += !c.answered;
    h->answer_ms = c.answer_ms;
    if (c.answered)
        h->usual_ms = usual_of(h, c.answer_ms);
    h->load_per_mille = c.answered ? c.load_per_mille : -1;
    h->streak = c.answered == h->alive ? 0 : h->streak + 1;
    if (!h->known || h->streak >= (h->alive ? rules->fall : rules->rise)) {
        h->alive = c.answered;
        h->streak = 0;
        h->away_per_mille = 0;
    } else if (c.answered) {
        away_step(h, rules, c);
    }
    bool changed = !h->known || was != h->alive;
    h->known = true;
    h->changes += changed;
    return changed;
}
