#include "test.h"

#include "base/heap_memory.h"

TEST(arena_gives_zeroed_aligned_memory_that_does_not_overlap)
{
    arena a = arena_make(1 << 20);
    uint64_t seed = 6;
    for (int round = 0; round < 3; round++) {
        struct { unsigned char *at; size_t size; } got[200];
        for (int i = 0; i < 200; i++) {
            size_t size = test_random(&seed) % 3000, align = (size_t)1 << test_random(&seed) % 5;
            got[i].at = arena_alloc(&a, size, 1, align);
            got[i].size = size;
            CHECK_ROW(i, got[i].at && (uintptr_t)got[i].at % align == 0);
            size_t dirt = 0;
            for (size_t k = 0; k < size; k++)
                dirt += got[i].at[k];
            CHECK_ROW(i, dirt == 0);
            memset(got[i].at, i + 1, size);
        }
        for (int i = 0; i < 200; i++) {
            size_t wrong = 0;
            for (size_t k = 0; k < got[i].size; k++)
                wrong += got[i].at[k] != (unsigned char)(i + 1);
            CHECK_ROW(i, wrong == 0);
        }
        arena_reset(&a);
        CHECK_INT(a.used_bytes, 0);
    }
    arena_free(&a);
}

TEST(arena_ceiling_is_sticky_until_reset)
{
    arena a = arena_make(100);
    CHECK(arena_alloc(&a, 60, 1, 1) && !a.full);
    CHECK(!arena_alloc(&a, 41, 1, 1) && a.full);
    CHECK(!arena_alloc(&a, SIZE_MAX / 2, 3, 1));
    CHECK(!arena_array(&a, uint64_t, SIZE_MAX / 8 + 2));
    arena_reset(&a);
    CHECK(!a.full && arena_alloc(&a, 100, 1, 1));
    CHECK_STR(str_copy(&a, S("x")), S(""));
    CHECK(a.full);
    CHECK(*str_to_z(&a, S("x")) == 0);
    arena_free(&a);
}

TEST(arena_texts)
{
    arena a = arena_make(10000);
    CHECK_STR(str_copy(&a, S("abc")), S("abc"));
    CHECK_STR(str_lower(&a, S("AbC-9")), S("abc-9"));
    CHECK_STR(str_join(&a, S("ab"), S("cd")), S("abcd"));
    CHECK_STR(str_join(&a, (str){0}, S("")), S(""));
    CHECK_STR(str_format(&a, "%d-%s-" STR_FMT, 7, "z", STR_ARG(S("view"))), S("7-z-view"));
    CHECK(strcmp(str_to_z(&a, S("zero")), "zero") == 0);
    CHECK(!a.full);
    arena_free(&a);
}

TEST(heap_memory_gives_and_takes_back)
{
    unsigned char *zeroed = memory_zeroed(10, 4), sum = 0;
    for (int i = 0; i < 40; i++)
        sum |= zeroed[i];
    CHECK_INT(sum, 0);
    memset(zeroed, 9, 40);
    zeroed = memory_resize(zeroed, 4000);
    CHECK_INT(zeroed[39], 9);
    memory_free(zeroed);
    memory_free(memory_new(0));
    memory_free(NULL);
}
