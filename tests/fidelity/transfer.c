/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations that move bytes of a flow; those of datagrams and files are elsewhere.
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
    int64_t r = op->kind == OP_SENDFILE
                    ? sendfile_bytes(run, op, flow_next_written(flow), asked)
                    : run->kernel->ops->write(run->kernel, place->fd, &message, 1);
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
        place_send_to(run, op, answer);
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
    bool parts = (run->manner->whole && answer->room_loose) ||
                 (op->kind == OP_SENDFILE && !sendfile_is_one_piece(op));
    if (refused && parts)
        answer->beyond = true; /* the first of them may have had the reset for an answer */
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
        place_receive(run, op, answer);
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
