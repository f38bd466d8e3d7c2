// The manual pages, written from the tables that the program itself reads.
#pragma once
#include "base/buf.h"

void man_config(buf *out, bool korean);          // naru.conf(5), from the schema
