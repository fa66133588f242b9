/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Openings: see opening.h. While one is under way it is its future's canceller, and, once started,
 * its stream's owner.
 */
#include "core/opening.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/future.h"

struct tl_opening *tl_opening_new(tl_loop *loop, tl_future *future)
{
    struct tl_opening *opening = tl_calloc(sizeof *opening);
    tl_pair *pair = tl_pair_new();
    if (opening == NULL || pair == NULL) {
        tl_free(opening);
        tl_pair_free(pair);
        return NULL;
    }
    opening->loop = tl_loop_ref(loop);
    opening->future = tl_future_ref(future);
    opening->pair = pair;
    return opening;
}

void tl_opening_free(struct tl_opening *opening)
{
    if (opening == NULL)
        return;
    tl_loop *loop = opening->loop;
    tl_future *future = opening->future;
    tl_pair *pair = opening->pair;
    tl_free(opening);
    tl_pair_free(pair); /* the user's code may run here, in release */
    tl_future_unref(future);
    tl_loop_unref(loop);
}

/* It is over. */
static void leave(struct tl_opening *opening)
{
    tl_future_set_canceller(opening->future, NULL, NULL);
    tl_opening_free(opening);
}

static void made(struct tl_stream_owner *owner, struct tl_stream *stream)
{
    struct tl_opening *opening = tl_container_of(owner, struct tl_opening, owner);
    tl_value value = tl_value_from_pair(opening->pair);
    stream->owner = NULL;
    opening->pair = NULL;
    /* Fails only when the program has finished the future itself. */
    if (tl_future_set_result(opening->future, value) < 0)
        tl_value_finish(&value);
    leave(opening);
}

/* The loop was closed before connection_made. */
static void lost(struct tl_stream_owner *owner, bool abandoned)
{
    assert(abandoned && "connection_made comes first otherwise, and ends the opening");
    (void)abandoned;
    leave(tl_container_of(owner, struct tl_opening, owner));
}

static void cancel(void *arg)
{
    struct tl_opening *opening = arg;
    tl_transport *transport = opening->pair->transport;
    tl_stream_of(transport)->owner = NULL;
    tl_transport_close(transport);
    leave(opening);
}

int tl_opening_start(struct tl_opening *opening, const struct tl_stream_type *type, int fd,
                     tl_protocol_factory factory, void *farg, const tl_addr *peer)
{
    struct tl_stream *stream;
    /* The factory is the program's code and may cancel: nothing must be called off under it. */
    tl_future_set_canceller(opening->future, NULL, NULL);
    opening->owner =
        (struct tl_stream_owner){.made = made, .lost = lost, .origin = opening->future->created};
    int r =
        tl_stream_open_as(type, opening->loop, fd, factory, farg, peer, &opening->owner, &stream);
    if (r < 0) {
        (void)tl_future_set_exception(opening->future, r, NULL);
        leave(opening);
        return r;
    }
    tl_pair_fill(opening->pair, &stream->transport);
    if (tl_future_done(opening->future))
        cancel(opening);
    else
        tl_future_set_canceller(opening->future, cancel, opening);
    return 0;
}

/* --- Queued --- */

/* It has come to nothing. */
static void drop_fd(tl_loop *loop, int fd, struct tl_fd *given)
{
    if (given != NULL)
        tl_given_unclaim(given);
    else
        (void)loop->kernel->ops->close(loop->kernel, fd);
}

static void begin(void *arg)
{
    struct tl_opening *opening = arg;
    tl_loop *loop = opening->loop;
    struct tl_fd *given = opening->given;
    int fd = opening->fd;
    tl_live_remove(&opening->live);
    if (tl_opening_start(opening, opening->type, fd, opening->factory, opening->farg, NULL) < 0)
        drop_fd(loop, fd, given);
    else if (given != NULL)
        tl_fd_give_up(given);
}

static void cancel_queued(void *arg)
{
    struct tl_opening *opening = arg;
    tl_live_remove(&opening->live);
    tl_ready_remove(&opening->place);
    drop_fd(opening->loop, opening->fd, opening->given);
    tl_opening_free(opening);
}

static void abandon(struct tl_live *live)
{
    struct tl_opening *opening = tl_container_of(live, struct tl_opening, live);
    tl_live_remove(live);
    tl_ready_remove(&opening->place);
    leave(opening);
}

void tl_opening_later(struct tl_opening *opening, const struct tl_stream_type *type, int fd,
                      struct tl_fd *given, tl_protocol_factory factory, void *farg)
{
    opening->type = type;
    opening->fd = fd;
    opening->given = given;
    opening->factory = factory;
    opening->farg = farg;
    tl_live_add(&opening->live, opening->loop, abandon);
    tl_ready_init(&opening->place, begin, opening);
    tl_loop_queue(opening->loop, &opening->place);
    tl_future_set_canceller(opening->future, cancel_queued, opening);
}
