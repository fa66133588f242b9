/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks in chunks; see fuzz_memory.h. Each block begins with a header, which lies in poisoned
 * memory: the functions here are not checked by the sanitizer, which saves telling it twice for
 * every block that the header may be seen.
 */
#include "explore/fuzz_memory.h"

#include <stdint.h>
#include <string.h>

#include "core/alloc.h"
#include "core/poison.h"

enum { CHUNK_SIZE = 256 * 1024, LARGE = TL_FUZZ_MEMORY_SIZES };

struct tl_fuzz_chunk {
    struct tl_fuzz_chunk *next;
    size_t unused; /* keeps the blocks aligned */
};

struct tl_fuzz_block {
    struct tl_fuzz_block *next; /* when it is freed */
    uint32_t kind;              /* its size in steps, less one; LARGE: it came from outside */
    uint32_t unused;
};

_Static_assert(sizeof(struct tl_fuzz_block) == 16, "what follows is aligned for anything");

/* Bytes of a block of this kind, with its header. */
static size_t block_size(uint32_t kind)
{
    return (kind + 1) * (size_t)TL_FUZZ_MEMORY_STEP;
}

/* --- Blocks ----------------------------------------------------------------------------------- */

static int add_chunk(struct tl_fuzz_memory *memory)
{
    struct tl_fuzz_chunk *chunk = tl_allocator_alloc(memory->outer, sizeof *chunk + CHUNK_SIZE);
    if (chunk == NULL)
        return -1;
    chunk->next = memory->chunks;
    memory->chunks = chunk;
    memory->chunk_left = CHUNK_SIZE;
    TL_POISON(chunk + 1, CHUNK_SIZE);
    return 0;
}

/* A block that was never used before; NULL when memory is out. */
static TL_UNCHECKED struct tl_fuzz_block *carve(struct tl_fuzz_memory *memory, uint32_t kind)
{
    size_t size = block_size(kind);
    if (memory->chunk_left < size && add_chunk(memory) < 0)
        return NULL;
    memory->chunk_left -= size;
    struct tl_fuzz_block *block =
        (struct tl_fuzz_block *)((char *)(memory->chunks + 1) + memory->chunk_left);
    block->kind = kind;
    return block;
}

static TL_UNCHECKED struct tl_fuzz_block *reuse(struct tl_fuzz_memory *memory, uint32_t kind)
{
    struct tl_fuzz_blocks *freed = &memory->freed[kind];
    struct tl_fuzz_block *block = freed->head;
    if (block == NULL)
        return NULL;
    freed->head = block->next;
    return block;
}

static struct tl_fuzz_block *from_outside(struct tl_fuzz_memory *memory, size_t size)
{
    struct tl_fuzz_block *block = NULL;
    if (size <= SIZE_MAX - sizeof *block)
        block = tl_allocator_alloc(memory->outer, sizeof *block + size);
    if (block != NULL) {
        block->kind = LARGE;
        TL_POISON(block, sizeof *block);
    }
    return block;
}

static void *get(struct tl_fuzz_memory *memory, size_t size)
{
    struct tl_fuzz_block *block;
    if (size > block_size(LARGE - 1) - sizeof *block) {
        block = from_outside(memory, size);
    } else {
        uint32_t kind = (uint32_t)((sizeof *block + size - 1) / TL_FUZZ_MEMORY_STEP);
        block = reuse(memory, kind);
        if (block == NULL)
            block = carve(memory, kind);
        if (block != NULL)
            TL_UNPOISON(block + 1, size);
    }
    if (block == NULL)
        return NULL;
    memory->in_use++;
    return block + 1;
}

static TL_UNCHECKED void put(struct tl_fuzz_memory *memory, struct tl_fuzz_block *block)
{
    memory->in_use--;
    if (block->kind == LARGE) {
        TL_UNPOISON(block, sizeof *block);
        tl_allocator_free(memory->outer, block);
        return;
    }
    struct tl_fuzz_blocks *freed = &memory->freed[block->kind];
    block->next = NULL;
    if (freed->head == NULL)
        freed->head = block;
    else
        freed->tail->next = block;
    freed->tail = block;
    TL_POISON(block + 1, block_size(block->kind) - sizeof *block);
}

/* --- The allocator ---------------------------------------------------------------------------- */

/* How many bytes of the old block are worth copying. */
static TL_UNCHECKED size_t used_size(const struct tl_fuzz_block *block, size_t size)
{
    size_t room = block->kind == LARGE ? size : block_size(block->kind) - sizeof *block;
    return room < size ? room : size;
}

static void *grow_outside(struct tl_fuzz_memory *memory, struct tl_fuzz_block *block, size_t size)
{
    struct tl_fuzz_block *moved = NULL;
    TL_UNPOISON(block, sizeof *block);
    if (size <= SIZE_MAX - sizeof *block)
        moved = tl_allocator_realloc(memory->outer, block, sizeof *block + size);
    if (moved == NULL)
        TL_POISON(block, sizeof *block);
    else
        TL_POISON(moved, sizeof *moved);
    return moved != NULL ? moved + 1 : NULL;
}

static TL_UNCHECKED void *memory_realloc(void *ctx, void *ptr, size_t size)
{
    struct tl_fuzz_memory *memory = ctx;
    if (ptr == NULL)
        return size > 0 ? get(memory, size) : NULL;
    struct tl_fuzz_block *block = (struct tl_fuzz_block *)ptr - 1;
    if (size == 0) {
        put(memory, block);
        return NULL;
    }
    if (block->kind == LARGE)
        return grow_outside(memory, block, size);
    void *moved = get(memory, size);
    if (moved == NULL)
        return NULL;
    size_t used = used_size(block, size);
    TL_UNPOISON(ptr, used);
    memcpy(moved, ptr, used);
    put(memory, block);
    return moved;
}

tl_allocator tl_fuzz_memory_allocator(struct tl_fuzz_memory *memory)
{
    return (tl_allocator){.realloc = memory_realloc, .ctx = memory};
}

void tl_fuzz_memory_init(struct tl_fuzz_memory *memory, const tl_allocator *outer)
{
    *memory = (struct tl_fuzz_memory){.outer = outer};
}

void tl_fuzz_memory_finish(struct tl_fuzz_memory *memory)
{
    struct tl_fuzz_chunk *next;
    for (struct tl_fuzz_chunk *chunk = memory->chunks; chunk != NULL; chunk = next) {
        next = chunk->next;
        TL_UNPOISON(chunk + 1, CHUNK_SIZE);
        tl_allocator_free(memory->outer, chunk);
    }
    memory->chunks = NULL;
}
