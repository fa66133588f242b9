/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations that move bytes: of a flow, or as a datagram.
 */
#include <errno.h>
#include <string.h>
#include <twinloop/error.h>

#include "tests/fidelity/place.h"

static unsigned char incoming[SIZE_MAX_BYTES];

size_t cut_bytes(const unsigned char *bytes, size_t len, unsigned pieces, struct iovec *iov)
{
    size_t at = 0;
    for (unsigned i = 0; i < pieces; i++) {
        size_t part = i + 1 == pieces ? len - at : (len - at) / (pieces + 2 * i);
        iov[i] = (struct iovec){(void *)(bytes + at), part};
        at += part;
    }
    return pieces;
}

uint32_t hash_bytes(const unsigned char *bytes, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * 16777619u;
    return h;
}

/* --- Datagrams -------------------------------------------------------------------------------- */

/* Where a datagram is sent. False when there is no address, or it says nothing: one that is a
 * stream's, but for Unix-domain sockets, whose names are of one kind. */
static bool find_destination(const struct run *run, const struct op *op, tl_addr *ret)
{
    if (op->other >= PATH)
        return name_of(run, op, ret);
    const struct place *other = &run->places[op->other];
    *ret = other->local;
    bool fits = sort_is_datagram(other->sort) ||
                (sort_is_unix(other->sort) && sort_is_unix(run->places[op->place].sort));
    return fits && ret->family != TL_FAMILY_NONE;
}

static void send_datagram(struct run *run, const struct op *op, struct answer *answer)
{
    struct flow pattern = {.key = run->op};
    struct iovec iov[PIECES_MAX];
    tl_addr addr;
    struct tl_message message = {.iov = iov};
    if (op->kind == OP_SEND_TO && !find_destination(run, op, &addr)) {
        answer->skipped = true;
        return;
    }
    message.iov_count = cut_bytes(flow_next_written(&pattern), (size_t)op->value, op->pieces, iov);
    if (op->kind == OP_SEND_TO)
        message.addr = &addr;
    answer->result = run->kernel->ops->write(run->kernel, run->places[op->place].fd, &message, 1);
    name_learn(run, op->place); /* it may have been given one */
    answer->either = answer->result < 0 && op->kind == OP_WRITE &&
                     run->places[op->place].sort == SORT_UNIX_DATAGRAM &&
                     run->kernel->ops->address(run->kernel, run->places[op->place].fd,
                                               TL_ADDRESS_PEER, &addr) == -ENOTCONN;
}

static void receive_datagram(struct run *run, const struct op *op, struct answer *answer)
{
    struct iovec iov[PIECES_MAX];
    tl_addr source = {0};
    struct tl_message message = {.iov = iov, .addr = &source};
    char from[32] = "";
    message.iov_count = cut_bytes(incoming, (size_t)op->value, op->pieces, iov);
    answer->result = run->kernel->ops->read(run->kernel, run->places[op->place].fd, &message, 1);
    if (answer->result < 0)
        return;
    name_note(run, run->places[op->place].sort, &source, from, sizeof from);
    snprintf(answer->note, sizeof answer->note, " %08x%s from%s",
             hash_bytes(incoming, (size_t)answer->result), message.truncated ? " cut" : "", from);
}

/* --- Streams ---------------------------------------------------------------------------------- */

static int64_t write_once(struct run *run, const struct op *op, size_t done)
{
    struct place *place = &run->places[op->place];
    struct flow nobody = {0};
    struct flow *flow = place->out != NULL ? place->out : &nobody;
    struct iovec iov[PIECES_MAX];
    struct tl_message message = {.iov = iov};
    size_t asked = (size_t)op->value - done;
    message.iov_count = cut_bytes(flow_next_written(flow), asked, op->pieces, iov);
    int64_t r = run->kernel->ops->write(run->kernel, place->fd, &message, 1);
    if (r >= 0 || r == -EAGAIN)
        flow_wrote(flow, asked, r > 0 ? (size_t)r : 0);
    return r;
}

void place_write(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    if (op->kind == OP_SEND_TO && !sort_is_datagram(place->sort)) {
        answer->skipped = true;
        return;
    }
    if (sort_is_datagram(place->sort)) {
        send_datagram(run, op, answer);
        return;
    }
    if (place->sort == SORT_FILE) {
        file_write(run, op, answer);
        return;
    }
    bool flooded = place->out != NULL && place->out->flooded;
    bool refused = place->in != NULL && place->in->closed;
    answer->beyond = refused && (flow_is_uncertain(place->in) || flow_is_uncertain(place->out));
    size_t done = 0;
    int64_t r;
    do {
        r = write_once(run, op, done);
        done += r > 0 ? (size_t)r : 0;
    } while (run->manner->whole && r > 0 && done < (size_t)op->value);
    answer->result = done > 0 ? (int64_t)done : r;
    answer->room_loose = flooded || (place->out != NULL && place->out->flooded);
    if (refused && answer->room_loose && run->manner->whole)
        answer->beyond = true; /* the first call may have had the reset for an answer */
    if (answer->result > 0 && place->out == NULL)
        answer->broken = "nobody could get these bytes";
}

static int64_t read_once(struct run *run, const struct op *op, size_t done, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    struct iovec iov[PIECES_MAX];
    struct tl_message message = {.iov = iov};
    message.iov_count = cut_bytes(incoming, (size_t)op->value - done, op->pieces, iov);
    int64_t r = run->kernel->ops->read(run->kernel, place->fd, &message, 1);
    if (r <= 0)
        return r;
    if (place->in == NULL || !flow_is_next(place->in, incoming, (size_t)r))
        answer->broken = "these are not the bytes that were written";
    else
        flow_did_read(place->in, (size_t)r);
    return r;
}

void place_read(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    if (sort_is_datagram(place->sort)) {
        receive_datagram(run, op, answer);
        return;
    }
    if (place->sort == SORT_FILE) {
        file_read(run, op, answer);
        return;
    }
    answer->amount_loose = place->in != NULL && flow_is_uncertain(place->in);
    answer->before = place->in != NULL ? flow_under_way(place->in) : 0;
    size_t done = 0;
    int64_t r;
    do {
        r = read_once(run, op, done, answer);
        done += r > 0 ? (size_t)r : 0;
    } while (run->manner->whole && r > 0 && done < (size_t)op->value);
    answer->result = done > 0 ? (int64_t)done : r;
    /* How much a crowded flow gives decides what it says next. */
    if (run->manner->whole && done > 0 && done < (size_t)op->value && !answer->amount_loose)
        snprintf(answer->note, sizeof answer->note, " then %s",
                 r < 0 ? tl_err_name((int)r) : "the end");
}
