/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getaddrinfo and getnameinfo: lookups whose answer is a future's result.
 *
 * The future and the lookup know each other until one of them is over: an answer finishes the
 * future, cancelling the future gives the lookup up, and a loop that is closed leaves it pending.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/resolve.h"

/* Among what can act in the loop, for the case that it is closed. */
struct asking {
    struct tl_live live;
    struct tl_lookup *lookup;
    tl_future *future; /* a reference */
    struct answers *answers;
};

/* A future's result. */
struct answers {
    tl_addrinfo *infos;
    size_t count;
};

static void answers_free(void *pointer)
{
    struct answers *answers = pointer;
    tl_free(answers->infos);
    tl_free(answers);
}

static void names_free(void *pointer)
{
    tl_free(pointer);
}

static void asking_free(struct asking *asking)
{
    tl_future *future = asking->future;
    tl_live_remove(&asking->live);
    if (asking->answers != NULL)
        answers_free(asking->answers);
    tl_free(asking);
    tl_future_set_canceller(future, NULL, NULL);
    tl_future_unref(future);
}

static void cancel(void *arg)
{
    struct asking *asking = arg;
    tl_lookup_give_up(asking->lookup);
    asking_free(asking);
}

static void abandon(struct tl_live *live)
{
    cancel(tl_container_of(live, struct asking, live));
}

/* The value that the answer is. */
static tl_value take(struct asking *asking, struct tl_query *query)
{
    if (query->kind == TL_QUERY_NAMES) {
        tl_nameinfo *names = query->names;
        query->names = NULL;
        return tl_value_pointer(names, names_free);
    }
    struct answers *answers = asking->answers;
    asking->answers = NULL;
    answers->infos = query->infos;
    answers->count = query->infos_count;
    query->infos = NULL;
    return tl_value_pointer(answers, answers_free);
}

static void answered(void *arg, int result, struct tl_query *query)
{
    struct asking *asking = arg;
    if (result < 0) {
        (void)tl_future_set_exception(asking->future, result, NULL);
    } else {
        tl_value value = take(asking, query);
        /* Fails only when the program has finished the future itself. */
        if (tl_future_set_result(asking->future, value) < 0)
            tl_value_finish(&value);
    }
    asking_free(asking);
}

static int ask(tl_loop *loop, const struct tl_query *query, tl_future *future)
{
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    struct asking *asking = tl_calloc(sizeof *asking);
    struct answers *answers = tl_calloc(sizeof *answers);
    int r = -ENOMEM;
    if (asking != NULL && answers != NULL)
        r = tl_lookup_start(loop, query, answered, asking, &asking->lookup);
    if (r < 0) {
        tl_free(answers);
        tl_free(asking);
        return r;
    }
    asking->answers = answers;
    asking->future = tl_future_ref(future);
    tl_live_add(&asking->live, loop, abandon);
    tl_future_set_canceller(future, cancel, asking);
    return 0;
}

static tl_future *ask_for(tl_loop *loop, const struct tl_query *query)
{
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    int r = ask(loop, query, future);
    if (r < 0)
        (void)tl_future_set_exception(future, r,
                                      r == TL_ESTATE ? "Executor shutdown has been called" : NULL);
    return future;
}

tl_future *tl_loop_getaddrinfo(tl_loop *loop, const char *host, const char *service,
                               const tl_addrinfo_hints *hints)
{
    struct tl_query query = {.kind = TL_QUERY_ADDRESSES, .host = host, .service = service};
    if (hints != NULL)
        query.hints = *hints;
    return ask_for(loop, &query);
}

tl_future *tl_loop_getnameinfo(tl_loop *loop, const tl_addr *addr, unsigned flags)
{
    struct tl_query query = {.kind = TL_QUERY_NAMES, .flags = flags};
    if (addr == NULL)
        return loop != NULL ? tl_loop_failed_future(loop, -EINVAL, NULL) : NULL;
    query.addr = *addr;
    return ask_for(loop, &query);
}

const tl_addrinfo *tl_value_addrinfo(const tl_value *value, size_t *ret_count)
{
    const struct answers *answers = NULL;
    if (value != NULL && value->kind == TL_VALUE_POINTER && value->free_fn == answers_free)
        answers = value->pointer;
    if (ret_count != NULL)
        *ret_count = answers != NULL ? answers->count : 0;
    return answers != NULL ? answers->infos : NULL;
}

const tl_nameinfo *tl_value_nameinfo(const tl_value *value)
{
    if (value == NULL || value->kind != TL_VALUE_POINTER || value->free_fn != names_free)
        return NULL;
    return value->pointer;
}
