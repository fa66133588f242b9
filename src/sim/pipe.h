/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipe: sixteen slots of a page each between those who write and those who read.
 *
 * Each descriptor for it is an end of its own, so that several may read or write one pipe; it lives
 * until the last end is closed. What a program can tell of the slots follows Linux: a write joins
 * the last slot when what it has beyond whole pages fits there, else it takes new ones; so a write
 * of up to a page (PIPE_BUF) is taken whole or not at all.
 */
#ifndef TL_SIM_PIPE_H
#define TL_SIM_PIPE_H

#include <stdbool.h>
#include <stdint.h>
#include "sim/fd.h"
#include "sim/pipe_pools.h"
#include "sim/world.h"

enum {
    TL_PIPE_SLOTS = 16,
    TL_PIPE_PAGE = 4096,
};

/* One slot's bytes: page[start .. start + len). */
struct tl_pipe_slot {
    unsigned char *page;
    uint32_t start;
    uint32_t len;
    bool whole; /* a file's page, to which nothing is added */
};

struct tl_pipe {
    tl_world *world;
    struct tl_list ends; /* every one */
    unsigned readers;    /* of these */
    unsigned writers;
    unsigned first; /* slot of the oldest bytes */
    unsigned used;  /* slots from there on, round the end of the array */
    struct tl_pipe_slot slots[TL_PIPE_SLOTS];
};

struct tl_pipe_end {
    struct tl_descriptor descriptor; /* its item's id is the entity of all its choices */
    struct tl_list place;            /* in the pipe's ends */
    struct tl_pipe *pipe;
    bool writes;
    uint32_t draws; /* of the one site that it asks */
};

/* A pipe with one end to read from, ret[0], and one to write to. 0 or -ENOMEM. */
int tl_pipe_new(tl_world *world, const uint64_t entities[2], struct tl_descriptor *ret[2]);

#endif
