// The schema of naru.conf: what every service exports, under the service's name, and what belongs to the host.
#pragma once
#include "rt/config.h"

const setting *schema_whole(void);               // ends with key NULL
