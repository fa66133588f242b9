/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circular doubly linked list of places that are embedded in what is listed. The head is a place
 * too; a zeroed place is in no list. Nothing here allocates, and taking out is immediate.
 */
#ifndef TL_SIM_LIST_H
#define TL_SIM_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct tl_list {
    struct tl_list *next;
    struct tl_list *prev;
};

/* The object that a place is a member of. */
#define tl_listed(place, type, member) ((type *)((char *)(place)-offsetof(type, member)))

static inline void tl_list_init(struct tl_list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool tl_list_empty(const struct tl_list *head)
{
    return head->next == head;
}

/* Whether a place is in a list. */
static inline bool tl_list_in(const struct tl_list *place)
{
    return place->next != NULL;
}

static inline void tl_list_insert(struct tl_list *place, struct tl_list *prev)
{
    place->next = prev->next;
    place->prev = prev;
    prev->next->prev = place;
    prev->next = place;
}

static inline void tl_list_push(struct tl_list *head, struct tl_list *place)
{
    tl_list_insert(place, head->prev);
}

/* A no-op for a place in no list. */
static inline void tl_list_remove(struct tl_list *place)
{
    if (place->next == NULL)
        return;
    place->prev->next = place->next;
    place->next->prev = place->prev;
    place->next = NULL;
    place->prev = NULL;
}

/* Takes out the first place; NULL when there is none. */
static inline struct tl_list *tl_list_pop(struct tl_list *head)
{
    struct tl_list *place = head->next;
    if (place == head)
        return NULL;
    tl_list_remove(place);
    return place;
}

/* Moves everything from source to the front of target. */
static inline void tl_list_move_front(struct tl_list *source, struct tl_list *target)
{
    if (tl_list_empty(source))
        return;
    source->prev->next = target->next;
    target->next->prev = source->prev;
    source->next->prev = target;
    target->next = source->next;
    tl_list_init(source);
}

#endif
