// Base64 in AVX2, for base64.c alone. Each function takes a prefix of its input, in whole groups or lines, and leaves
// the rest to the plain version. The method is Muła and Lemire's, "Faster Base64 Encoding and Decoding Using AVX2
// Instructions", ACM TWEB 12(3), 2018.
#pragma once
#include "base/text.h"

typedef struct {
    size_t taken, made;         // bytes of input used up, bytes of output written
} base64_progress;

bool base64_has_avx2(void);     // what this processor can, asked at run time

size_t base64_avx2_encode(unsigned char *out, str in);          // bytes taken, a multiple of 24
size_t base64_avx2_encode_lines(unsigned char *out, str in);    // bytes taken, a multiple of 57
size_t base64_avx2_decode(unsigned char *out, str in);          // letters taken, a multiple of 32; stops before a stranger
// Runs of 32 letters and lines of 76 letters with CR LF or LF; stops before anything else.
base64_progress base64_avx2_decode_lines(unsigned char *out, str in);
