#include "rt/json_fixed.h"

#include "base/must.h"

json_t *json_fixed(int64_t n, int64_t scale)
{
    must(scale > 0);
    return json_real((double)n / (double)scale);
}

int64_t json_share(int64_t part, int64_t whole)
{
    must(whole > 0);
    while (part > INT64_MAX / JSON_MILLION || part < INT64_MIN / JSON_MILLION) {
        part /= 2;
        whole = whole > 1 ? whole / 2 : 1;
    }
    return part * JSON_MILLION / whole;
}

bool json_fixed_value(const json_t *o, int64_t scale, int64_t max, int64_t *out)
{
    if (!json_is_number(o))
        return false;
    double scaled = json_number_value(o) * (double)scale;
    *out = scaled >= (double)max ? max : scaled <= (double)-max ? -max : (int64_t)scaled;
    return true;
}
