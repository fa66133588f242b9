/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptor table: slots, and a bit map in which the lowest free number is found a word at a
 * time.
 */
#include "sim/fd.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/alloc.h"

enum { FIRST = 3, WORD = 64 };

void tl_fds_init(struct tl_fds *fds, unsigned limit)
{
    *fds = (struct tl_fds){.limit = limit};
}

void tl_fds_finish(struct tl_fds *fds, const tl_allocator *allocator)
{
    tl_allocator_free(allocator, fds->slots);
    tl_allocator_free(allocator, fds->used);
    *fds = (struct tl_fds){0};
}

static int grow(struct tl_fds *fds, const tl_allocator *allocator)
{
    unsigned capacity = fds->capacity > 0 ? 2 * fds->capacity : WORD;
    struct tl_descriptor **slots =
        tl_allocator_realloc(allocator, fds->slots, capacity * sizeof(struct tl_descriptor *));
    if (slots == NULL)
        return -ENOMEM;
    fds->slots = slots;
    uint64_t *used = tl_allocator_realloc(allocator, fds->used, capacity / WORD * sizeof *used);
    if (used == NULL)
        return -ENOMEM;
    fds->used = used;
    memset(slots + fds->capacity, 0, (capacity - fds->capacity) * sizeof(struct tl_descriptor *));
    memset(used + fds->capacity / WORD, 0, (capacity - fds->capacity) / WORD * sizeof *used);
    if (fds->capacity == 0)
        used[0] = (1u << FIRST) - 1;
    fds->capacity = capacity;
    return 0;
}

int tl_fds_next(struct tl_fds *fds, const tl_allocator *allocator)
{
    while (fds->lowest < fds->capacity / WORD && fds->used[fds->lowest] == UINT64_MAX)
        fds->lowest++;
    unsigned fd = fds->capacity;
    if (fds->lowest < fds->capacity / WORD)
        fd = fds->lowest * WORD + (unsigned)__builtin_ctzll(~fds->used[fds->lowest]);
    if (fd < FIRST)
        fd = FIRST;
    if (fd >= fds->limit)
        return -EMFILE;
    if (fd >= fds->capacity) {
        int r = grow(fds, allocator);
        if (r < 0)
            return r;
    }
    return (int)fd;
}

void tl_fds_take(struct tl_fds *fds, int fd, struct tl_descriptor *descriptor)
{
    assert(fds->slots[fd] == NULL);
    fds->slots[fd] = descriptor;
    fds->used[fd / WORD] |= UINT64_C(1) << fd % WORD;
}

void tl_fds_give_back(struct tl_fds *fds, int fd)
{
    fds->slots[fd] = NULL;
    fds->used[fd / WORD] &= ~(UINT64_C(1) << fd % WORD);
    if ((unsigned)fd / WORD < fds->lowest)
        fds->lowest = (unsigned)fd / WORD;
}

int tl_fds_first(const struct tl_fds *fds, int fd)
{
    unsigned at = (unsigned)fd > FIRST ? (unsigned)fd : FIRST;
    for (; at < fds->capacity; at = (at / WORD + 1) * WORD) {
        uint64_t used = fds->used[at / WORD] >> at % WORD;
        if (used != 0)
            return (int)at + __builtin_ctzll(used);
    }
    return -1;
}
