// naru config show: the value of every setting, and where it comes from.
#pragma once
#include "base/text.h"

// name: of the file; empty: the one that `naru up` reads. effective: also defaults and what follows from other settings. Returns the exit code.
int config_show(str name, bool effective, bool json);
