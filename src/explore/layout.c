/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory layouts for twice.
 *
 * The heap is made uneven by taking many blocks of each size up to a few KiB and giving part of
 * them back in an order of the layout's: what the program allocates then comes from these holes. A
 * sanitizer's allocator would keep freed blocks back, so it is told not to.
 */
#include "explore/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_SIZES 64  /* 8, 24, 40, ... bytes */
#define SMALL_BLOCKS 48 /* of each */
#define LARGE_SIZES 20  /* 1, 2, 3, ... KiB */
#define LARGE_BLOCKS 12
#define SMALL (SMALL_SIZES * SMALL_BLOCKS)
#define BLOCKS (SMALL + LARGE_SIZES * LARGE_BLOCKS)

/* A small generator: the layout must not depend on anything else. */
static uint64_t draw(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15;
    uint64_t word = *state;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

/* Appends options to what a variable has already. */
static int append_options(const char *variable, const char *options)
{
    char text[2048];
    const char *old = getenv(variable);
    int len = snprintf(text, sizeof text, "%s%s%s", old != NULL ? old : "",
                       old != NULL && old[0] != '\0' ? ":" : "", options);
    if (len < 0 || (size_t)len >= sizeof text)
        return -ENAMETOOLONG;
    return setenv(variable, text, 1) < 0 ? -errno : 0;
}

int tl_layout_environment(uint64_t layout)
{
    char padding[8192], fill[16], options[128];
    uint64_t state = layout;
    /* Two layouts of a pair never have the same size: one is small, one large. */
    size_t len = (layout % 2 == 0 ? 16 : 4096) + draw(&state) % 4000;
    unsigned byte = layout % 2 == 0 ? 85 : 170;

    memset(padding, 'x', len);
    padding[len] = '\0';
    snprintf(fill, sizeof fill, "%u", byte);
    if (setenv("TWINLOOP_PADDING", padding, 1) < 0 || setenv("MALLOC_PERTURB_", fill, 1) < 0)
        return -errno;
    snprintf(options, sizeof options,
             "quarantine_size_mb=0:thread_local_quarantine_size_kb=0:malloc_fill_byte=%u", byte);
    return append_options("ASAN_OPTIONS", options);
}

static void shuffle(void **blocks, size_t count, uint64_t *state)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = draw(state) % i;
        void *block = blocks[i - 1];
        blocks[i - 1] = blocks[other];
        blocks[other] = block;
    }
}

static void take_blocks(void **blocks)
{
    for (size_t i = 0; i < SMALL; i++)
        blocks[i] = malloc(16 * (i % SMALL_SIZES) + 8);
    for (size_t i = SMALL; i < BLOCKS; i++)
        blocks[i] = malloc(1024 * (1 + i % LARGE_SIZES));
}

static void give_back(void **blocks, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

/* Memory that the compiler cannot leave out, below the caller's frame. */
__attribute__((noinline)) static int call_lower(size_t bytes, int (*function)(void *arg), void *arg)
{
    volatile char *space = __builtin_alloca(bytes);
    space[0] = space[bytes - 1] = 1;
    int result = function(arg);
    space[0] = 0;
    return result;
}

int tl_layout_call(uint64_t layout, int (*function)(void *arg), void *arg)
{
    void *blocks[BLOCKS];
    uint64_t state = ~layout;
    size_t kept = BLOCKS / 4 + draw(&state) % (BLOCKS / 4);

    take_blocks(blocks);
    shuffle(blocks, BLOCKS, &state);
    give_back(blocks, kept, BLOCKS);
    int result = call_lower(64 + 16 * (draw(&state) % 2000), function, arg);
    give_back(blocks, 0, kept);
    return result;
}
