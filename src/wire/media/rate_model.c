#include "wire/media/rate_model.h"
#include "wire/media/rate_fixed.h"

enum {
    TEMPER_PERCENT = 50,                     // steps are not independent: each counts as half a one
    OCTAVES_MOST = 8,                        // no kind is ever thought less likely than 1 in 256 of the best
    PRIOR_STEPS = 120,                       // how many steps of its own a session must see to weigh as much as the prior
};

int32_t rate_model_place(uint64_t bps)
{
    int64_t place = 2 * (rate_log2_q(bps) - rate_log2_q(RATE_LEVEL_LOWEST_BPS));
    int64_t most = (int64_t)(RATE_LEVELS - 1) << 16;
    return (int32_t)(place < 0 ? 0 : place > most ? most : place);
}

int rate_model_level(int32_t place)
{
    return (place + 32768) >> 16;
}

static void likelihood_add(rate_model *m, const uint16_t *chances[RATE_KINDS], int level)
{
    int32_t best = INT32_MIN;
    for (int k = 0; k < RATE_KINDS; k++) {
        m->likelihood[k] += (int32_t)(rate_log2_q(chances[k][level] + 8u) * TEMPER_PERCENT / 100);
        best = m->likelihood[k] > best ? m->likelihood[k] : best;
    }
    for (int k = 0; k < RATE_KINDS; k++) {
        m->likelihood[k] -= best;
        if (m->likelihood[k] < -(OCTAVES_MOST << 16))
            m->likelihood[k] = -(OCTAVES_MOST << 16);
    }
}

void rate_model_learn(rate_model *m, uint64_t bps)
{
    int32_t place = rate_model_place(bps);
    const uint16_t *chances[RATE_KINDS];
    if (!m->known) {
        for (int k = 0; k < RATE_KINDS; k++)
            chances[k] = rate_priors[k].first;
        likelihood_add(m, chances, rate_model_level(place));
    } else {
        int from = rate_model_level(m->place), step = (place - m->place + 32768) >> 16;
        int to = from + step < 0 ? 0 : from + step >= RATE_LEVELS ? RATE_LEVELS - 1 : from + step;
        for (int k = 0; k < RATE_KINDS; k++)
            chances[k] = rate_priors[k].next[from];
        likelihood_add(m, chances, to);
        if (m->seen[from][to - from + RATE_LEVELS] < 60000)
            m->seen[from][to - from + RATE_LEVELS]++;
    }
    m->first = m->known ? m->first : place;
    m->known = true;
    m->place = place;
}

void rate_model_watch(rate_model *m, uint64_t bytes, uint64_t us, bool ended)
{
    enum { STEPS_MAX = 24 };
    if (bytes < m->bytes_taken || us < m->us_taken)      // another download: the end of the last one was not told
        m->bytes_taken = m->us_taken = 0;
    uint64_t new_bytes = bytes - m->bytes_taken, new_us = us - m->us_taken;
    uint64_t steps = (new_us + RATE_STEP_US / 4) / RATE_STEP_US;
    if (ended && m->us_taken == 0 && steps == 0 && new_us > 0 && new_bytes > 0)
        steps = 1;
    if (steps > 0) {
        uint64_t bps = new_bytes * 8000000 / new_us;
        for (uint64_t i = 0; i < steps && i < STEPS_MAX; i++)
            rate_model_learn(m, bps);
        m->bytes_taken = bytes;
        m->us_taken = us;
    }
    if (ended)
        m->bytes_taken = m->us_taken = 0;
}

static void row_normalise(uint16_t *row, const int64_t *weight)
{
    int64_t sum = 0, rest = RATE_CHANCE_ONE;
    int top = 0;
    for (int i = 0; i < RATE_LEVELS; i++) {
        sum += weight[i];
        top = weight[i] > weight[top] ? i : top;
    }
    for (int i = 0; i < RATE_LEVELS; i++) {
        row[i] = (uint16_t)(sum > 0 ? weight[i] * RATE_CHANCE_ONE / sum : 0);
        rest -= row[i];
    }
    row[top] = (uint16_t)(row[top] + rest);
}

// The session's own steps from this level and, for less, from its neighbours.
static void row_seen(const rate_model *m, int level, int64_t *weight)
{
    static const int kernel[] = {16, 10, 4, 1};
    for (int from = 0; from < RATE_LEVELS; from++) {
        int apart = from < level ? level - from : from - level;
        if (apart > 3)
            continue;
        for (int to = 0; to < RATE_LEVELS; to++) {
            int step = to - level + RATE_LEVELS;         // the same step, from here
            weight[to] += (int64_t)m->seen[from][step] * kernel[apart] * (RATE_CHANCE_ONE / 16);
        }
    }
}

void rate_model_outlook(const rate_model *m, rate_outlook *o)
{
    int64_t kind[RATE_KINDS], sum = 0;
    for (int k = 0; k < RATE_KINDS; k++) {
        kind[k] = rate_half_power(-(int64_t)m->likelihood[k], 65536);
        sum += kind[k];
    }
    int64_t price = 0;
    for (int k = 0; k < RATE_KINDS; k++)
        price += kind[k] * rate_priors[k].stall_price / sum;
    o->stall_price = (int32_t)price;
    uint16_t row[RATE_LEVELS];
    for (int from = 0; from < RATE_LEVELS; from++) {
        int64_t weight[RATE_LEVELS] = {0};
        for (int to = 0; to < RATE_LEVELS; to++)
            for (int k = 0; k < RATE_KINDS; k++)
                weight[to] += kind[k] * rate_priors[k].next[from][to] / sum * PRIOR_STEPS;
        row_seen(m, from, weight);
        row_normalise(row, weight);
        for (int to = 0; to < RATE_LEVELS; to++)
            o->chance_to[to][from] = row[to];
    }
    int level = rate_model_level(m->place);
    int32_t off = m->known ? m->place - (level << 16) : 0;
    for (int i = 0; i < RATE_LEVELS; i++) {
        int64_t place = ((int64_t)i << 16) + off;        // bps = lowest * 2^(place / 2)
        int64_t down = ((int64_t)RATE_LEVELS << 16) - place;
        o->bps[i] = (uint64_t)(((int64_t)RATE_LEVEL_LOWEST_BPS << (RATE_LEVELS / 2)) * rate_half_power(down, 2 * 65536) >> 24);
    }
    o->level = level;
    if (m->known)
        return;
    int64_t weight[RATE_LEVELS] = {0};                   // nothing was seen: whatever the level, the first step's chances
    for (int to = 0; to < RATE_LEVELS; to++)
        for (int k = 0; k < RATE_KINDS; k++)
            weight[to] += kind[k] * rate_priors[k].first[to] / sum;
    o->level = RATE_LEVELS - 1;
    row_normalise(o->first, weight);
}

void rate_outlook_first(rate_outlook *o)
{
    for (int to = 0; to < RATE_LEVELS; to++)
        for (int from = 0; from < RATE_LEVELS; from++)
            o->chance_to[to][from] = o->first[to];
}

uint64_t rate_model_low(const rate_model *m)
{
    rate_outlook o;
    int32_t below = 0;
    int level = 0;
    rate_model_outlook(m, &o);
    while (level < RATE_LEVELS - 1 && (below += o.chance_to[level][o.level]) < RATE_CHANCE_ONE / 10)
        level++;
    return o.bps[level];
}
