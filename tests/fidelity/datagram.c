/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations that move datagrams, one or several in a call. What one holds is a stretch of the
 * pattern that the operation's number picks; what is read is noted as a hash, with its source.
 */
#include <errno.h>
#include <string.h>

#include "tests/fidelity/place.h"

static unsigned char incoming[SIZE_MAX_BYTES];

/* --- One -------------------------------------------------------------------------------------- */

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

void place_send_to(struct run *run, const struct op *op, struct answer *answer)
{
    struct flow pattern = {.key = run->op};
    struct iovec iov[PIECES_MAX];
    tl_addr addr;
    struct tl_message message = {.iov = iov};
    if (op->kind == OP_SEND_TO && !find_destination(run, op, &addr)) {
        answer->skipped = true;
        return;
    }
    if (op->kind == OP_SENDFILE && !sendfile_is_one_piece(op)) {
        answer->skipped = true;
        return;
    }
    const unsigned char *bytes = flow_next_written(&pattern);
    message.iov_count = cut_bytes(bytes, (size_t)op->value, op->pieces, iov);
    if (op->kind == OP_SEND_TO)
        message.addr = &addr;
    answer->result =
        op->kind == OP_SENDFILE
            ? sendfile_bytes(run, op, bytes, (size_t)op->value)
            : run->kernel->ops->write(run->kernel, run->places[op->place].fd, &message, 1);
    name_learn(run, op->place); /* it may have been given one */
    answer->either = answer->result < 0 && op->kind != OP_SEND_TO &&
                     run->places[op->place].sort == SORT_UNIX_DATAGRAM &&
                     run->kernel->ops->address(run->kernel, run->places[op->place].fd,
                                               TL_ADDRESS_PEER, &addr) == -ENOTCONN;
}

void place_receive(struct run *run, const struct op *op, struct answer *answer)
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

/* --- Several ---------------------------------------------------------------------------------- */

/* Each as long as the operation says, but no more than there is room for all of them. */
static size_t size_of_each(const struct op *op)
{
    size_t most = SIZE_MAX_BYTES / PIECES_MAX;
    return (size_t)op->value < most ? (size_t)op->value : most;
}

/* The real loopback may refuse a datagram of a connected UDP socket within the call, before the
 * next one, which is too quick for any simulated network. */
static bool may_be_refused_at_once(struct run *run, const struct place *place)
{
    tl_addr peer;
    return !sort_is_unix(place->sort) &&
           run->kernel->ops->address(run->kernel, place->fd, TL_ADDRESS_PEER, &peer) == 0;
}

void place_send_many(struct run *run, const struct op *op, struct answer *answer)
{
    struct iovec iov[PIECES_MAX];
    struct tl_message messages[PIECES_MAX];
    tl_addr addr;
    const struct place *place = &run->places[op->place];
    answer->skipped = !sort_is_datagram(place->sort) || !find_destination(run, op, &addr) ||
                      may_be_refused_at_once(run, place);
    if (answer->skipped)
        return;
    for (unsigned i = 0; i < op->pieces; i++) {
        struct flow pattern = {.key = run->op + i};
        iov[i] = (struct iovec){(void *)flow_next_written(&pattern), size_of_each(op)};
        messages[i] = (struct tl_message){.iov = &iov[i], .iov_count = 1, .addr = &addr};
    }
    answer->result = run->kernel->ops->write(run->kernel, place->fd, messages, op->pieces);
    name_learn(run, op->place);
}

static uint32_t hash_message(const struct tl_message *message, uint32_t before)
{
    uint32_t words[] = {before, (uint32_t)message->len, message->truncated, message->addr->family,
                        hash_bytes(message->iov->iov_base, message->len)};
    return hash_bytes((const unsigned char *)words, sizeof words);
}

void place_read_many(struct run *run, const struct op *op, struct answer *answer)
{
    struct iovec iov[PIECES_MAX];
    struct tl_message messages[PIECES_MAX];
    tl_addr sources[PIECES_MAX] = {{0}};
    uint32_t hash = 0;
    answer->skipped = !sort_is_datagram(run->places[op->place].sort);
    if (answer->skipped)
        return;
    for (unsigned i = 0; i < op->pieces; i++) {
        iov[i] = (struct iovec){incoming + i * size_of_each(op), size_of_each(op)};
        messages[i] = (struct tl_message){.iov = &iov[i], .iov_count = 1, .addr = &sources[i]};
    }
    answer->result =
        run->kernel->ops->read(run->kernel, run->places[op->place].fd, messages, op->pieces);
    if (answer->result < 0)
        return;
    int64_t count = op->pieces == 1 ? 1 : answer->result;
    for (int64_t i = 0; i < count; i++)
        hash = hash_message(&messages[i], hash);
    snprintf(answer->note, sizeof answer->note, " %08x", hash);
}
