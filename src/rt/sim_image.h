// The content of a simulated file: blocks of shared.h, a hole where nothing was written. A whole block that is shared already is
// taken as it is; whatever else is written goes into a block of the image's own. What lies beyond the size is zeros.
#pragma once
#include "base/text.h"

typedef struct {
    unsigned char **blocks;              // NULL: zeros
    size_t          size;
    int             count;               // room for so many in `blocks`
} image;

void image_resize(image *i, size_t size);
void image_write(image *i, size_t offset, const unsigned char *bytes, size_t len);
void image_read(const image *i, size_t offset, unsigned char *into, size_t len);     // within the size
void image_copy(image *to, const image *from);                                       // the blocks are shared from now on
void image_free(image *i);
// Bytes within the size, without a copy: false when they are a hole, or do not lie side by side. Held for the caller (shared_drop).
bool image_lend(const image *i, size_t offset, size_t len, str *out);
