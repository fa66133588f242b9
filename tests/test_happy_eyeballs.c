/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy eyeballs in virtual time: who is tried when, who wins, and what becomes of the others, in
 * networks where addresses are black holes, slow, or refuse.
 *
 * The client is a guest on a host with an address of each family; servers are processes on hosts of
 * their own, on port 80. A lookup takes a millisecond, a round trip 0.4 ms unless a link says more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "support/answers.h"

#define DELAY (250 * TL_MILLISECOND)
#define LOOKUP TL_MILLISECOND
#define SYN_TIMEOUT (127 * TL_SECOND)
#define SLACK TL_MILLISECOND

static const tl_connection_opts happy = {.happy_eyeballs_delay = DELAY};

struct net {
    tl_world *world;
    tl_host *client;
    tl_loop *loop;
    struct answers answers; /* the kernel's own; counts sockets and connects */
    tl_protocol protocol;
    bool made;
    unsigned accepted[4]; /* by the servers on hosts "server0" ... */
};

/* --- Servers --- */

struct accepting {
    tl_protocol protocol;
    unsigned *count;
};

static int accept_made(tl_protocol *protocol, tl_transport *transport)
{
    (void)transport;
    ++*tl_container_of(protocol, struct accepting, protocol)->count;
    return 0;
}

static void accept_released(tl_protocol *protocol)
{
    free(tl_container_of(protocol, struct accepting, protocol));
}

static tl_protocol *accept_factory(void *arg)
{
    static const struct tl_protocol_ops ops = {.connection_made = accept_made,
                                               .release = accept_released};
    struct accepting *accepting = calloc(1, sizeof *accepting);
    *accepting = (struct accepting){.protocol = TL_PROTOCOL_INIT(&ops), .count = arg};
    return &accepting->protocol;
}

static int serve(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc, (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    tl_future_detach(tl_loop_create_server(
        loop, accept_factory, tl_process_arg(tl_process_current()), NULL, 0, "80", NULL));
    return tl_loop_run_forever(loop) < 0;
}

/* A host that serves, at these addresses, so far away. */
static void add_server(struct net *net, unsigned index, const char *address, const char *other,
                       tl_time latency)
{
    const struct tl_link_options link = {.latency = latency};
    char name[16];
    snprintf(name, sizeof name, "server%u", index);
    tl_host *host = tl_world_add_host(net->world, name, address);
    assert_non_null(host);
    if (other != NULL)
        assert_int_equal(tl_host_add_address(host, other), 0);
    assert_int_equal(tl_world_set_link(net->world, net->client, host, &link), 0);
    const char *const argv[] = {name, NULL};
    const struct tl_process_options options = {
        .argv = argv, .program = serve, .daemon = true, .arg = &net->accepted[index]};
    assert_non_null(tl_host_spawn(host, &options));
}

/* A host that is there, and where nobody listens. */
static void add_refusing(struct net *net, const char *name, const char *address, tl_time latency)
{
    const struct tl_link_options link = {.latency = latency};
    tl_host *host = tl_world_add_host(net->world, name, address);
    assert_non_null(host);
    assert_int_equal(tl_world_set_link(net->world, net->client, host, &link), 0);
}

/* --- The client --- */

static int client_made(tl_protocol *protocol, tl_transport *transport)
{
    (void)transport;
    tl_container_of(protocol, struct net, protocol)->made = true;
    return 0;
}

static tl_protocol *client_factory(void *arg)
{
    static const struct tl_protocol_ops ops = {.connection_made = client_made};
    struct net *net = arg;
    net->protocol = TL_PROTOCOL_INIT(&ops);
    return &net->protocol;
}

static void open_net(struct net *net)
{
    memset(net, 0, sizeof *net);
    net->world = tl_world_new(&(struct tl_world_options){.quiet = true});
    net->client = tl_world_add_host(net->world, "client", "10.0.0.1");
    assert_int_equal(tl_host_add_address(net->client, "fd00::1"), 0);
}

/* Once the servers are there: lets them start, and makes the loop. */
static void begin(struct net *net)
{
    struct tl_kernel *kernel;
    assert_int_equal(tl_sim_kernel_join(net->client, &kernel), 0);
    answers_apply(&net->answers, kernel);
    net->answers.real = true;
    net->answers.timed = true;
    assert_int_equal(tl_loop_new(kernel, &net->loop), 0);
    tl_future *pause = tl_sleep(net->loop, TL_SECOND);
    assert_int_equal(tl_loop_run_until_complete(net->loop, pause, NULL), 0);
}

static void close_net(struct net *net)
{
    tl_loop_close(net->loop);
    tl_loop_free(net->loop);
    assert_int_equal(net->answers.sockets_count, 0);
    tl_world_free(net->world);
}

static void add_names(struct net *net, const char *const *addresses)
{
    for (; *addresses != NULL; addresses++)
        assert_int_equal(tl_world_name_add(net->world, "name", *addresses, 0), 0);
}

/* Connects to the name: how long it took in *ret_took; the future's code. */
static int connect_to_name(struct net *net, const tl_connection_opts *opts, tl_time *ret_took)
{
    tl_time began = tl_world_time(net->world);
    tl_value value = tl_value_none();
    tl_future *future =
        tl_loop_create_connection(net->loop, client_factory, net, "name", "80", opts);
    int r = tl_loop_run_until_complete(net->loop, future, &value);
    *ret_took = tl_world_time(net->world) - began;
    for (size_t i = 0; i < net->answers.connects_count; i++)
        net->answers.times[i] -= began;
    /* Whoever lost is gone by now. */
    assert_int_equal(net->answers.sockets_count, r == 0);
    assert_int_equal(net->made, r == 0);
    if (r == 0)
        tl_transport_abort(tl_value_pair(&value)->transport);
    tl_value_finish(&value);
    tl_future *pause = tl_sleep(net->loop, 10 * TL_SECOND);
    assert_int_equal(tl_loop_run_until_complete(net->loop, pause, NULL), 0);
    return r;
}

static void assert_about(tl_time time, tl_time expected)
{
    if (time < expected || time > expected + SLACK)
        fail_msg("%lld ns, not %lld", (long long)time, (long long)expected);
}

/* --- One family is a black hole --- */

static const char *const hole_then_server[] = {"fd00::99", "10.0.0.2", NULL};

static void a_black_hole_is_waited_for_without(void **state)
{
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_server(&net, 0, "10.0.0.2", NULL, 0);
    add_names(&net, hole_then_server);
    begin(&net);
    assert_int_equal(connect_to_name(&net, NULL, &took), 0);
    assert_about(took, LOOKUP + SYN_TIMEOUT);
    assert_int_equal(net.accepted[0], 1);
    close_net(&net);
}

static void a_black_hole_costs_the_delay(void **state)
{
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_server(&net, 0, "10.0.0.2", NULL, 0);
    add_names(&net, hole_then_server);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_about(took, LOOKUP + DELAY);
    assert_int_equal(net.answers.connects_count, 2);
    assert_about(net.answers.times[0], LOOKUP);
    assert_about(net.answers.times[1], LOOKUP + DELAY);
    assert_int_equal(net.answers.connects[0].family, TL_FAMILY_INET6);
    close_net(&net);
}

/* Holes of one family do not keep the other waiting for more than one turn. */
static void families_take_turns(void **state)
{
    static const char *const addresses[] = {"fd00::97", "fd00::98", "fd00::99", "10.0.0.2", NULL};
    static const tl_connection_opts in_order = {.happy_eyeballs_delay = DELAY, .interleave = -1};
    static const tl_connection_opts two_first = {.happy_eyeballs_delay = DELAY, .interleave = 2};
    static const struct {
        const tl_connection_opts *opts;
        unsigned turns;
    } cases[] = {{&happy, 1}, {&two_first, 2}, {&in_order, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net net;
        tl_time took;
        open_net(&net);
        add_server(&net, 0, "10.0.0.2", NULL, 0);
        add_names(&net, addresses);
        begin(&net);
        assert_int_equal(connect_to_name(&net, cases[i].opts, &took), 0);
        assert_about(took, LOOKUP + cases[i].turns * DELAY);
        close_net(&net);
    }
}

/* --- The first one is not bad, only slow --- */

static void the_first_wins_if_it_is_fast_enough(void **state)
{
    static const char *const addresses[] = {"fd00::2", "10.0.0.3", NULL};
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_server(&net, 0, "fd00::2", NULL, 100 * TL_MILLISECOND);
    add_server(&net, 1, "10.0.0.3", NULL, 0);
    add_names(&net, addresses);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_about(took, LOOKUP + 200 * TL_MILLISECOND);
    assert_int_equal(net.answers.connects_count, 1);
    assert_int_equal(net.accepted[0], 1);
    assert_int_equal(net.accepted[1], 0);
    close_net(&net);
}

static void the_first_wins_against_a_slower_one(void **state)
{
    static const char *const addresses[] = {"fd00::2", "10.0.0.3", NULL};
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_server(&net, 0, "fd00::2", NULL, 150 * TL_MILLISECOND);
    add_server(&net, 1, "10.0.0.3", NULL, 150 * TL_MILLISECOND);
    add_names(&net, addresses);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_about(took, LOOKUP + 300 * TL_MILLISECOND);
    assert_int_equal(net.answers.connects_count, 2);
    assert_int_equal(net.accepted[0], 1);
    /* Its socket was closed before the answer: nobody there has a connection that lives. */
    close_net(&net);
}

static void the_second_overtakes(void **state)
{
    static const char *const addresses[] = {"fd00::2", "10.0.0.3", NULL};
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_server(&net, 0, "fd00::2", NULL, 400 * TL_MILLISECOND);
    add_server(&net, 1, "10.0.0.3", NULL, 0);
    add_names(&net, addresses);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_about(took, LOOKUP + DELAY);
    assert_int_equal(net.accepted[1], 1);
    close_net(&net);
}

/* --- Failures --- */

static void a_refusal_gives_the_next_its_turn(void **state)
{
    static const char *const addresses[] = {"fd00::9", "10.0.0.2", NULL};
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_refusing(&net, "refusing", "fd00::9", 50 * TL_MILLISECOND);
    add_server(&net, 0, "10.0.0.2", NULL, 0);
    add_names(&net, addresses);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_about(took, LOOKUP + 100 * TL_MILLISECOND);
    close_net(&net);
}

/* Only the last one to begin does: others that fail meanwhile change nothing. */
static void a_late_refusal_gives_nobody_a_turn(void **state)
{
    static const char *const addresses[] = {"fd00::9", "fd00::98", "fd00::99", "fd00::2", NULL};
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_refusing(&net, "refusing", "fd00::9", 150 * TL_MILLISECOND);
    add_server(&net, 0, "fd00::2", NULL, 0);
    add_names(&net, addresses);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_int_equal(net.answers.connects_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_about(net.answers.times[i], LOOKUP + i * DELAY);
    close_net(&net);
}

static void all_attempts_are_over_at_the_end(void **state)
{
    static const char *const addresses[] = {"fd00::9", "fd00::99", "10.0.0.99", NULL};
    struct net net;
    tl_time took;
    (void)state;
    open_net(&net);
    add_refusing(&net, "refusing", "fd00::9", 0);
    add_names(&net, addresses);
    begin(&net);
    assert_int_equal(connect_to_name(&net, &happy, &took), -ECONNREFUSED);
    assert_about(took, LOOKUP + DELAY + SYN_TIMEOUT);
    assert_int_equal(net.answers.connects_count, 3);
    close_net(&net);
}

/* The errors are told in the order in which the attempts began, whenever each of them failed. */
static void a_late_refusal_is_told_first(void **state)
{
    static const char *const addresses[] = {"fd00::8", "fd00::9", NULL};
    struct net net;
    char message[200];
    (void)state;
    open_net(&net);
    add_refusing(&net, "slow", "fd00::8", 150 * TL_MILLISECOND);
    add_refusing(&net, "fast", "fd00::9", 0);
    add_names(&net, addresses);
    begin(&net);
    tl_future *future =
        tl_loop_create_connection(net.loop, client_factory, &net, "name", "80", &happy);
    int r = tl_loop_run_until_complete(net.loop, tl_future_ref(future), NULL);
    assert_int_equal(r, -ECONNREFUSED);
    const char *why = tl_strerror(r);
    (void)snprintf(message, sizeof message,
                   "Multiple exceptions: Connect call failed [fd00::8]:80: %s, "
                   "Connect call failed [fd00::9]:80: %s",
                   why, why);
    assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
    close_net(&net);
}

/* A family that the client does not have fails at once. */
static void a_family_without_a_way_out(void **state)
{
    static const char *const addresses[] = {"10.0.0.2", "fd00::2", NULL};
    struct net net;
    tl_time took;
    (void)state;
    memset(&net, 0, sizeof net);
    net.world = tl_world_new(&(struct tl_world_options){.quiet = true});
    net.client = tl_world_add_host(net.world, "client", "10.0.0.1");
    add_server(&net, 0, "10.0.0.2", "fd00::2", 0);
    add_names(&net, addresses);
    begin(&net);
    const tl_connection_opts six = {.family = TL_FAMILY_INET6, .happy_eyeballs_delay = DELAY};
    assert_int_equal(connect_to_name(&net, &six, &took), -ENETUNREACH);
    assert_about(took, LOOKUP);
    assert_int_equal(connect_to_name(&net, &happy, &took), 0);
    assert_about(took, LOOKUP);
    /* What cannot be reached is named last. */
    assert_int_equal(net.answers.connects[1].family, TL_FAMILY_INET);
    close_net(&net);
}

/* --- Any network ------------------------------------------------------------------------------ */

/* What may go wrong here, in one of two worlds. */
static void make_trouble(tl_world *world)
{
    static const struct {
        const char *site;
        uint32_t odds;
    } troubles[] = {
        {"resolve.failed", 8192}, {"connect.timeout", 16384}, {"socket.emfile", 8192},
        {"stream.reset", 8192},   {"link.delay", 32768},      {"resolve.delay", 32768},
    };
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
        assert_int_equal(tl_world_set_odds(world, troubles[i].site, troubles[i].odds), 0);
}

/* Connects while everything may go wrong, and cancels now and then: whatever comes of it, no socket
 * is left but a transport's. */
static int try_seed(uint64_t seed)
{
    static const char *const addresses[] = {"fd00::99", "fd00::9",   "fd00::2",
                                            "10.0.0.2", "10.0.0.99", NULL};
    struct net net;
    tl_value value = tl_value_none();
    memset(&net, 0, sizeof net);
    net.world = tl_world_new(&(struct tl_world_options){.seed = seed});
    net.client = tl_world_add_host(net.world, "client", "10.0.0.1");
    assert_int_equal(tl_host_add_address(net.client, "fd00::1"), 0);
    add_refusing(&net, "refusing", "fd00::9", 50 * TL_MILLISECOND);
    add_server(&net, 0, "10.0.0.2", "fd00::2", 100 * TL_MILLISECOND);
    add_names(&net, addresses);
    begin(&net);
    make_trouble(net.world);
    tl_future *future =
        tl_loop_create_connection(net.loop, client_factory, &net, "name", "80", &happy);
    if (seed % 4 == 0)
        future = tl_wait_for(net.loop, future, (tl_time)(seed % 97) * 10 * TL_MILLISECOND);
    int r = tl_loop_run_until_complete(net.loop, future, &value);
    assert_true(net.answers.sockets_count == (r == 0) || net.made);
    if (tl_value_pair(&value) != NULL)
        tl_transport_abort(tl_value_pair(&value)->transport);
    tl_value_finish(&value);
    tl_future *pause = tl_sleep(net.loop, TL_SECOND);
    assert_int_equal(tl_loop_run_until_complete(net.loop, pause, NULL), 0);
    close_net(&net);
    return r;
}

static void whatever_goes_wrong_nothing_is_left(void **state)
{
    unsigned connected = 0, failed = 0, timed_out = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        int r = try_seed(seed);
        connected += r == 0;
        timed_out += r == -ETIMEDOUT;
        failed += r < 0;
    }
    assert_true(connected > 50);
    assert_true(failed > 20);
    assert_true(timed_out > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_black_hole_is_waited_for_without),
        cmocka_unit_test(a_black_hole_costs_the_delay),
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(the_first_wins_if_it_is_fast_enough),
        cmocka_unit_test(the_first_wins_against_a_slower_one),
        cmocka_unit_test(the_second_overtakes),
        cmocka_unit_test(a_refusal_gives_the_next_its_turn),
        cmocka_unit_test(a_late_refusal_gives_nobody_a_turn),
        cmocka_unit_test(all_attempts_are_over_at_the_end),
        cmocka_unit_test(a_late_refusal_is_told_first),
        cmocka_unit_test(a_family_without_a_way_out),
        cmocka_unit_test(whatever_goes_wrong_nothing_is_left),
    };
    return !!cmocka_run_group_tests_name("happy eyeballs", tests, NULL, NULL);
}
