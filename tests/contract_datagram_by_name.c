/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram endpoints whose sides have names: what is looked up in which order, which family is
 * taken, what is said when none will do, and being called off at every step.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "support/answers.h"
#include "support/party.h"

struct names {
    struct parties parties;
    struct answers answers;
};

/* A loop whose resolver answers what the test says. */
static void open_names(struct names *names, struct contract *contract)
{
    memset(names, 0, sizeof *names);
    parties_open_loop(&names->parties, contract);
    names->parties.one.loop = names->parties.loop;
    answers_apply(&names->answers, tl_loop_kernel(names->parties.loop));
}

/* The same, with the second party at an address of the loopback. */
static void open_with_other(struct names *names, struct contract *contract, const char *host)
{
    tl_addr local = numeric(host, 0);

    open_names(names, contract);
    assert_int_equal(party_open(&names->parties.two, names->parties.loop, &local, NULL, NULL), 0);
}

static int open_one(struct names *names, const tl_addr *local, const tl_addr *remote,
                    const tl_datagram_opts *opts)
{
    return party_open(&names->parties.one, names->parties.loop, local, remote, opts);
}

static tl_future *start(struct names *names, const tl_datagram_opts *opts)
{
    return tl_loop_create_datagram_endpoint(names->parties.loop, party_factory, &names->parties.one,
                                            NULL, NULL, opts);
}

/* Fails, and leaves nothing. Takes the future. */
static void expect(struct names *names, tl_future *future, int code, const char *message)
{
    size_t sockets = names->answers.sockets_count;
    int r = tl_loop_run_until_complete(names->parties.loop, tl_future_ref(future), NULL);

    assert_int_equal(r, code);
    if (message != NULL)
        assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
    assert_int_equal(names->answers.sockets_count, sockets);
    assert_string_equal(names->parties.one.log, "");
}

/* --- Addresses -------------------------------------------------------------------------------- */

static void numbers_are_not_looked_up(struct contract *contract)
{
    char port[8];
    struct names names;

    open_with_other(&names, contract, "127.0.0.1");
    snprintf(port, sizeof port, "%u", names.parties.two.addr.port);
    const tl_datagram_opts opts = {
        .local_host = "127.0.0.1", .remote_host = "127.0.0.1", .remote_port = port};
    assert_int_equal(open_one(&names, NULL, NULL, &opts), 0);
    assert_int_equal(names.answers.lookups, 0);
    assert_int_not_equal(names.parties.one.addr.port, 0);
    assert_int_equal(party_send(&names.parties.one, "hello", NULL), 0);
    party_await(&names.parties.two, 1);
    assert_int_equal(party_send(&names.parties.two, "hello back", &names.parties.one.addr), 0);
    party_await(&names.parties.one, 1);
    assert_string_equal(names.parties.one.log, "made (hello back)");
    parties_close(&names.parties);
}

/* The local one first; one side may have an address, and the other a name. */
static void both_sides_are_looked_up(struct contract *contract)
{
    static const tl_datagram_opts both = {.local_host = "localhost", .remote_host = "localhost"};
    static const tl_datagram_opts remote = {.remote_host = "localhost"};
    struct names names;

    for (int named = 1; named <= 2; named++) {
        open_with_other(&names, contract, "127.0.0.1");
        tl_addr local = numeric("127.0.0.1", 0);
        answers_add(&names.answers, 0, named == 2 ? local : names.parties.two.addr);
        answers_add(&names.answers, 1, names.parties.two.addr);
        assert_int_equal(named == 2 ? open_one(&names, NULL, NULL, &both)
                                    : open_one(&names, &local, NULL, &remote),
                         0);
        assert_int_equal(names.answers.lookups, named);
        const tl_value *peer =
            tl_transport_get_extra_info(names.parties.one.transport, "peername", NULL);
        assert_true(tl_addr_equal(peer->pointer, &names.parties.two.addr));
        assert_int_equal(party_send(&names.parties.one, "x", NULL), 0);
        party_await(&names.parties.two, 1);
        parties_close(&names.parties);
    }
}

static void the_family_that_both_sides_have(struct contract *contract)
{
    static const tl_datagram_opts opts = {.local_host = "localhost", .remote_host = "localhost"};
    struct names names;

    open_with_other(&names, contract, "127.0.0.1");
    answers_add(&names.answers, 0, numeric("::1", 0));
    answers_add(&names.answers, 0, numeric("127.0.0.1", 0));
    answers_add(&names.answers, 1, names.parties.two.addr);
    assert_int_equal(open_one(&names, NULL, NULL, &opts), 0);
    assert_int_equal(names.parties.one.addr.family, TL_FAMILY_INET);
    assert_int_equal(names.answers.connects_count, 1);
    parties_close(&names.parties);
}

static void sides_without_a_common_family(struct contract *contract)
{
    static const tl_datagram_opts opts = {.local_host = "localhost", .remote_host = "localhost"};
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, numeric("::1", 0));
    answers_add(&names.answers, 1, numeric("127.0.0.1", 9));
    expect(&names, start(&names, &opts), -EINVAL,
           "can not get address information: the addresses are of different families");
    parties_close(&names.parties);
}

/* An address that is not this host's, of each family. */
static void add_foreign(struct names *names, unsigned turn)
{
    answers_add(&names->answers, turn, numeric("192.0.2.1", 0));
    answers_add(&names->answers, turn, numeric("2001:db8::1", 0));
}

static void the_next_family_is_tried(struct contract *contract)
{
    static const tl_datagram_opts opts = {.local_host = "localhost"};
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, numeric("2001:db8::1", 0));
    answers_add(&names.answers, 0, numeric("127.0.0.1", 0));
    assert_int_equal(open_one(&names, NULL, NULL, &opts), 0);
    assert_int_equal(names.parties.one.addr.family, TL_FAMILY_INET);
    assert_int_equal(names.answers.sockets_count, 1);
    parties_close(&names.parties);
}

static void the_first_error_is_told(struct contract *contract)
{
    static const tl_datagram_opts opts = {.local_host = "localhost"};
    struct names names;

    open_names(&names, contract);
    add_foreign(&names, 0);
    expect(&names, start(&names, &opts), -EADDRNOTAVAIL,
           "error while attempting to bind on address 192.0.2.1:0: "
           "Cannot assign requested address");
    parties_close(&names.parties);
}

/* One that may broadcast has the first address to send to by default. */
static void a_name_to_broadcast_to(struct contract *contract)
{
    static const tl_datagram_opts opts = {.remote_host = "localhost", .allow_broadcast = true};
    struct names names;

    open_with_other(&names, contract, "127.0.0.1");
    answers_add(&names.answers, 0, names.parties.two.addr);
    assert_int_equal(open_one(&names, NULL, NULL, &opts), 0);
    assert_int_equal(names.answers.connects_count, 0);
    assert_int_equal(party_send(&names.parties.one, "x", NULL), 0);
    party_await(&names.parties.two, 1);
    parties_close(&names.parties);
}

/* --- The lookup ------------------------------------------------------------------------------- */

static void the_resolver_is_told_what_is_wanted(struct contract *contract)
{
    static const tl_datagram_opts opts = {
        .family = TL_FAMILY_INET, .local_port = "0", .flags = TL_AI_PASSIVE | TL_AI_NUMERICSERV};
    struct names names;

    open_names(&names, contract);
    names.answers.real = true;
    assert_int_equal(open_one(&names, NULL, NULL, &opts), 0);
    assert_int_equal(names.answers.lookups, 1);
    assert_int_equal(names.answers.hints.family, TL_FAMILY_INET);
    assert_int_equal(names.answers.hints.type, TL_DATAGRAM);
    assert_int_equal(names.answers.hints.flags, TL_AI_PASSIVE | TL_AI_NUMERICSERV);
    assert_string_equal(names.answers.service, "0");
    tl_addr any = numeric("0.0.0.0", names.parties.one.addr.port);
    assert_true(tl_addr_equal(&names.parties.one.addr, &any));
    parties_close(&names.parties);
}

static void names_that_cannot_be_looked_up(struct contract *contract)
{
    static const tl_datagram_opts opts = {.local_host = "localhost", .remote_host = "localhost"};
    static const tl_datagram_opts port = {.local_host = "127.0.0.1", .local_port = "65536"};
    char message[128];
    struct names names;

    open_names(&names, contract);
    names.answers.answers[0].result = TL_EAI_NONAME;
    snprintf(message, sizeof message, "looking up \"localhost\", service \"\": %s",
             tl_strerror(TL_EAI_NONAME));
    expect(&names, start(&names, &opts), TL_EAI_NONAME, message);
    /* Neither name is answered by any address; then only the remote one. */
    expect(&names, start(&names, &opts), TL_EAI_NODATA, NULL);
    names.answers.lookups = 0;
    names.answers.answers[0].result = 0;
    answers_add(&names.answers, 0, numeric("127.0.0.1", 0));
    expect(&names, start(&names, &opts), TL_EAI_NODATA, NULL);
    assert_int_equal(names.answers.lookups, 2);
    expect(&names, start(&names, &port), -EINVAL,
           "the port is not a number from 0 to 65535, nor a name");
    tl_future *gone = tl_loop_shutdown_default_executor(names.parties.loop);
    assert_int_equal(tl_loop_run_until_complete(names.parties.loop, gone, NULL), 0);
    expect(&names, start(&names, &opts), TL_ESTATE, "Executor shutdown has been called");
    parties_close(&names.parties);
}

static void refuse(struct names *names, const tl_addr *local, const tl_addr *remote,
                   const tl_datagram_opts *opts, const char *message)
{
    expect(names,
           tl_loop_create_datagram_endpoint(names->parties.loop, party_factory, &names->parties.one,
                                            local, remote, opts),
           -EINVAL, message);
}

static void arguments_that_do_not_fit_are_refused(struct contract *contract)
{
    static const char either[] = "a side of the endpoint has either an address or a host and port";
    static const char modifier[] =
        "socket modifier arguments can not be used when sock is specified";
    static const tl_datagram_opts local = {.local_host = "localhost"};
    static const tl_datagram_opts remote = {.remote_port = "9"};
    static const tl_datagram_opts path = {.family = TL_FAMILY_UNIX, .local_host = "localhost"};
    tl_addr addr = numeric("127.0.0.1", 9);
    tl_socket sock;
    struct names names;

    open_names(&names, contract);
    assert_int_equal(tl_socket_open(names.parties.loop, TL_FAMILY_INET, TL_DATAGRAM, &sock), 0);
    const tl_datagram_opts given = {.sock = &sock, .remote_host = "localhost"};
    const tl_datagram_opts flags = {.sock = &sock, .flags = TL_AI_PASSIVE};
    refuse(&names, &addr, NULL, &local, either);
    refuse(&names, NULL, &addr, &remote, either);
    refuse(&names, NULL, NULL, &path, "unexpected address family");
    refuse(&names, NULL, NULL, &given, modifier);
    refuse(&names, NULL, NULL, &flags, modifier);
    assert_int_equal(names.answers.lookups, 0);
    parties_close(&names.parties);
}

/* As every kernel knows it. */
static void localhost_is_known(struct contract *contract)
{
    char port[8];
    struct names names;

    open_with_other(&names, contract, "127.0.0.1");
    names.answers.real = true;
    snprintf(port, sizeof port, "%u", names.parties.two.addr.port);
    const tl_datagram_opts opts = {
        .family = TL_FAMILY_INET, .remote_host = "localhost", .remote_port = port};
    assert_int_equal(open_one(&names, NULL, NULL, &opts), 0);
    assert_int_equal(names.answers.lookups, 1);
    assert_int_equal(party_send(&names.parties.one, "x", NULL), 0);
    party_await(&names.parties.two, 1);
    assert_string_equal(names.parties.two.log, "made (x)");
    parties_close(&names.parties);
}

/* --- Called off ------------------------------------------------------------------------------- */

static const tl_datagram_opts localhosts = {.local_host = "localhost", .remote_host = "localhost"};

/* Up to a lookup, of which nothing has come yet; 0: up to the transport. */
static tl_future *start_up_to(struct names *names, struct contract *contract, unsigned lookups)
{
    open_names(names, contract);
    answers_add(&names->answers, 0, numeric("127.0.0.1", 0));
    answers_add(&names->answers, 1, numeric("127.0.0.1", 9));
    tl_future *future = start(names, &localhosts);
    while (lookups > 0 ? names->answers.lookups < lookups : names->answers.sockets_count == 0)
        loop_turn(names->parties.loop);
    assert_false(tl_future_done(future));
    return future;
}

static void cancelled_at_every_step(struct contract *contract)
{
    struct names names;

    for (unsigned lookups = 0; lookups <= 2; lookups++) {
        tl_future *future = start_up_to(&names, contract, lookups);
        assert_true(tl_future_cancel(future));
        assert_int_equal(names.answers.given_up, lookups > 0);
        assert_int_equal(tl_loop_run_until_complete(names.parties.loop, future, NULL), -ECANCELED);
        if (lookups == 0)
            party_await_end(&names.parties.one);
        assert_int_equal(names.answers.sockets_count, 0);
        assert_string_equal(names.parties.one.log, lookups == 0 ? "made lost released" : "");
        parties_close(&names.parties);
    }
}

static void closed_at_every_step(struct contract *contract)
{
    struct names names;

    for (unsigned lookups = 0; lookups <= 2; lookups++) {
        tl_future *future = start_up_to(&names, contract, lookups);
        tl_timer_handle_cancel(names.parties.guard);
        assert_int_equal(tl_loop_close(names.parties.loop), 0);
        assert_false(tl_future_done(future));
        assert_true(tl_future_cancel(future));
        tl_future_unref(future);
        assert_string_equal(names.parties.one.log, lookups == 0 ? "released" : "");
        parties_close(&names.parties);
    }
}

/* Then nobody would have the endpoint. */
static void a_future_that_is_finished_by_others(struct contract *contract)
{
    struct names names;
    tl_future *future = start_up_to(&names, contract, 2);

    assert_int_equal(tl_future_set_result(future, tl_value_int(1)), 0);
    tl_future_unref(future);
    tl_future *other = tl_loop_getaddrinfo(names.parties.loop, "localhost", NULL, NULL);
    assert_int_equal(tl_loop_run_until_complete(names.parties.loop, other, NULL), 0);
    loop_turn(names.parties.loop);
    parties_close(&names.parties);
    assert_int_equal(names.answers.sockets_count, 0);
    assert_string_equal(names.parties.one.log, "");
}

static const struct contract_case cases[] = {
    CONTRACT(numbers_are_not_looked_up),
    CONTRACT(both_sides_are_looked_up),
    CONTRACT(the_family_that_both_sides_have),
    CONTRACT(sides_without_a_common_family),
    CONTRACT(the_next_family_is_tried),
    CONTRACT(the_first_error_is_told),
    CONTRACT(a_name_to_broadcast_to),
    CONTRACT(the_resolver_is_told_what_is_wanted),
    CONTRACT(names_that_cannot_be_looked_up),
    CONTRACT(arguments_that_do_not_fit_are_refused),
    CONTRACT(localhost_is_known),
    CONTRACT(cancelled_at_every_step),
    CONTRACT(closed_at_every_step),
    CONTRACT(a_future_that_is_finished_by_others),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagram by name", cases, sizeof cases / sizeof *cases);
}
