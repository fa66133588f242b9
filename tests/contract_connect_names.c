/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_connection to names: which addresses are tried in which order, what is said when none will
 * do, happy eyeballs, and being called off at every step.
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
#include "support/answers.h"
#include "support/scene.h"

/* A scene on a kernel with answers of the test's, and two ports where nobody listens. */
struct names {
    struct scene scene;
    struct answers answers;
    tl_server *closed[2]; /* bound, but not listening: connects are refused */
    tl_addr refused[2];
    tl_addr good;
};

static void bind_closed(struct names *names, int i)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const tl_server_opts defer = {.defer_serving = true};
    tl_value value = tl_value_none();
    tl_future *future = tl_loop_create_server(names->scene.loop, scene_peer_factory, &names->scene,
                                              hosts, 1, "0", &defer);

    assert_int_equal(tl_loop_run_until_complete(names->scene.loop, future, &value), 0);
    names->closed[i] = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    assert_int_equal(tl_server_address(names->closed[i], 0, &names->refused[i]), 0);
}

static void open_names(struct names *names, struct contract *contract)
{
    scene_open(&names->scene, contract);
    bind_closed(names, 0);
    bind_closed(names, 1);
    names->good = answers_loopback((unsigned)atoi(names->scene.port));
    answers_apply(&names->answers, tl_loop_kernel(names->scene.loop));
}

static void close_names(struct names *names)
{
    for (int i = 0; i < 2; i++) {
        tl_server_close(names->closed[i]);
        tl_server_unref(names->closed[i]);
    }
    scene_close(&names->scene);
}

static tl_future *connect_to(struct names *names, const tl_connection_opts *opts)
{
    return tl_loop_create_connection(names->scene.loop, scene_client_factory, &names->scene,
                                     "localhost", names->scene.port, opts);
}

/* Connects, and leaves no socket but the transport's. */
static void succeed(struct names *names, const tl_connection_opts *opts)
{
    tl_value value = tl_value_none();
    int r = tl_loop_run_until_complete(names->scene.loop, connect_to(names, opts), &value);

    assert_int_equal(r, 0);
    assert_int_equal(names->answers.sockets_count, 1);
    assert_non_null(tl_value_pair(&value));
    tl_transport_abort(tl_value_pair(&value)->transport);
    tl_value_finish(&value);
    scene_await(&names->scene, 2);
    assert_log(&names->scene.client, "made lost released");
}

static void expect(struct names *names, tl_future *future, int code, const char *message)
{
    int r = tl_loop_run_until_complete(names->scene.loop, tl_future_ref(future), NULL);

    assert_int_equal(r, code);
    if (message != NULL)
        assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
    assert_int_equal(names->answers.sockets_count, 0);
    assert_log(&names->scene.client, "");
}

/* "Connect call failed 127.0.0.1:PORT: Connection refused" */
static const char *refusal(const tl_addr *addr, char *text, size_t size)
{
    snprintf(text, size, "Connect call failed 127.0.0.1:%u: %s", addr->port,
             tl_strerror(-ECONNREFUSED));
    return text;
}

/* --- Addresses --- */

static void the_next_address_is_tried(struct contract *contract)
{
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.refused[0]);
    answers_add(&names.answers, 0, names.refused[1]);
    answers_add(&names.answers, 0, names.good);
    answers_add(&names.answers, 0, names.refused[0]);
    succeed(&names, NULL);
    assert_int_equal(names.answers.lookups, 1);
    assert_int_equal(names.answers.connects_count, 3);
    close_names(&names);
}

static void errors_are_joined(struct contract *contract)
{
    char one[128], two[128], both[512];
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.refused[0]);
    answers_add(&names.answers, 0, names.refused[1]);
    snprintf(both, sizeof both, "Multiple exceptions: %s, %s",
             refusal(&names.refused[0], one, sizeof one),
             refusal(&names.refused[1], two, sizeof two));
    expect(&names, connect_to(&names, NULL), -ECONNREFUSED, both);
    close_names(&names);
}

static void one_error_is_told_as_it_is(struct contract *contract)
{
    char one[128];
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.refused[0]);
    expect(&names, connect_to(&names, NULL), -ECONNREFUSED,
           refusal(&names.refused[0], one, sizeof one));
    /* Nor is the same said twice. */
    answers_add(&names.answers, 1, names.refused[1]);
    answers_add(&names.answers, 1, names.refused[1]);
    answers_add(&names.answers, 1, names.refused[1]);
    expect(&names, connect_to(&names, NULL), -ECONNREFUSED,
           refusal(&names.refused[1], one, sizeof one));
    close_names(&names);
}

static void all_errors_can_be_had(struct contract *contract)
{
    enum { ALL = 20 };
    static const tl_connection_opts opts = {.all_errors = true};
    char text[128];
    struct names names;

    open_names(&names, contract);
    for (int i = 0; i < ALL; i++)
        answers_add(&names.answers, 0, names.refused[i % 2]);
    tl_future *future = connect_to(&names, &opts);
    expect(&names, tl_future_ref(future), -ECONNREFUSED, "create_connection failed");
    const tl_error *error = tl_future_exception(future)->cause;
    for (int i = 0; i < ALL; i++, error = error->cause) {
        assert_non_null(error);
        assert_int_equal(error->code, -ECONNREFUSED);
        assert_string_equal(error->message, refusal(&names.refused[i % 2], text, sizeof text));
    }
    assert_null(error);
    tl_future_unref(future);
    close_names(&names);
}

static void what_no_kernel_speaks_is_passed_over(struct contract *contract)
{
    enum { SCTP = 132 };
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.good);
    names.answers.answers[0].protocol = SCTP;
    expect(&names, connect_to(&names, NULL), -EPROTONOSUPPORT, tl_strerror(-EPROTONOSUPPORT));
    assert_int_equal(names.answers.connects_count, 0);
    close_names(&names);
}

/* --- The lookup --- */

static void names_that_cannot_be_looked_up(struct contract *contract)
{
    char message[128];
    struct names names;

    open_names(&names, contract);
    names.answers.answers[0].result = TL_EAI_NONAME;
    snprintf(message, sizeof message, "looking up \"localhost\", service \"%s\": %s",
             names.scene.port, tl_strerror(TL_EAI_NONAME));
    expect(&names, connect_to(&names, NULL), TL_EAI_NONAME, message);
    /* An empty list. */
    expect(&names, connect_to(&names, NULL), TL_EAI_NODATA, NULL);
    close_names(&names);
}

static void the_resolver_is_told_what_is_wanted(struct contract *contract)
{
    static const tl_connection_opts opts = {
        .family = TL_FAMILY_INET, .protocol = 6, .flags = TL_AI_NUMERICSERV};
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.good);
    succeed(&names, &opts);
    assert_int_equal(names.answers.hints.family, TL_FAMILY_INET);
    assert_int_equal(names.answers.hints.type, TL_STREAM);
    assert_int_equal(names.answers.hints.protocol, 6);
    assert_int_equal(names.answers.hints.flags, TL_AI_NUMERICSERV);
    close_names(&names);
}

/* Connects somewhere; what comes of it is of no interest. */
static void try(struct names *names, const char *host, const char *port,
                const tl_connection_opts *opts)
{
    tl_value value = tl_value_none();
    tl_future *future = tl_loop_create_connection(names->scene.loop, scene_client_factory,
                                                  &names->scene, host, port, opts);

    (void)tl_loop_run_until_complete(names->scene.loop, future, &value);
    if (tl_value_pair(&value) != NULL)
        tl_transport_abort(tl_value_pair(&value)->transport);
    tl_value_finish(&value);
}

static void numbers_are_not_looked_up(struct contract *contract)
{
    static const tl_connection_opts numeric = {.local_host = "127.0.0.1"};
    static const tl_connection_opts named = {.local_host = "localhost"};
    static const tl_connection_opts six = {.family = TL_FAMILY_INET6};
    static const tl_connection_opts port = {.local_port = 1};
    static const tl_connection_opts odd = {.protocol = 132};
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.refused[0]);
    answers_add(&names.answers, 1, names.refused[0]);
    const struct {
        const char *host;
        const char *port;
        const tl_connection_opts *opts;
        unsigned lookups;
    } steps[] = {
        {"127.0.0.1", names.scene.port, NULL, 0},
        {"127.0.0.1", NULL, NULL, 0},
        {"127.0.0.1", "", NULL, 0},
        {"127.0.0.1", names.scene.port, &numeric, 0},
        {"127.0.0.1", "http", NULL, 1},
        {"127.0.0.1", names.scene.port, &named, 1},
        {"127.0.0.1", names.scene.port, &port, 1},
        {"127.0.0.1", names.scene.port, &odd, 1},
        {"::1%1", names.scene.port, NULL, 1},
        {NULL, names.scene.port, NULL, 1},
        {"localhost", names.scene.port, NULL, 1},
        {"127.0.0.1", names.scene.port, &six, 1},
        {"localhost", names.scene.port, &named, 2},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        unsigned before = names.answers.lookups;
        try(&names, steps[i].host, steps[i].port, steps[i].opts);
        assert_int_equal(names.answers.lookups - before, steps[i].lookups);
    }
    close_names(&names);
}

/* The loopback as every kernel has it: what listens on IPv4 alone is reached, too. */
static void nobody_is_the_loopback(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    scene.client.hooks.made = hook_close;
    tl_future_detach(tl_loop_create_connection(scene.loop, scene_client_factory, &scene, NULL,
                                               scene.port, NULL));
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
    assert_string_equal(scene.errors, "");
}

static void an_executor_that_is_gone(struct contract *contract)
{
    struct names names;

    open_names(&names, contract);
    tl_future *gone = tl_loop_shutdown_default_executor(names.scene.loop);
    assert_int_equal(tl_loop_run_until_complete(names.scene.loop, gone, NULL), 0);
    expect(&names, connect_to(&names, NULL), TL_ESTATE, "Executor shutdown has been called");
    close_names(&names);
}

/* --- Local addresses --- */

static void a_local_address_of_the_same_family(struct contract *contract)
{
    static const tl_connection_opts opts = {.local_host = "localhost"};
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.good);
    answers_add(&names.answers, 1, (tl_addr){.family = TL_FAMILY_INET6, .data = {[15] = 1}});
    answers_add(&names.answers, 1, names.refused[0]); /* which is taken */
    answers_add(&names.answers, 1, answers_loopback(0));
    succeed(&names, &opts);
    assert_int_equal(names.answers.lookups, 2);
    close_names(&names);
}

static void no_local_address_will_do(struct contract *contract)
{
    static const tl_connection_opts opts = {.local_host = "localhost"};
    char message[512], one[128];
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.good);
    answers_add(&names.answers, 1, (tl_addr){.family = TL_FAMILY_INET6, .data = {[15] = 1}});
    expect(&names, connect_to(&names, &opts), -EADDRNOTAVAIL,
           "no matching local address with family=AF_INET found");

    /* One that is in use, and is told of although another one did, when the connect fails. */
    names.answers.lookups = 0;
    names.answers.answers[0].addrs[0] = names.refused[1];
    answers_add(&names.answers, 1, names.refused[0]);
    answers_add(&names.answers, 1, answers_loopback(0));
    snprintf(message, sizeof message,
             "Multiple exceptions: error while attempting to bind on address 127.0.0.1:%u: %s, %s",
             names.refused[0].port, tl_strerror(-EADDRINUSE),
             refusal(&names.refused[1], one, sizeof one));
    expect(&names, connect_to(&names, &opts), -EADDRINUSE, message);
    close_names(&names);
}

/* --- Happy eyeballs --- */

static const tl_connection_opts happy = {.happy_eyeballs_delay = 5 * TL_MILLISECOND};

static void who_hangs_is_overtaken(struct contract *contract)
{
    struct names names;

    open_names(&names, contract);
    names.answers.hangs = names.refused[0];
    answers_add(&names.answers, 0, names.refused[0]);
    answers_add(&names.answers, 0, names.refused[0]);
    answers_add(&names.answers, 0, names.refused[1]);
    answers_add(&names.answers, 0, names.good);
    succeed(&names, &happy);
    assert_int_equal(names.answers.connects_count, 4);
    assert_int_equal(names.answers.hanging_count, 0);
    close_names(&names);
}

static void who_fails_is_followed_at_once(struct contract *contract)
{
    static const tl_connection_opts patient = {.happy_eyeballs_delay = 3600 * TL_SECOND};
    char one[128], two[128], both[512];
    struct names names;

    open_names(&names, contract);
    answers_add(&names.answers, 0, names.refused[0]);
    answers_add(&names.answers, 0, names.refused[1]);
    snprintf(both, sizeof both, "Multiple exceptions: %s, %s",
             refusal(&names.refused[0], one, sizeof one),
             refusal(&names.refused[1], two, sizeof two));
    expect(&names, connect_to(&names, &patient), -ECONNREFUSED, both);
    answers_add(&names.answers, 1, names.refused[0]);
    answers_add(&names.answers, 1, names.good);
    succeed(&names, &patient);
    close_names(&names);
}

/* An address that refuses, of this name: of IPv4 those below x, which differ by address, of IPv6 x
 * and y, which differ by port. The loopback of IPv6 has no listener at the ports of IPv4's either,
 * and says so, or that there is no IPv6. */
static tl_addr called(const struct names *names, char name)
{
    tl_addr addr = names->refused[name == 'y'];
    if (name < 'x')
        addr.data[2] = (uint8_t)(name - 'a');
    else
        addr = (tl_addr){.family = TL_FAMILY_INET6, .port = addr.port, .data = {[15] = 1}};
    return addr;
}

static char name_of(const struct names *names, const tl_addr *addr)
{
    if (addr->family == TL_FAMILY_INET)
        return (char)('a' + addr->data[2]);
    return addr->port == names->refused[0].port ? 'x' : 'y';
}

static void families_take_turns(struct contract *contract)
{
    static const struct {
        int interleave;
        tl_time delay;
        const char *order;
    } orders[] = {
        {0, 0, "abcxyd"},  {1, 0, "axbycd"}, {2, 0, "abxcyd"},  {3, 0, "abcxdy"},
        {99, 0, "abcdxy"}, {0, 1, "axbycd"}, {-1, 1, "abcxyd"},
    };
    struct names names;

    open_names(&names, contract);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        const tl_connection_opts opts = {.interleave = orders[i].interleave,
                                         .happy_eyeballs_delay =
                                             orders[i].delay * 3600 * TL_SECOND};
        char order[ANSWERS_MAX + 1] = "";
        memset(names.answers.answers, 0, sizeof names.answers.answers);
        names.answers.connects_count = 0;
        names.answers.lookups = 0;
        for (const char *p = "abcxyd"; *p != '\0'; p++)
            answers_add(&names.answers, 0, called(&names, *p));
        tl_future *future = connect_to(&names, &opts);
        (void)tl_loop_run_until_complete(names.scene.loop, tl_future_ref(future), NULL);
        assert_non_null(tl_future_exception(future));
        tl_future_unref(future);
        for (size_t at = 0; at < names.answers.connects_count; at++)
            order[at] = name_of(&names, &names.answers.connects[at]);
        assert_int_equal(names.answers.sockets_count, 0);
        assert_string_equal(order, orders[i].order);
    }
    close_names(&names);
}

/* --- Called off --- */

/* Cancels when there have been so many lookups and connects; true when that was in time. */
static bool cancel_at(struct names *names, tl_future *future, unsigned lookups, size_t connects)
{
    for (int turns = 0; turns < 1000000; turns++) {
        if (tl_future_done(future))
            return false;
        if (names->answers.lookups == lookups && names->answers.connects_count == connects)
            return tl_future_cancel(future);
        tl_loop_stop(names->scene.loop);
        assert_int_equal(tl_loop_run_forever(names->scene.loop), 0);
    }
    return false;
}

static void cancelled_at_every_step(struct contract *contract)
{
    static const tl_connection_opts opts = {.local_host = "localhost",
                                            .happy_eyeballs_delay = TL_MILLISECOND};
    static const struct {
        unsigned lookups;
        size_t connects;
    } steps[] = {{1, 0}, {2, 0}, {2, 1}, {2, 2}, {2, 3}};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct names names;
        open_names(&names, contract);
        names.answers.hangs = names.refused[0];
        for (int n = 0; n < 3; n++)
            answers_add(&names.answers, 0, names.refused[0]);
        answers_add(&names.answers, 1, answers_loopback(0));
        tl_future *future = connect_to(&names, &opts);
        assert_true(cancel_at(&names, future, steps[i].lookups, steps[i].connects));
        assert_int_equal(names.answers.sockets_count, 0);
        assert_int_equal(names.answers.given_up, steps[i].connects == 0);
        assert_false(tl_future_cancel(future));
        assert_int_equal(tl_loop_run_until_complete(names.scene.loop, future, NULL), -ECANCELED);
        close_names(&names);
        assert_log(&names.scene.client, "");
    }
}

/* --- A loop that is closed first --- */

static void closed_at_every_step(struct contract *contract)
{
    static const tl_connection_opts opts = {.local_host = "localhost",
                                            .happy_eyeballs_delay = TL_MILLISECOND};
    static const struct {
        unsigned lookups;
        size_t connects;
    } steps[] = {{1, 0}, {2, 0}, {2, 2}};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct names names;
        open_names(&names, contract);
        names.answers.hangs = names.refused[0];
        for (int n = 0; n < 3; n++)
            answers_add(&names.answers, 0, names.refused[0]);
        answers_add(&names.answers, 1, answers_loopback(0));
        tl_future *future = connect_to(&names, &opts);
        for (int turns = 0; turns < 1000000; turns++) {
            if (names.answers.lookups == steps[i].lookups &&
                names.answers.connects_count == steps[i].connects)
                break;
            tl_loop_stop(names.scene.loop);
            assert_int_equal(tl_loop_run_forever(names.scene.loop), 0);
        }
        close_names(&names);
        assert_false(tl_future_done(future));
        assert_true(tl_future_cancel(future));
        tl_future_unref(future);
        assert_log(&names.scene.client, "");
    }
}

static const struct contract_case cases[] = {
    CONTRACT(the_next_address_is_tried),
    CONTRACT(errors_are_joined),
    CONTRACT(one_error_is_told_as_it_is),
    CONTRACT(all_errors_can_be_had),
    CONTRACT(what_no_kernel_speaks_is_passed_over),
    CONTRACT(names_that_cannot_be_looked_up),
    CONTRACT(the_resolver_is_told_what_is_wanted),
    CONTRACT(numbers_are_not_looked_up),
    CONTRACT(nobody_is_the_loopback),
    CONTRACT(an_executor_that_is_gone),
    CONTRACT(a_local_address_of_the_same_family),
    CONTRACT(no_local_address_will_do),
    CONTRACT(who_hangs_is_overtaken),
    CONTRACT(who_fails_is_followed_at_once),
    CONTRACT(families_take_turns),
    CONTRACT(cancelled_at_every_step),
    CONTRACT(closed_at_every_step),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "connect names", cases, sizeof cases / sizeof *cases);
}
