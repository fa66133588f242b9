/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram endpoints: making them, moving datagrams, and their end. What is queued is in
 * contract_datagram_queue.c, what goes wrong in contract_datagram_errors.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/party.h"

/* --- Making one --- */

/* Of what kind the answer is to who the peer is: asyncio says None, not the default, of nobody. */
static enum tl_value_kind peer_kind(const struct party *party)
{
    const tl_value *peer = tl_transport_get_extra_info(party->transport, "peername", NULL);
    assert_non_null(peer);
    return peer->kind;
}

static void an_endpoint_is_made_with_its_names(struct contract *contract)
{
    struct parties parties;
    parties_open(&parties, contract, NULL);
    assert_string_equal(parties.one.log, "made");
    assert_int_equal(parties.one.addr.family, TL_FAMILY_INET);
    assert_int_not_equal(parties.one.addr.port, 0);
    assert_int_equal(peer_kind(&parties.one), TL_VALUE_NONE);
    assert_non_null(tl_transport_get_extra_info(parties.one.transport, "socket", NULL));
    assert_null(tl_transport_get_extra_info(parties.one.transport, "sslcontext", NULL));
    assert_ptr_equal(tl_transport_get_protocol(parties.one.transport), &parties.one.protocol);
    tl_transport_close(parties.one.transport);
    party_await_end(&parties.one);
    assert_string_equal(parties.one.log, "made lost released");
    const tl_value *name = tl_transport_get_extra_info(parties.one.transport, "sockname", NULL);
    assert_true(tl_addr_equal(name->pointer, &parties.one.addr));
    assert_null(tl_transport_get_protocol(parties.one.transport));
    parties_close(&parties);
}

static void a_remote_address_connects(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.two, parties.loop, &local, NULL, NULL), 0);
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, &parties.two.addr, NULL), 0);
    const tl_value *peer = tl_transport_get_extra_info(parties.one.transport, "peername", NULL);
    assert_true(tl_addr_equal(peer->pointer, &parties.two.addr));
    assert_int_equal(party_send(&parties.one, "to nobody in particular", NULL), 0);
    assert_int_equal(party_send(&parties.one, "to the same", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "to another", &local), -EINVAL);
    party_await(&parties.two, 2);
    assert_string_equal(parties.two.log, "made (to nobody in particu) (to the same)");
    parties_close(&parties);
}

/* What sendto goes to by default, while everybody may answer. */
static void who_may_broadcast_is_not_connected(struct contract *contract)
{
    static const tl_datagram_opts opts = {.allow_broadcast = true};
    tl_addr local = numeric("127.0.0.1", 0), any = numeric("0.0.0.0", 0);
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.two, parties.loop, &any, NULL, NULL), 0);
    tl_addr all = numeric("127.255.255.255", parties.two.addr.port);
    assert_int_equal(party_open(&parties.one, parties.loop, &local, &all, &opts), 0);
    assert_int_equal(peer_kind(&parties.one), TL_VALUE_NONE);
    assert_int_equal(party_send(&parties.one, "all", NULL), 0);
    assert_int_equal(party_send(&parties.one, "else", &local), -EINVAL);
    party_await(&parties.two, 1);
    assert_int_equal(party_send(&parties.two, "answer", &parties.one.addr), 0);
    party_await(&parties.one, 1);
    assert_string_equal(parties.one.log, "made (answer)");
    parties_close(&parties);
}

static void a_family_alone_makes_an_unbound_one(struct contract *contract)
{
    static const tl_datagram_opts opts = {.family = TL_FAMILY_INET};
    tl_addr local = numeric("127.0.0.1", 0);
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, NULL, &opts), 0);
    assert_int_equal(parties.one.addr.port, 0);
    assert_int_equal(party_open(&parties.two, parties.loop, &local, NULL, NULL), 0);
    assert_int_equal(party_send(&parties.one, "x", &parties.two.addr), 0);
    party_await(&parties.two, 1);
    parties_close(&parties);
}

static int reuse_port_of(struct parties *parties, const struct party *party)
{
    struct tl_kernel *kernel = tl_loop_kernel(parties->loop);
    const tl_value *socket = tl_transport_get_extra_info(party->transport, "socket", NULL);
    int value = -1;
    assert_int_equal(
        kernel->ops->option(kernel, (int)socket->integer, TL_OPTION_REUSEPORT, NULL, &value), 0);
    return value;
}

static void ports_may_be_shared(struct contract *contract)
{
    static const tl_datagram_opts opts = {.reuse_port = true};
    tl_addr local = numeric("127.0.0.1", 0);
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.one, parties.loop, &local, NULL, &opts), 0);
    assert_int_equal(party_open(&parties.two, parties.loop, &parties.one.addr, NULL, &opts), 0);
    assert_int_equal(reuse_port_of(&parties, &parties.two), 1);
    assert_true(tl_addr_equal(&parties.one.addr, &parties.two.addr));
    parties_close(&parties);
}

/* Fails to make one, and nothing is left of it. */
static void refuse(struct parties *parties, const tl_addr *local, const tl_addr *remote,
                   const tl_datagram_opts *opts, int code, const char *message)
{
    struct party party = {.loop = parties->loop};
    tl_future *future =
        tl_loop_create_datagram_endpoint(parties->loop, party_factory, &party, local, remote, opts);
    assert_true(tl_future_done(future));
    const tl_error *error = tl_future_exception(future);
    assert_int_equal(error->code, code);
    assert_string_equal(error->message, message);
    tl_future_unref(future);
    assert_string_equal(party.log, "");
}

static tl_protocol *no_factory(void *farg)
{
    (void)farg;
    return NULL;
}

static void arguments_that_do_not_fit_are_refused(struct contract *contract)
{
    static const tl_datagram_opts six = {.family = TL_FAMILY_INET6};
    static const tl_datagram_opts much = {.family = TL_FAMILY_INET, .read_batch = 17};
    tl_addr v4 = numeric("127.0.0.1", 9), v6 = numeric("::1", 9);
    tl_addr foreign = numeric("192.0.2.1", 9), all = numeric("127.255.255.255", 9);
    static const char mixed[] =
        "can not get address information: the addresses are of different families";
    struct parties parties;
    parties_open_loop(&parties, contract);
    refuse(&parties, NULL, NULL, NULL, -EINVAL, "unexpected address family");
    refuse(&parties, &v4, NULL, &six, -EINVAL, mixed);
    refuse(&parties, &v4, &v6, NULL, -EINVAL, mixed);
    refuse(&parties, NULL, NULL, &much, -EINVAL, "read_batch is too large");
    refuse(&parties, &foreign, NULL, NULL, -EADDRNOTAVAIL,
           "error while attempting to bind on address 192.0.2.1:9: "
           "Cannot assign requested address");
    refuse(&parties, NULL, &all, NULL, -EACCES,
           "error while attempting to connect to address 127.255.255.255:9: Permission denied");
    v4.port = 0;
    tl_future *future =
        tl_loop_create_datagram_endpoint(parties.loop, no_factory, NULL, &v4, NULL, NULL);
    assert_int_equal(tl_loop_run_until_complete(parties.loop, future, NULL), -ENOMEM);
    future = tl_loop_create_datagram_endpoint(parties.loop, NULL, NULL, &v4, NULL, NULL);
    assert_int_equal(tl_loop_run_until_complete(parties.loop, future, NULL), -EINVAL);
    parties_close(&parties);
}

static void a_given_socket_is_used_and_closed(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    tl_socket sock, stream;
    const tl_datagram_opts opts = {.sock = &sock}, shared = {.sock = &sock, .reuse_port = true};
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.two, parties.loop, &local, NULL, NULL), 0);
    assert_int_equal(tl_socket_open(parties.loop, TL_FAMILY_INET, TL_DATAGRAM, &sock), 0);
    assert_int_equal(tl_socket_bind(parties.loop, sock, &local), 0);
    refuse(&parties, &local, NULL, &opts, -EINVAL,
           "socket modifier arguments can not be used when sock is specified");
    refuse(&parties, NULL, NULL, &shared, -EINVAL,
           "socket modifier arguments can not be used when sock is specified");
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, NULL, &opts), 0);
    assert_int_equal(party_send(&parties.one, "x", &parties.two.addr), 0);
    party_await(&parties.two, 1);
    assert_int_equal(tl_socket_close(parties.loop, sock), -EBUSY);
    tl_transport_close(parties.one.transport);
    party_await_end(&parties.one);
    tl_transport_unref(parties.one.transport);

    /* A connected one has a remote address; one of streams is refused, and stays the program's. */
    memset(&parties.one, 0, sizeof parties.one);
    assert_int_equal(tl_socket_open(parties.loop, TL_FAMILY_INET, TL_DATAGRAM, &sock), 0);
    struct tl_kernel *kernel = tl_loop_kernel(parties.loop);
    assert_int_equal(kernel->ops->connect(kernel, sock.fd, &parties.two.addr), 0);
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, NULL, &opts), 0);
    assert_int_equal(party_send(&parties.one, "y", NULL), 0);
    assert_int_equal(party_send(&parties.one, "z", &local), -EINVAL);
    party_await(&parties.two, 2);
    assert_int_equal(tl_socket_open(parties.loop, TL_FAMILY_INET, TL_STREAM, &stream), 0);
    refuse(&parties, NULL, NULL, &(tl_datagram_opts){.sock = &stream}, -EINVAL,
           "A socket of datagrams was expected");
    assert_int_equal(tl_socket_close(parties.loop, stream), 0);
    parties_close(&parties);
}

static tl_protocol *stream_factory(void *farg)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_STREAM};
    tl_protocol *protocol = farg;
    *protocol = TL_PROTOCOL_INIT(&ops);
    return protocol;
}

static void a_protocol_must_be_one_of_datagrams(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    tl_protocol protocol;
    struct parties parties;
    parties_open(&parties, contract, NULL);
    tl_future *future = tl_loop_create_datagram_endpoint(parties.loop, stream_factory, &protocol,
                                                         &local, NULL, NULL);
    assert_int_equal(tl_loop_run_until_complete(parties.loop, future, NULL), -EINVAL);
    assert_int_equal(tl_transport_set_protocol(parties.one.transport, &protocol), -EINVAL);
    parties_close(&parties);
}

static void cancelling_closes_what_was_made(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    struct parties parties;
    parties_open_loop(&parties, contract);
    parties.one.loop = parties.loop;
    tl_future *future = tl_loop_create_datagram_endpoint(parties.loop, party_factory, &parties.one,
                                                         &local, NULL, NULL);
    assert_true(tl_future_cancel(future));
    party_await_end(&parties.one);
    assert_string_equal(parties.one.log, "made lost released");
    tl_future_unref(future);
    parties_close(&parties);
}

static void a_loop_may_be_closed_under_it(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    struct parties parties;
    parties_open(&parties, contract, NULL);
    struct party third = {.loop = parties.loop};
    tl_future_detach(
        tl_loop_create_datagram_endpoint(parties.loop, party_factory, &third, &local, NULL, NULL));
    tl_timer_handle_cancel(parties.guard);
    assert_int_equal(tl_loop_close(parties.loop), 0);
    assert_string_equal(parties.one.log, "made released");
    assert_string_equal(third.log, "released");
    assert_int_equal(party_send(&parties.one, "x", &parties.two.addr), TL_ECLOSED);
    parties_close(&parties);
}

/* Nobody has asked before the loop was closed. */
static void names_stay_when_the_loop_is_closed(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    struct party one = {.addr = {.family = TL_FAMILY_NONE}};
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.two, parties.loop, &local, NULL, NULL), 0);
    one.loop = parties.loop;
    tl_future_detach(tl_loop_create_datagram_endpoint(parties.loop, party_factory, &one, NULL,
                                                      &parties.two.addr, NULL));
    loop_turn(parties.loop);
    parties_close(&parties);
    assert_string_equal(one.log, "made released");
    assert_true(tl_transport_is_closing(one.transport));
    const tl_value *own = tl_transport_get_extra_info(one.transport, "sockname", NULL);
    assert_int_equal(own->kind, TL_VALUE_POINTER);
    assert_int_not_equal(((const tl_addr *)own->pointer)->port, 0);
    const tl_value *peer = tl_transport_get_extra_info(one.transport, "peername", NULL);
    assert_true(tl_addr_equal(peer->pointer, &parties.two.addr));
    assert_int_equal(tl_transport_get_extra_info(one.transport, "socket", NULL)->integer, -1);
    tl_transport_unref(one.transport);
}

static tl_protocol *closing_factory(void *farg)
{
    struct party *party = farg;
    assert_int_equal(tl_loop_close(party->loop), 0);
    return party_factory(party);
}

/* Before there is a transport, and as the call itself calls the factory. */
static void a_factory_may_close_the_loop(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    for (int how = 0; how < 3; how++) {
        bool given = how == 1, named = how == 2;
        struct parties parties;
        tl_socket socket = {-1};
        tl_datagram_opts opts = {.sock = given ? &socket : NULL,
                                 .local_host = named ? "127.0.0.1" : NULL};
        parties_open_loop(&parties, contract);
        parties.one.loop = parties.loop;
        if (given)
            assert_int_equal(tl_socket_open(parties.loop, TL_FAMILY_INET, TL_DATAGRAM, &socket), 0);
        tl_timer_handle_cancel(parties.guard);
        tl_future *future = tl_loop_create_datagram_endpoint(
            parties.loop, closing_factory, &parties.one, how == 0 ? &local : NULL, NULL, &opts);
        assert_true(tl_future_done(future));
        assert_int_equal(tl_future_exception(future)->code, TL_ECLOSED);
        tl_future_unref(future);
        assert_string_equal(parties.one.log, "released");
        parties_close(&parties);
    }
}

static void debug_mode_tells_what_was_left_open(struct contract *contract)
{
    struct parties parties;
    parties_open(&parties, contract, NULL);
    tl_loop_set_debug(parties.loop, true);
    tl_transport_close(parties.two.transport);
    party_await_end(&parties.two);
    tl_timer_handle_cancel(parties.guard);
    assert_int_equal(tl_loop_close(parties.loop), 0);
    assert_string_equal(parties.errors, "unclosed transport: \n");
    parties_close(&parties);
}

/* --- Moving datagrams --- */

static int check_source(struct party *party, const char *data, size_t len, const tl_addr *from)
{
    (void)data;
    (void)len;
    party_note(party, "from %u", from->port);
    return 0;
}

static void datagrams_arrive_whole_with_their_source(struct contract *contract)
{
    char expected[100];
    struct parties parties;
    parties_open(&parties, contract, NULL);
    parties.two.deeds.received = check_source;
    assert_int_equal(party_send(&parties.one, "hello", &parties.two.addr), 0);
    assert_int_equal(
        tl_datagram_transport_sendto(parties.one.transport, NULL, 0, &parties.two.addr), 0);
    party_await(&parties.two, 2);
    (void)snprintf(expected, sizeof expected, "made (hello) from %u () from %u",
                   parties.one.addr.port, parties.one.addr.port);
    assert_string_equal(parties.two.log, expected);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 0);
    assert_string_equal(parties.errors, "");
    parties_close(&parties);
}

/* What came between two polls: counted by a callback that is queued when the first of them comes,
 * and runs before the next do. */
static void end_batch(void *arg)
{
    struct party *party = arg;
    assert_in_range(party->received - party->counted, 1, 64);
    party->counted = party->received;
    party->in_batch = false;
}

static int count_batch(struct party *party, const char *data, size_t len, const tl_addr *from)
{
    (void)data;
    (void)len;
    (void)from;
    if (!party->in_batch)
        assert_int_equal(tl_loop_call_soon(party->loop, end_batch, party, NULL), 0);
    party->in_batch = true;
    return 0;
}

static void one_readiness_delivers_at_most_64(struct contract *contract)
{
    static const tl_datagram_opts single = {.family = TL_FAMILY_INET, .read_batch = 1};
    for (int i = 0; i < 2; i++) {
        tl_addr local = numeric("127.0.0.1", 0);
        struct parties parties;
        parties_open_loop(&parties, contract);
        assert_int_equal(party_open(&parties.one, parties.loop, &local, NULL, NULL), 0);
        assert_int_equal(
            party_open(&parties.two, parties.loop, &local, NULL, i == 0 ? NULL : &single), 0);
        parties.two.deeds.received = count_batch;
        for (int n = 0; n < 100; n++)
            assert_int_equal(party_send(&parties.one, "x", &parties.two.addr), 0);
        party_await(&parties.two, 100);
        loop_turn(parties.loop);
        assert_int_equal(parties.two.counted, 100);
        parties_close(&parties);
    }
}

static int close_after_two(struct party *party, const char *data, size_t len, const tl_addr *from)
{
    (void)data;
    (void)len;
    (void)from;
    if (party->received == 1)
        tl_transport_close(party->transport);
    return 0;
}

static void nothing_is_delivered_after_close(struct contract *contract)
{
    struct parties parties;
    parties_open(&parties, contract, NULL);
    parties.two.deeds.received = close_after_two;
    for (int i = 0; i < 5; i++)
        assert_int_equal(party_send(&parties.one, "x", &parties.two.addr), 0);
    party_await_end(&parties.two);
    assert_string_equal(parties.two.log, "made (x) (x) lost released");
    parties_close(&parties);
}

static int fail_once(struct party *party, const char *data, size_t len, const tl_addr *from)
{
    (void)data;
    (void)len;
    (void)from;
    return party->received == 0 ? -EPROTO : 0;
}

static void an_error_of_the_callback_is_reported_and_no_more(struct contract *contract)
{
    struct parties parties;
    parties_open(&parties, contract, NULL);
    parties.two.deeds.received = fail_once;
    assert_int_equal(party_send(&parties.one, "a", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "b", &parties.two.addr), 0);
    party_await(&parties.two, 2);
    assert_string_equal(parties.two.log, "made (a) (b)");
    assert_string_equal(parties.errors,
                        "Exception in callback protocol.datagram_received(): EPROTO\n");
    parties_close(&parties);
}

static void streams_calls_are_not_for_datagrams(struct contract *contract)
{
    struct parties parties;
    parties_open(&parties, contract, NULL);
    tl_transport *transport = parties.one.transport;
    assert_int_equal(tl_transport_write(transport, "x", 1), -EOPNOTSUPP);
    assert_int_equal(tl_transport_writelines(transport, &(tl_buf){"x", 1}, 1), -EOPNOTSUPP);
    assert_int_equal(tl_transport_pause_reading(transport), -EOPNOTSUPP);
    assert_false(tl_transport_can_write_eof(transport));
    assert_int_equal(tl_transport_write_eof(transport), -EOPNOTSUPP);
    assert_int_equal(tl_datagram_transport_sendto(NULL, "x", 1, NULL), -EINVAL);
    assert_int_equal(tl_datagram_transport_sendto(transport, NULL, 1, &parties.two.addr), -EINVAL);
    tl_datagram_transport_abort(NULL);
    parties_close(&parties);
}

/* --- The allocation ladder --- */

static void climb(struct parties *parties, bool batch)
{
    const tl_datagram_opts opts = {.batch_sends = batch};
    tl_addr local = numeric("::1", 0);
    if (party_open(&parties->one, parties->loop, &local, NULL, NULL) < 0 ||
        party_open(&parties->two, parties->loop, &local, NULL, &opts) < 0)
        return;
    int r = party_send(&parties->two, "x", &parties->one.addr);
    bool named = parties->one.addr.family != TL_FAMILY_NONE; /* there was memory for that */
    assert_true(named ? r == 0 || r == -ENOMEM : r == -EDESTADDRREQ);
    parties->one.stop_at_end = true;
    /* What could not be sent does not arrive: nobody waits for it. */
    for (int i = 0; i < 20; i++)
        (void)loop_try_turn(parties->loop);
}

static void every_allocation_may_fail(struct contract *contract)
{
    for (int batch = 0; batch < 2; batch++) {
        struct parties parties;
        parties_open_loop(&parties, contract);
        ladder_arm(contract->ladder);
        climb(&parties, batch);
        ladder_disarm(contract->ladder);
        parties_close(&parties);
        /* Whoever was made is released. */
        assert_true(strstr(parties.one.log, "made") == NULL ||
                    strstr(parties.one.log, "released") != NULL);
    }
}

static const struct contract_case cases[] = {
    CONTRACT(an_endpoint_is_made_with_its_names),
    CONTRACT(a_remote_address_connects),
    CONTRACT(who_may_broadcast_is_not_connected),
    CONTRACT(a_family_alone_makes_an_unbound_one),
    CONTRACT(ports_may_be_shared),
    CONTRACT(arguments_that_do_not_fit_are_refused),
    CONTRACT(a_given_socket_is_used_and_closed),
    CONTRACT(a_protocol_must_be_one_of_datagrams),
    CONTRACT(cancelling_closes_what_was_made),
    CONTRACT(a_loop_may_be_closed_under_it),
    CONTRACT(names_stay_when_the_loop_is_closed),
    CONTRACT(a_factory_may_close_the_loop),
    CONTRACT(debug_mode_tells_what_was_left_open),
    CONTRACT(datagrams_arrive_whole_with_their_source),
    CONTRACT(one_readiness_delivers_at_most_64),
    CONTRACT(nothing_is_delivered_after_close),
    CONTRACT(an_error_of_the_callback_is_reported_and_no_more),
    CONTRACT(streams_calls_are_not_for_datagrams),
    CONTRACT_LADDER(every_allocation_may_fail, 10),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagram", cases, sizeof cases / sizeof *cases);
}
