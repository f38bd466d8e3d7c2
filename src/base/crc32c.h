// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of journal records.
#pragma once
#include "base/text.h"

// The checksum of everything before (`crc`, 0 at the start) followed by s: crc32c(crc32c(0, a), b) = crc32c(0, ab).
// Uses SSE4.2 where the processor has it.
uint32_t crc32c(uint32_t crc, str s);
uint32_t crc32c_plain(uint32_t crc, str s);         // the table; what the fast one is tested against
