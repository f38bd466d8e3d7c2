#include "test.h"
#include "base/siphash.h"

// The test vectors of the paper's appendix: key 00 .. 0f, texts of 0 to 9 bytes 00 01 02 ...
TEST(siphash_is_siphash)
{
    static const uint64_t wanted[] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0,
    };
    uint8_t bytes[16];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    siphash_key key = siphash_key_of(bytes);
    for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++)
        CHECK_ROW(n, siphash(key, str_of(bytes, n)) == wanted[n]);
}
