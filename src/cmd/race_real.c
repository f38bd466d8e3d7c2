#include "cmd/race.h"

bool race_run_real(const race_plan *p, int peers, const race_rig *rig, race_outcome *outcomes, arena *a, str *why)
{
    (void)p, (void)peers, (void)rig, (void)outcomes, (void)a;
    *why = S("not built");
    return false;
}
