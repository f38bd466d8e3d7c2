#include "wire/media/rate_fixed.h"
#include "base/must.h"

// 2^24 * log2(1 + i/64).
static const uint32_t log2_table[65] = {
    0, 375270, 744810, 1108793, 1467383, 1820738, 2169009, 2512340, 2850868, 3184728, 3514044, 3838941, 4159533,
    4475935, 4788255, 5096595, 5401057, 5701737, 5998727, 6292118, 6581994, 6868440, 7151536, 7431359, 7707984, 7981483,
    8251926, 8519380, 8783912, 9045584, 9304457, 9560591, 9814042, 10064867, 10313120, 10558852, 10802114, 11042956, 11281425,
    11517568, 11751428, 11983051, 12212479, 12439752, 12664911, 12887994, 13109041, 13328087, 13545168, 13760320, 13973576, 14184969,
    14394532, 14602297, 14808293, 15012551, 15215099, 15415967, 15615181, 15812769, 16008758, 16203172, 16396036, 16587377, 16777216,
};

// 2^24 * 2^-(i/64).
static const uint32_t half_power_table[65] = {
    16777216, 16596492, 16417715, 16240863, 16065917, 15892855, 15721658, 15552304, 15384775, 15219050, 15055111, 14892937, 14732511,
    14573813, 14416824, 14261526, 14107901, 13955931, 13805598, 13656884, 13509772, 13364245, 13220286, 13077877, 12937002, 12797645,
    12659789, 12523418, 12388516, 12255067, 12123055, 11992466, 11863283, 11735492, 11609078, 11484025, 11360319, 11237946, 11116891,
    10997140, 10878679, 10761494, 10645571, 10530897, 10417458, 10305242, 10194234, 10084422, 9975792, 9868333, 9762032, 9656875,
    9552851, 9449948, 9348154, 9247455, 9147842, 9049301, 8951823, 8855394, 8760003, 8665641, 8572295, 8479954, 8388608,
};

// 2^24 * log2(x).
static int64_t log2_fine(uint64_t x)
{
    if (x < 2)
        return 0;
    int top = 63 - __builtin_clzll(x);
    uint64_t mantissa = x << (63 - top) << 1;            // the bits below the leading one, from the left
    unsigned step = (unsigned)(mantissa >> 58);
    int64_t between = (int64_t)(mantissa << 6 >> 40);    // 24 bits
    int64_t low = log2_table[step], high = log2_table[step + 1];
    return ((int64_t)top << 24) + low + ((high - low) * between >> 24);
}

int64_t rate_log2_q(uint64_t x)
{
    return log2_fine(x) >> 8;
}

int64_t rate_ln_micro(uint64_t x)
{
    return log2_fine(x) * 693147 >> 24;                  // ln 2 = 0.693147
}

int64_t rate_half_power(int64_t numerator, int64_t denominator)
{
    must(numerator >= 0 && denominator > 0);
    if (numerator / denominator >= 24)
        return 0;
    int whole = (int)(numerator / denominator);
    int64_t fraction = (numerator % denominator << 16) / denominator;        // 16 bits
    int step = (int)(fraction >> 10);
    int64_t low = half_power_table[step], high = half_power_table[step + 1];
    return (low + (high - low) * (fraction & 1023) / 1024) >> whole;
}
