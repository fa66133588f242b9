/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event hash: one number that says whether two runs were the same.
 *
 * Each operation of a simulated kernel, each event out of poll and each answer other than the plain
 * one is folded in as a few 64-bit words: kind, actor, object, result, one more word, time. There
 * are two lanes, so that a difference can be told apart: schedule (everything but payloads) and
 * content (what was written). Objects are known by the order in which their process made them and
 * errors by their place in the table of names, so equal runs have equal hashes on any machine. The
 * same words can be written out as lines, to find where two runs part.
 */
#ifndef TL_SIM_HASH_H
#define TL_SIM_HASH_H

#include <stdint.h>
#include <stdio.h>
#include <twinloop/world.h>

/* What can be hashed: operations and events by their numbers in ops.def, then the world's own. */
enum tl_event_words_kind {
#define TL_OP(number, NAME, name, object, arg0, arg1, arg2, arg3, blob) TL_KIND_##NAME = number,
#define TL_EVENT(number, NAME, name, object, value) TL_KIND_##NAME = number,
#include "trace/ops.def"
    TL_KIND_CHOICE = 96, /* name: the site; result: the answer */
    TL_KIND_START,       /* a process begins */
    TL_KIND_EXIT,        /* result: its status */
    TL_KIND_KILLED,      /* a signal was sent to it; result: which */
    TL_KIND_CALLBACK,    /* of tl_world_at */
    TL_KIND_OBSERVED,    /* name: what; aux: the word */
    TL_KIND_COUNT,
};

struct tl_event_words {
    unsigned kind;
    uint32_t object;  /* its ordinal in the process; 0: none */
    uint64_t actor;   /* entity of the process, or of what a choice is about */
    const char *who;  /* process, for people; NULL: the one that runs */
    const char *name; /* site or what is observed, for people; may be NULL */
    int64_t result;   /* negative: an error */
    uint64_t aux;
    uint64_t content; /* hash of a payload; 0: none */
};

struct tl_event_hash {
    uint64_t schedule;
    uint64_t content;
    uint64_t events;
    FILE *words;
    FILE *log;
};

/* Folds an event of the world's present instant in. */
void tl_event_hash_add(tl_world *world, const struct tl_event_words *words);

#endif
