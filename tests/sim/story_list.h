// What all conversations said, as a list in order of time: in a ladder of hundreds of conversations at once
// nobody finds his way.
#pragma once
#include <stdio.h>

void story_list(FILE *out);
