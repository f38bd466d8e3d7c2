// An intrusive doubly linked list: the links live inside the things that are listed, so that nothing is allocated
// and a thing leaves its list in O(1) without knowing which list that is.
//
//     struct waiter { list_link link; ... };
//     list waiting; list_init(&waiting);
//     list_append(&waiting, &w->link);
//     for (list_link *l = list_first(&waiting), *next; l; l = next) {
//         next = list_next(&waiting, l);            // read first, so that the body may remove l
//         struct waiter *w = LIST_OF(l, struct waiter, link);
//     }
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/must.h"

typedef struct list_link {
    struct list_link *prev, *next;      // both NULL: in no list (a zeroed link is ready for use)
} list_link;

typedef struct {
    list_link ends;                     // ends.next is the first, ends.prev the last; points to itself when empty
} list;

// The thing of `type` whose field `member` is at `pointer`.
#define LIST_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void list_init(list *l) { l->ends.prev = l->ends.next = &l->ends; }
static inline bool list_empty(const list *l) { return l->ends.next == &l->ends; }
static inline bool list_linked(const list_link *k) { return k->next != NULL; }

static inline list_link *list_first(const list *l) { return list_empty(l) ? NULL : l->ends.next; }
static inline list_link *list_last(const list *l) { return list_empty(l) ? NULL : l->ends.prev; }
static inline list_link *list_next(const list *l, const list_link *k) { return k->next == &l->ends ? NULL : k->next; }
static inline list_link *list_prev(const list *l, const list_link *k) { return k->prev == &l->ends ? NULL : k->prev; }

// Puts k right after `where`; k must be in no list.
static inline void list_insert_after(list_link *where, list_link *k)
{
    must(!list_linked(k) && list_linked(where));
    k->prev = where;
    k->next = where->next;
    where->next->prev = k;
    where->next = k;
}

static inline void list_append(list *l, list_link *k) { list_insert_after(l->ends.prev, k); }
static inline void list_prepend(list *l, list_link *k) { list_insert_after(&l->ends, k); }

// Takes k out of whatever list holds it; nothing happens when none does.
static inline void list_remove(list_link *k)
{
    if (!list_linked(k))
        return;
    k->prev->next = k->next;
    k->next->prev = k->prev;
    k->prev = k->next = NULL;
}

// Removes and returns the first link; NULL when the list is empty.
static inline list_link *list_take(list *l)
{
    list_link *k = list_first(l);
    if (k)
        list_remove(k);
    return k;
}
