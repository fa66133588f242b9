/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations that move no bytes, and readiness.
 */
#include "tests/fidelity/place.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <twinloop/error.h>
#include <linux/sockios.h>

/* --- Places ----------------------------------------------------------------------------------- */

void place_fill(struct run *run, int index, int fd, uint8_t sort)
{
    struct place *place = &run->places[index];
    *place = (struct place){
        .fd = fd,
        .sort = sort,
        .watched = TL_READABLE | TL_WRITABLE,
        .send_room = ROOM_DEFAULT,
        .number = ++run->numbers,
    };
    if (sort == SORT_FILE)
        return; /* nobody waits for one */
    int r = run->kernel->ops->watch(run->kernel, fd, place->watched, place);
    assert(r == 0);
    (void)r;
}

static struct flow *new_flow(struct run *run, const struct place *writer)
{
    assert(run->flows_count < FLOWS_MAX);
    struct flow *flow = &run->flows[run->flows_count++];
    flow->key = run->flows_count;
    flow->network = writer->sort == SORT_TCP || writer->sort == SORT_TCP6;
    flow->bounded = flow->network || run->manner->whole;
    flow->room = writer->send_room;
    if (writer->sort == SORT_UNIX)
        flow->room /= 4; /* the rest may go to what many messages cost */
    if (writer->sort == SORT_PIPE)
        flow->room = PIPE_BUF;
    return flow;
}

/* --- Operations ------------------------------------------------------------------------------- */

static void do_socket(struct run *run, const struct op *op, struct answer *answer)
{
    static const uint8_t families[SORTS] = {
        [SORT_TCP] = TL_FAMILY_INET,  [SORT_TCP6] = TL_FAMILY_INET6,
        [SORT_UDP] = TL_FAMILY_INET,  [SORT_UDP6] = TL_FAMILY_INET6,
        [SORT_UNIX] = TL_FAMILY_UNIX, [SORT_UNIX_DATAGRAM] = TL_FAMILY_UNIX,
    };
    int fd = run->kernel->ops->socket(run->kernel, (enum tl_family)families[op->what],
                                      sort_is_datagram(op->what) ? TL_DATAGRAM : TL_STREAM);
    answer->result = fd < 0 ? fd : 0;
    if (fd >= 0)
        place_fill(run, op->place, fd, op->what);
}

/* There has been a connection to or from where a place is bound, which will linger in TIME_WAIT.
 * Who does not reuse addresses keeps the port from everybody then. */
static void use_port(struct run *run, struct place *place)
{
    uint16_t port = place->local.port;
    if (place->sort != SORT_TCP && place->sort != SORT_TCP6)
        return;
    place->port_used = true;
    if (!place->reuses)
        run->taken[port / 8] |= (uint8_t)(1u << port % 8);
}

static bool is_taken(const struct run *run, uint16_t port)
{
    return (run->taken[port / 8] & 1u << port % 8) != 0;
}

/* A port that has had connections is left alone: some may linger there, which a simulated port
 * never knows. Unless everybody reuses its address, for then it makes no difference. So is one that
 * its listener shares, and another protocol's, which says nothing. */
static bool may_bind_there(const struct run *run, const struct op *op)
{
    const struct place *place = &run->places[op->place];
    const struct place *other = op->other < PATH ? &run->places[op->other] : NULL;
    if (other == NULL || (sort_is_unix(place->sort) && sort_is_unix(other->sort)))
        return true;
    if (sort_is_datagram(other->sort) != sort_is_datagram(place->sort))
        return false;
    if (other->sort != SORT_TCP && other->sort != SORT_TCP6)
        return true;
    if (other->listening)
        return !other->port_used || !(other->shares && place->shares);
    return !other->port_used || (place->reuses && !is_taken(run, other->local.port));
}

static void do_bind(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    tl_addr addr;
    if (op->other == op->place) {
        addr = name_fresh(run, op, place->sort);
    } else if (!name_of(run, op, &addr) || !may_bind_there(run, op)) {
        answer->skipped = true;
        return;
    }
    answer->result = run->kernel->ops->bind(run->kernel, place->fd, &addr);
    name_learn(run, op->place);
    place->rebound = op->other < PATH && op->other != op->place;
}

/* Where delays are at work nobody may find a queue full: it would try again after a second, which
 * is no time for a delay and for ever on the real kernel. */
static void do_listen(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    int backlog = run->manner->whole ? OPS_MAX : op->value;
    answer->result = run->kernel->ops->listen(run->kernel, place->fd, backlog);
    place->listening = place->listening || answer->result == 0;
    name_learn(run, op->place);
}

/* A connection to whom it was meant for, at a place; -1: nobody could have it. */
static void begin_connection(struct run *run, struct place *place, int target,
                             struct answer *answer)
{
    struct place *other = &run->places[target];
    if (target < 0) {
        answer->broken = "nobody listens there";
        return;
    }
    use_port(run, place);
    use_port(run, other);
    place->out = new_flow(run, place);
    place->in = other == place ? place->out : new_flow(run, other);
    if (other == place)
        return; /* it is connected to itself, which nobody accepts */
    place->in->closed = other->deaf;
    run->waiting[run->waiting_count++] = (struct waiting){
        .client = place->local, .target = other->number, .out = place->out, .in = place->in};
}

/* Whether a connection to another place, or a path, is something that the worlds agree on. */
static bool may_connect(const struct run *run, const struct op *op)
{
    if (op->other >= PATH)
        return true;
    /* The same two ports may have been connected before, and one of them lingers. */
    if (run->places[op->place].rebound && !sort_is_datagram(run->places[op->place].sort))
        return false;
    uint8_t one = run->places[op->place].sort;
    uint8_t two = run->places[op->other].sort;
    return sort_is_datagram(one) == sort_is_datagram(two) ||
           (sort_is_unix(one) && sort_is_unix(two));
}

/* Whom a connection is to: who listens at the name, or has the port, which may be who connects. */
static int target_of(struct run *run, const struct op *op, const tl_addr *addr)
{
    const struct place *place = &run->places[op->place];
    if (place->sort == SORT_UNIX)
        return name_listener(run, addr);
    if (name_same(addr, &place->local))
        return op->place;
    for (int i = 0; i < PLACES; i++) /* the address may be somebody else's by now */
        if (run->places[i].fd >= 0 && run->places[i].listening &&
            name_same(addr, &run->places[i].local))
            return i;
    return op->other;
}

static void do_connect(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    tl_addr addr;
    if (!name_of(run, op, &addr) || !may_connect(run, op)) {
        answer->skipped = true;
        return;
    }
    int target = target_of(run, op, &addr);
    answer->result = run->kernel->ops->connect(run->kernel, place->fd, &addr);
    name_learn(run, op->place);
    bool begun = place->sort == SORT_UNIX ? answer->result == 0 : answer->result == -EINPROGRESS;
    if (begun && !sort_is_datagram(place->sort))
        begin_connection(run, place, target, answer);
}

/* Streams are another matter: a TCP socket would be reset. */
static void do_disconnect(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    answer->skipped = !sort_is_datagram(place->sort);
    if (!answer->skipped)
        answer->result = run->kernel->ops->connect(run->kernel, place->fd, &(tl_addr){0});
}

/* The connection that was accepted: by its client's port, or the oldest to this listener. */
static struct waiting *find_waiting(struct run *run, const struct place *listener,
                                    const tl_addr *peer)
{
    bool local = listener->sort == SORT_UNIX;
    for (unsigned i = 0; i < run->waiting_count; i++) {
        struct waiting *at = &run->waiting[local ? i : run->waiting_count - 1 - i];
        bool fits = local ? at->target == listener->number : name_same(peer, &at->client);
        if (fits && !at->over)
            return at;
    }
    return NULL;
}

static void do_accept(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *listener = &run->places[op->other];
    tl_addr peer = {0};
    if (listener->fd < 0 || sort_is_datagram(listener->sort)) {
        answer->skipped = true;
        return;
    }
    int fd = run->kernel->ops->accept(run->kernel, listener->fd, &peer);
    answer->result = fd < 0 ? fd : 0;
    if (fd < 0)
        return;
    struct waiting *waiting = find_waiting(run, listener, &peer);
    place_fill(run, op->place, fd, listener->sort);
    run->places[op->place].reuses = listener->reuses;
    use_port(run, &run->places[op->place]);
    name_learn(run, op->place);
    name_note(run, listener->sort, &peer, answer->note, sizeof answer->note);
    if (waiting == NULL) {
        answer->broken = "nobody made this connection";
        return;
    }
    waiting->over = true;
    run->places[op->place].out = waiting->in;
    run->places[op->place].in = waiting->out;
}

/* Notes that a place writes or reads no more. True when what that does depends on how much of a
 * crowded flow has arrived: bytes are refused or lost, or both ends are over but for what comes. */
static bool end(struct place *place, bool writing, bool reading, bool closing)
{
    struct flow *in = place->in;
    struct flow *out = place->out;
    if (in == NULL || out == NULL)
        return false;
    out->ended = out->ended || writing;
    out->closed = out->closed || reading;
    bool unread = flow_under_way(in) > 0;
    bool uncertain = flow_is_uncertain(in) || flow_is_uncertain(out);
    if (closing ? unread && uncertain : reading && flow_is_uncertain(in))
        return true;
    return in->ended && out->ended && uncertain;
}

static void do_shutdown(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    bool reading = op->what != TL_SHUTDOWN_WRITE;
    answer->beyond = end(place, op->what != TL_SHUTDOWN_READ, reading, false);
    answer->result = run->kernel->ops->shutdown(run->kernel, place->fd, (enum tl_shutdown)op->what);
    if (reading && !place->listening && !sort_is_unix(place->sort))
        place->deaf = true;
    if (reading)
        place->listening = false;
}

static void do_option(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    int got = -1;
    const int *set = op->kind == OP_SET ? &op->value : NULL;
    answer->result =
        run->kernel->ops->option(run->kernel, place->fd, (enum tl_option)op->what, set, &got);
    /* What a buffer is before it was set is the machine's business. */
    bool buffer = op->what == TL_OPTION_SNDBUF || op->what == TL_OPTION_RCVBUF;
    if (answer->result == 0 && !(buffer && op->kind == OP_GET))
        snprintf(answer->note, sizeof answer->note, " %s",
                 op->what == TL_OPTION_ERROR && got > 0 ? tl_err_name(-got)
                 : got                                  ? "set"
                                                        : "unset");
    if (answer->result == 0 && buffer && op->kind == OP_SET)
        snprintf(answer->note, sizeof answer->note, " %d", got);
    if (answer->result != 0 || op->kind != OP_SET)
        return;
    if (op->what == TL_OPTION_REUSEPORT)
        place->shares = op->value != 0;
    if (op->what == TL_OPTION_REUSEADDR)
        place->reuses = op->value != 0;
    if (place->port_used)
        use_port(run, place);
    if (op->what == TL_OPTION_SNDBUF && (size_t)op->value < place->send_room)
        place->send_room = (size_t)op->value;
    if (place->out != NULL && place->out->room > place->send_room)
        place->out->room = place->send_room;
}

static void do_name(struct run *run, const struct op *op, struct answer *answer)
{
    tl_addr addr;
    enum tl_address_side side = op->kind == OP_LOCAL ? TL_ADDRESS_LOCAL : TL_ADDRESS_PEER;
    answer->result = run->kernel->ops->address(run->kernel, run->places[op->place].fd, side, &addr);
    if (answer->result == 0)
        name_note(run, run->places[op->place].sort, &addr, answer->note, sizeof answer->note);
}

static void do_watch(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    answer->result = run->kernel->ops->watch(run->kernel, place->fd, op->what, place);
    place->watched = op->what;
}

static void do_close(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    answer->amount_loose = place->in != NULL && flow_is_uncertain(place->in);
    answer->before = place->in != NULL ? flow_under_way(place->in) : 0;
    answer->beyond = end(place, true, true, true);
    answer->result = run->kernel->ops->close(run->kernel, place->fd);
    place->fd = -1;
    place->listening = false;
}

static void do_pair(struct run *run, const struct op *op, struct answer *answer)
{
    bool pair = op->kind == OP_PAIR;
    int fds[2];
    answer->result =
        run->kernel->ops->pipe(run->kernel, pair ? TL_PIPE_STREAM_PAIR : TL_PIPE_ONE_WAY, fds);
    if (answer->result < 0)
        return;
    struct place *one = &run->places[op->place];
    struct place *two = &run->places[op->other];
    place_fill(run, op->place, fds[0], pair ? SORT_UNIX : SORT_PIPE);
    place_fill(run, op->other, fds[1], pair ? SORT_UNIX : SORT_PIPE);
    two->out = one->in = new_flow(run, two);
    if (pair)
        one->out = two->in = new_flow(run, one);
}

static const struct {
    void (*run)(struct run *run, const struct op *op, struct answer *answer);
    bool fills; /* needs an empty place */
    bool pairs; /* needs two */
} doers[OP_KINDS] = {
    [OP_SOCKET] = {do_socket, true, false},
    [OP_BIND] = {do_bind, false, false},
    [OP_LISTEN] = {do_listen, false, false},
    [OP_CONNECT] = {do_connect, false, false},
    [OP_ACCEPT] = {do_accept, true, false},
    [OP_WRITE] = {place_write, false, false},
    [OP_READ] = {place_read, false, false},
    [OP_SEND_TO] = {place_write, false, false},
    [OP_SHUTDOWN] = {do_shutdown, false, false},
    [OP_SET] = {do_option, false, false},
    [OP_GET] = {do_option, false, false},
    [OP_LOCAL] = {do_name, false, false},
    [OP_PEER] = {do_name, false, false},
    [OP_WATCH] = {do_watch, false, false},
    [OP_CLOSE] = {do_close, false, false},
    [OP_PIPE] = {do_pair, true, true},
    [OP_PAIR] = {do_pair, true, true},
    [OP_DISCONNECT] = {do_disconnect, false, false},
    [OP_SEND_MANY] = {place_send_many, false, false},
    [OP_READ_MANY] = {place_read_many, false, false},
    [OP_OPEN] = {file_open, true, false},
    [OP_PREAD] = {file_pread, false, false},
    [OP_PWRITE] = {file_pwrite, false, false},
    [OP_FSYNC] = {file_fsync, false, false},
    [OP_STAT] = {file_stat, false, false},
    [OP_UNLINK] = {file_unlink, false, false},
    [OP_RENAME] = {file_rename, false, false},
    [OP_SENDFILE] = {place_write, false, false},
};

void place_do(struct run *run, const struct op *op, struct answer *answer)
{
    bool empty = run->places[op->place].fd < 0;
    bool possible = !op_has_place(op->kind) || empty == doers[op->kind].fills;
    if (doers[op->kind].pairs && (op->other == op->place || run->places[op->other].fd >= 0))
        possible = false;
    if (possible)
        doers[op->kind].run(run, op, answer);
    else
        answer->skipped = true;
}

/* --- Looking ---------------------------------------------------------------------------------- */

void places_look(struct run *run, uint8_t ready[PLACES])
{
    struct tl_event events[2 * PLACES];
    for (int i = 0; i < PLACES; i++)
        run->places[i].ready = run->places[i].fd < 0 ? READY_NONE : 0;
    int count = run->kernel->ops->poll(run->kernel, 0, events, 2 * PLACES);
    assert(count >= 0);
    for (int i = 0; i < count; i++)
        ((struct place *)events[i].token)->ready = (uint8_t)events[i].ready;
    for (int i = 0; i < PLACES; i++)
        ready[i] = run->places[i].ready;
}

/* Whether none of what is under way is where it can be read. */
static bool has_nothing(const struct run *run, const struct flow *flow)
{
    for (int i = 0; i < PLACES; i++) {
        const struct place *place = &run->places[i];
        int unread = 0;
        if (place->fd >= 0 && place->in == flow)
            return ioctl(place->fd, SIOCINQ, &unread) == 0 && unread == 0;
    }
    return false;
}

struct stillness places_stillness(struct run *run)
{
    struct stillness ret;
    memset(&ret, 0, sizeof ret);
    places_look(run, ret.ready);
    for (int i = 0; i < PLACES; i++) {
        const struct place *place = &run->places[i];
        int unsent = 0;
        if (place->fd < 0 || place->ready & (TL_HANGUP | TL_FAULT))
            continue; /* of a connection that is over, the numbers mean nothing */
        (void)ioctl(place->fd, SIOCOUTQ, &ret.out[i]);
        if (!sort_is_datagram(place->sort)) /* looking there takes a batch of datagrams over */
            (void)ioctl(place->fd, SIOCINQ, &ret.in[i]);
        bool network = place->out != NULL && place->out->network;
        if (network && ioctl(place->fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0)
            ret.moving = ret.moving || !place->out->crowded || has_nothing(run, place->out);
    }
    return ret;
}
