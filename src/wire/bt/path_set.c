#include "wire/bt/path_set.h"

// As memcmp, but '/' comes before every other byte: a folder's files stand right behind the folder's own path.
static int path_compare(str a, str b)
{
    ptrdiff_t shorter = a.len < b.len ? a.len : b.len;
    for (ptrdiff_t i = 0; i < shorter; i++)
        if (a.at[i] != b.at[i])
            return (a.at[i] == '/' ? 0 : a.at[i] + 1) - (b.at[i] == '/' ? 0 : b.at[i] + 1);
    return (a.len > b.len) - (a.len < b.len);
}

// Heap sort: in place, n log n whatever a stranger's list looks like.
static void sift_down(const metainfo_file *files, int *order, int root, int count)
{
    for (int child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && path_compare(files[order[child]].path, files[order[child + 1]].path) < 0)
            child++;
        if (path_compare(files[order[root]].path, files[order[child]].path) >= 0)
            return;
        int other = order[root];
        order[root] = order[child];
        order[child] = other;
    }
}

static void sort(const metainfo_file *files, int *order, int count)
{
    for (int root = count / 2 - 1; root >= 0; root--)
        sift_down(files, order, root, count);
    for (int end = count - 1; end > 0; end--) {
        int first = order[0];
        order[0] = order[end];
        order[end] = first;
        sift_down(files, order, 0, end);
    }
}

path_clash path_set_clash(const metainfo_file *files, int count, arena *a)
{
    int *order = arena_array(a, int, count), kept = 0;
    if (!order)
        return (path_clash){PATHS_NO_MEMORY, 0};
    for (int i = 0; i < count; i++)
        if (!files[i].pad)
            order[kept++] = i;
    sort(files, order, kept);
    for (int i = 1; i < kept; i++) {
        str left = files[order[i - 1]].path, right = files[order[i]].path;
        int later = order[i] > order[i - 1] ? order[i] : order[i - 1];
        if (str_eq(left, right))
            return (path_clash){PATHS_SAME, later};
        if (str_starts(right, left) && right.at[left.len] == '/')
            return (path_clash){PATHS_FOLDER, later};
    }
    return (path_clash){PATHS_DIFFER, 0};
}
