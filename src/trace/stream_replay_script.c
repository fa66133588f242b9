/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script's memory, and the walk that makes it; see stream_replay_script.h. What each event
 * becomes is in stream_replay_load.c.
 */
#include "trace/stream_replay_script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "trace/print.h"

/* --- Memory --- */

enum { BLOCK_SIZE = 1 << 16 };

struct tl_play_block {
    struct tl_play_block *next;
    size_t used;
    size_t size;
    _Alignas(16) uint8_t data[];
};

void *tl_play_script_alloc(struct tl_play_script *script, size_t size)
{
    struct tl_play_block *block = script->memory;

    size = (size + 15) & ~(size_t)15;
    if (block == NULL || size > block->size - block->used) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = tl_allocator_calloc(script->allocator, sizeof *block + room);
        if (block == NULL)
            return NULL;
        block->size = room;
        block->next = script->memory;
        script->memory = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

int tl_play_script_reserve(struct tl_play_script *script, void *array, size_t count,
                           size_t *capacity, size_t size)
{
    size_t larger = *capacity != 0 ? 2 * *capacity : 16;
    void *memory;

    if (count < *capacity)
        return 0;
    memcpy(&memory, array, sizeof memory);
    memory = tl_allocator_realloc(script->allocator, memory, larger * size);
    if (memory == NULL)
        return -ENOMEM;
    memcpy(array, &memory, sizeof memory);
    *capacity = larger;
    return 0;
}

void tl_play_script_finish(struct tl_play_script *script)
{
    for (size_t i = 0; i < script->peers_count; i++) {
        tl_allocator_free(script->allocator, script->peers[i]->marks);
        tl_allocator_free(script->allocator, script->peers[i]->blocks);
        if (script->peers[i]->file != NULL) {
            tl_allocator_free(script->allocator, script->peers[i]->file->parts);
            tl_allocator_free(script->allocator, script->peers[i]->file->data);
        }
    }
    tl_allocator_free(script->allocator, script->steps);
    tl_allocator_free(script->allocator, script->peers);
    tl_allocator_free(script->allocator, script->requests);
    tl_allocator_free(script->allocator, script->children);
    tl_allocator_free(script->allocator, script->facts);
    tl_allocator_free(script->allocator, script->questions);
    tl_allocator_free(script->allocator, script->nows);
    tl_allocator_free(script->allocator, script->walls);
    while (script->memory != NULL) {
        struct tl_play_block *block = script->memory;
        script->memory = block->next;
        tl_allocator_free(script->allocator, block);
    }
}

struct tl_play_question *tl_play_script_question(const struct tl_play_script *script, uint32_t kind,
                                                 int64_t arg, const void *name, size_t len)
{
    for (size_t i = 0; i < script->questions_count; i++) {
        struct tl_play_question *question = script->questions[i];
        if (question->kind == kind && question->arg == arg && question->name_len == len &&
            (len == 0 || memcmp(question->name, name, len) == 0))
            return question;
    }
    return NULL;
}

/* --- The walk --- */

static int take_clock(struct tl_play_script *script, const struct tl_trace_cursor *cursor,
                      uint32_t kind)
{
    bool now = kind == TL_TRACE_NOW;
    int r = now ? tl_play_script_reserve(script, &script->nows, script->nows_count,
                                         &script->nows_capacity, sizeof *script->nows)
                : tl_play_script_reserve(script, &script->walls, script->walls_count,
                                         &script->walls_capacity, sizeof *script->walls);
    if (r < 0)
        return r;
    if (now)
        script->nows[script->nows_count++] = cursor->now > 0 ? cursor->now : 0;
    else
        script->walls[script->walls_count++] = cursor->wall;
    return 0;
}

static int refuse(struct tl_play_script *script, const struct tl_trace_event *event)
{
    char text[640];

    (void)snprintf(script->problem, sizeof script->problem,
                   "not replayable as a stream: event %llu: %s\n",
                   (unsigned long long)event->number,
                   tl_trace_format_event(event, TL_SIDE_TRACE, 64, text, sizeof text));
    return -ENOTSUP;
}

static int walk(struct tl_play_script *script, struct tl_trace_cursor *cursor)
{
    struct tl_trace_event event;
    int r;

    while ((r = tl_trace_cursor_next(cursor, &event)) == 1) {
        if (event.kind == TL_TRACE_NOW || event.kind == TL_TRACE_WALL) {
            r = take_clock(script, cursor, event.kind);
        } else {
            r = tl_play_script_take(script, &event);
            script->events = event.number + 1;
        }
        if (r == -ENOTSUP)
            return refuse(script, &event);
        if (r < 0)
            return r;
    }
    if (r == TL_ETRACE)
        (void)snprintf(script->problem, sizeof script->problem,
                       "the trace cannot be replayed: byte %llu: %s\n",
                       (unsigned long long)cursor->problem.offset, cursor->problem.message);
    /* Where events are lost, the trace says no more. */
    return r == TL_EOUTOFREACH ? 0 : r;
}

int tl_play_script_make(struct tl_play_script *script, const tl_allocator *allocator,
                        const tl_trace_reader *reader, unsigned index)
{
    struct tl_trace_cursor cursor;

    *script = (struct tl_play_script){.allocator = allocator, .pid = -1};
    tl_trace_cursor_init(&cursor, reader, index);
    int r = walk(script, &cursor);
    tl_trace_cursor_finish(&cursor);
    return r;
}
