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

/* --- Names ------------------------------------------------------------------------------------ */

static const char *host_text(const struct run *run, const tl_addr *addr)
{
    static const unsigned char none[16];
    static const unsigned char first[16] = {127, 0, 0, 1};
    static const unsigned char first6[16] = {[15] = 1};
    if (addr->family == TL_FAMILY_UNIX)
        return addr->len == 0 ? "unnamed" : "name";
    if (memcmp(addr->data, none, 16) == 0)
        return "any";
    if (memcmp(addr->data, run->loopback.data, 16) == 0)
        return "loopback";
    if (memcmp(addr->data, first, 16) == 0)
        return "127.0.0.1";
    return memcmp(addr->data, first6, 16) == 0 ? "::1" : "elsewhere";
}

/* Whether two addresses have the same port, or are the same name. */
static bool same_door(const tl_addr *one, const tl_addr *two)
{
    if (one->family == TL_FAMILY_UNIX)
        return tl_addr_equal(one, two);
    return two->family != TL_FAMILY_UNIX && two->family != TL_FAMILY_NONE && one->port == two->port;
}

/* An address in words that are the same in both worlds: the port is the first place's that has it.
 */
static void note_address(const struct run *run, uint8_t sort, const tl_addr *addr, char *note,
                         size_t size)
{
    const char *host = host_text(run, addr);
    bool no_door = addr->family == TL_FAMILY_UNIX ? addr->len == 0 : addr->port == 0;
    if (no_door) {
        snprintf(note, size, " %d %s", addr->family, host);
        return;
    }
    for (int i = 0; i < PLACES; i++) {
        const struct place *place = &run->places[i];
        if (sort_is_datagram(place->sort) == sort_is_datagram(sort) &&
            same_door(addr, &place->local)) {
            snprintf(note, size, " %d %s @%d", addr->family, host, i);
            return;
        }
    }
    snprintf(note, size, " %d %s of nobody", addr->family, host);
}

/* Learns where a place is bound, if it is. */
static void learn_name(struct run *run, int index)
{
    struct place *place = &run->places[index];
    tl_addr addr;
    if (place->fd < 0 ||
        run->kernel->ops->address(run->kernel, place->fd, TL_ADDRESS_LOCAL, &addr) < 0)
        return;
    if (addr.family == TL_FAMILY_UNIX ? addr.len > 0 : addr.port != 0)
        place->local = addr;
}

/* --- Places ----------------------------------------------------------------------------------- */

static void fill(struct run *run, int index, int fd, uint8_t sort)
{
    struct place *place = &run->places[index];
    *place = (struct place){
        .fd = fd,
        .sort = sort,
        .watched = TL_READABLE | TL_WRITABLE,
        .send_room = ROOM_DEFAULT,
    };
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

/* Another place's address as one to connect or bind to; false: it never had one. Who is everywhere
 * is on this run's loopback, also for sockets of IPv4 when it is of IPv6. */
static bool address_of(const struct run *run, const struct op *op, tl_addr *ret)
{
    static const unsigned char none[16];
    uint8_t sort = run->places[op->place].sort;
    *ret = run->places[op->other].local;
    bool any = (ret->family == TL_FAMILY_INET || ret->family == TL_FAMILY_INET6) &&
               memcmp(ret->data, none, 16) == 0;
    if (any && (sort == SORT_TCP || sort == SORT_UDP)) {
        uint16_t port = ret->port;
        *ret = run->loopback;
        ret->port = port;
    }
    return ret->family != TL_FAMILY_NONE;
}

static tl_addr fresh_address(const struct run *run, const struct op *op, uint8_t sort)
{
    tl_addr addr = run->loopback;
    if (sort == SORT_TCP6 || sort == SORT_UDP6) {
        int r = tl_addr_parse(op->what == BIND_ANY ? "::" : "::1", 0, &addr);
        assert(r == 0);
        (void)r;
    } else if (sort == SORT_UNIX) {
        addr = (tl_addr){.family = TL_FAMILY_UNIX, .len = 32};
        snprintf((char *)addr.data + 1, sizeof addr.data - 1, "fidelity-%08x-%02u", run->unique,
                 run->op);
    } else if (op->what == BIND_ANY) {
        memset(addr.data, 0, sizeof addr.data);
    }
    return addr;
}

/* --- Operations ------------------------------------------------------------------------------- */

static void do_socket(struct run *run, const struct op *op, struct answer *answer)
{
    static const uint8_t families[SORTS] = {
        [SORT_TCP] = TL_FAMILY_INET,   [SORT_TCP6] = TL_FAMILY_INET6, [SORT_UDP] = TL_FAMILY_INET,
        [SORT_UDP6] = TL_FAMILY_INET6, [SORT_UNIX] = TL_FAMILY_UNIX,
    };
    int fd = run->kernel->ops->socket(run->kernel, (enum tl_family)families[op->what],
                                      sort_is_datagram(op->what) ? TL_DATAGRAM : TL_STREAM);
    answer->result = fd < 0 ? fd : 0;
    if (fd >= 0)
        fill(run, op->place, fd, op->what);
}

/* A port that has had connections is left alone: some may linger there, which a simulated port
 * never knows. So is one that its listener shares, and another protocol's, which says nothing. */
static bool may_bind_there(const struct place *other, const struct place *place)
{
    if (sort_is_datagram(other->sort) != sort_is_datagram(place->sort))
        return false;
    if (other->sort != SORT_TCP && other->sort != SORT_TCP6)
        return true;
    return !other->port_used || (other->listening && !(other->shares && place->shares));
}

static void do_bind(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    tl_addr addr;
    if (op->other == op->place) {
        addr = fresh_address(run, op, place->sort);
    } else if (!address_of(run, op, &addr) || !may_bind_there(&run->places[op->other], place)) {
        answer->skipped = true;
        return;
    }
    answer->result = run->kernel->ops->bind(run->kernel, place->fd, &addr);
    learn_name(run, op->place);
}

/* Where delays are at work nobody may find a queue full: it would try again after a second, which
 * is no time for a delay and for ever on the real kernel. */
static void do_listen(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    int backlog = run->manner->whole ? OPS_MAX : op->value;
    answer->result = run->kernel->ops->listen(run->kernel, place->fd, backlog);
    place->listening = place->listening || answer->result == 0;
    learn_name(run, op->place);
}

static void begin_connection(struct run *run, const struct op *op, const tl_addr *target)
{
    struct place *place = &run->places[op->place];
    struct place *other = &run->places[op->other];
    place->port_used = other->port_used = true;
    place->out = new_flow(run, place);
    place->in = new_flow(run, other);
    run->waiting[run->waiting_count++] = (struct waiting){
        .client = place->local, .target = *target, .out = place->out, .in = place->in};
}

static void do_connect(struct run *run, const struct op *op, struct answer *answer)
{
    struct place *place = &run->places[op->place];
    tl_addr addr;
    /* A TCP socket that connects to itself is a thing of its own. */
    const struct place *other = &run->places[op->other];
    bool tcp = place->sort == other->sort && (place->sort == SORT_TCP || place->sort == SORT_TCP6);
    if (!address_of(run, op, &addr) || (tcp && same_door(&addr, &place->local)) ||
        sort_is_datagram(place->sort) != sort_is_datagram(other->sort)) {
        answer->skipped = true;
        return;
    }
    answer->result = run->kernel->ops->connect(run->kernel, place->fd, &addr);
    learn_name(run, op->place);
    bool begun = place->sort == SORT_UNIX ? answer->result == 0 : answer->result == -EINPROGRESS;
    if (begun && !sort_is_datagram(place->sort))
        begin_connection(run, op, &addr);
}

/* The connection that was accepted: by its client's port, or the oldest to this name. */
static struct waiting *find_waiting(struct run *run, const struct place *listener,
                                    const tl_addr *peer)
{
    bool named = listener->sort == SORT_UNIX;
    for (unsigned i = 0; i < run->waiting_count; i++) {
        struct waiting *at = &run->waiting[named ? i : run->waiting_count - 1 - i];
        bool fits =
            named ? tl_addr_equal(&at->target, &listener->local) : same_door(peer, &at->client);
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
    fill(run, op->place, fd, listener->sort);
    run->places[op->place].port_used = true;
    learn_name(run, op->place);
    note_address(run, listener->sort, &peer, answer->note, sizeof answer->note);
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
        note_address(run, run->places[op->place].sort, &addr, answer->note, sizeof answer->note);
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
    for (unsigned i = 0; i < run->waiting_count; i++)
        if (place->listening && place->sort == SORT_UNIX &&
            tl_addr_equal(&run->waiting[i].target, &place->local))
            run->waiting[i].over = true;
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
    fill(run, op->place, fds[0], pair ? SORT_UNIX : SORT_PIPE);
    fill(run, op->other, fds[1], pair ? SORT_UNIX : SORT_PIPE);
    two->out = one->in = new_flow(run, two);
    if (pair)
        one->out = two->in = new_flow(run, one);
}

static const struct {
    void (*run)(struct run *run, const struct op *op, struct answer *answer);
    bool fills; /* needs an empty place */
    bool pairs; /* needs two */
} doers[OP_KINDS] = {
    [OP_SOCKET] = {do_socket, true, false},      [OP_BIND] = {do_bind, false, false},
    [OP_LISTEN] = {do_listen, false, false},     [OP_CONNECT] = {do_connect, false, false},
    [OP_ACCEPT] = {do_accept, true, false},      [OP_WRITE] = {place_write, false, false},
    [OP_READ] = {place_read, false, false},      [OP_SEND_TO] = {place_write, false, false},
    [OP_SHUTDOWN] = {do_shutdown, false, false}, [OP_SET] = {do_option, false, false},
    [OP_GET] = {do_option, false, false},        [OP_LOCAL] = {do_name, false, false},
    [OP_PEER] = {do_name, false, false},         [OP_WATCH] = {do_watch, false, false},
    [OP_CLOSE] = {do_close, false, false},       [OP_PIPE] = {do_pair, true, true},
    [OP_PAIR] = {do_pair, true, true},
};

void place_do(struct run *run, const struct op *op, struct answer *answer)
{
    bool empty = run->places[op->place].fd < 0;
    bool possible = empty == doers[op->kind].fills;
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
        (void)ioctl(place->fd, SIOCINQ, &ret.in[i]);
        bool network = place->out != NULL && place->out->network;
        if (network && ioctl(place->fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0)
            ret.moving = ret.moving || !place->out->crowded || has_nothing(run, place->out);
    }
    return ret;
}
