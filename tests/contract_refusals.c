/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad input, operation by operation: what a closed loop says to each, what is said to arguments
 * that are missing or make no sense. Whatever returns a future says it by one that has failed.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"

static void never(void *arg)
{
    (void)arg;
    fail_msg("nothing was scheduled");
}

static tl_protocol *no_protocol(void *arg)
{
    (void)arg;
    fail_msg("no connection was made");
    return NULL;
}

static int no_job(void *arg, tl_value *ret)
{
    (void)arg;
    (void)ret;
    fail_msg("no job was run");
    return 0;
}

/* Takes the future, which has failed already. */
static void refused(tl_future *future, int code)
{
    assert_non_null(future);
    assert_true(tl_future_done(future));
    int r = tl_future_result(future, NULL);
    if (r != code)
        fail_msg("%s, and not %s", tl_err_name(r), tl_err_name(code));
    tl_future_unref(future);
}

/* Takes the future, which fails sooner or later. */
static void fails(tl_loop *loop, tl_future *future, int code)
{
    int r = tl_loop_run_until_complete(loop, future, NULL);
    if (r != code)
        fail_msg("%s, and not %s", tl_err_name(r), tl_err_name(code));
}

static void loop_end(tl_loop *loop)
{
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
}

/* --- A closed loop ---------------------------------------------------------------------------- */

static void scheduling_on_a_closed_loop(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    assert_int_equal(tl_loop_close(loop), 0);
    assert_int_equal(tl_loop_call_soon(loop, never, NULL, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_soon_threadsafe(loop, never, NULL, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_later(loop, 0, never, NULL, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_at(loop, 0, never, NULL, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_post_message(loop, 1, "x", 1), TL_ECLOSED);
    assert_int_equal(tl_loop_add_signal_handler(loop, 10, never, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_remove_signal_handler(loop, 10), 0);
    refused(tl_loop_run_in_executor(loop, NULL, no_job, NULL), TL_ECLOSED);
    refused(tl_sleep(loop, 1), TL_ECLOSED);
    tl_loop_free(loop);
}

static void connecting_on_a_closed_loop(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    assert_int_equal(tl_addr_parse("127.0.0.1", 1, &addr), 0);
    assert_int_equal(tl_loop_close(loop), 0);
    refused(tl_loop_getaddrinfo(loop, "127.0.0.1", "1", NULL), TL_ECLOSED);
    refused(tl_loop_getnameinfo(loop, &addr, 0), TL_ECLOSED);
    refused(tl_loop_create_connection(loop, no_protocol, NULL, "127.0.0.1", "1", NULL), TL_ECLOSED);
    refused(tl_loop_create_server(loop, no_protocol, NULL, NULL, 0, "0", NULL), TL_ECLOSED);
    refused(tl_loop_create_unix_connection(loop, no_protocol, NULL, "x", 1, NULL), TL_ECLOSED);
    refused(tl_loop_create_unix_server(loop, no_protocol, NULL, "x", 1, NULL), TL_ECLOSED);
    refused(tl_loop_create_datagram_endpoint(loop, no_protocol, NULL, &addr, NULL, NULL),
            TL_ECLOSED);
    refused(tl_loop_connect_read_pipe(loop, no_protocol, NULL, 0), TL_ECLOSED);
    refused(tl_loop_connect_write_pipe(loop, no_protocol, NULL, 1), TL_ECLOSED);
    refused(tl_loop_connect_accepted_socket(loop, no_protocol, NULL, (tl_socket){0}, NULL),
            TL_ECLOSED);
    tl_loop_free(loop);
}

static void descriptors_on_a_closed_loop(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket one, other;
    tl_addr addr = {.family = TL_FAMILY_INET};
    char byte;
    assert_int_equal(tl_socket_pair(loop, &one, &other), 0);
    assert_int_equal(tl_loop_close(loop), 0);
    assert_int_equal(tl_loop_add_reader(loop, one, never, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_add_writer(loop, one, never, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_remove_reader(loop, one), 0);
    assert_int_equal(tl_loop_remove_writer(loop, one), 0);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, &other), TL_ECLOSED);
    assert_int_equal(tl_socket_close(loop, one), TL_ECLOSED);
    assert_int_equal(tl_socket_read(loop, one, &byte, 1), TL_ECLOSED);
    refused(tl_loop_sock_recv(loop, one, 1), TL_ECLOSED);
    refused(tl_loop_sock_recv_into(loop, one, &byte, 1), TL_ECLOSED);
    refused(tl_loop_sock_recvfrom(loop, one, 1), TL_ECLOSED);
    refused(tl_loop_sock_recvfrom_into(loop, one, &byte, 1), TL_ECLOSED);
    refused(tl_loop_sock_sendall(loop, one, "x", 1), TL_ECLOSED);
    refused(tl_loop_sock_sendto(loop, one, "x", 1, &addr), TL_ECLOSED);
    refused(tl_loop_sock_connect(loop, one, &addr), TL_ECLOSED);
    refused(tl_loop_sock_accept(loop, one), TL_ECLOSED);
    assert_int_equal(tl_loop_open_file(loop, "x", 0, 0), TL_ECLOSED);
    tl_loop_free(loop);
}

/* --- What is missing -------------------------------------------------------------------------- */

static void nothing_to_call(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &addr), 0);
    assert_int_equal(tl_loop_call_soon(loop, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_call_soon_threadsafe(loop, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_call_later(loop, 0, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_call_at(loop, 0, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_add_signal_handler(loop, 10, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_add_reader(loop, (tl_socket){0}, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_add_writer(loop, (tl_socket){0}, NULL, NULL), -EINVAL);
    refused(tl_loop_run_in_executor(loop, NULL, NULL, NULL), -EINVAL);
    refused(tl_loop_create_connection(loop, NULL, NULL, "127.0.0.1", "1", NULL), -EINVAL);
    refused(tl_loop_create_server(loop, NULL, NULL, NULL, 0, "0", NULL), -EINVAL);
    refused(tl_loop_create_unix_connection(loop, NULL, NULL, "x", 1, NULL), -EINVAL);
    refused(tl_loop_create_unix_server(loop, NULL, NULL, "x", 1, NULL), -EINVAL);
    refused(tl_loop_create_datagram_endpoint(loop, NULL, NULL, &addr, NULL, NULL), -EINVAL);
    refused(tl_loop_connect_read_pipe(loop, NULL, NULL, 0), -EINVAL);
    refused(tl_loop_connect_write_pipe(loop, NULL, NULL, 1), -EINVAL);
    refused(tl_loop_connect_accepted_socket(loop, NULL, NULL, (tl_socket){0}, NULL), -EINVAL);
    loop_end(loop);
}

static void nowhere_to_go(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    refused(tl_loop_create_connection(loop, no_protocol, NULL, NULL, NULL, NULL), -EINVAL);
    refused(tl_loop_create_server(loop, no_protocol, NULL, NULL, 0, NULL, NULL), -EINVAL);
    refused(tl_loop_create_server(loop, no_protocol, NULL, NULL, 1, "0", NULL), -EINVAL);
    refused(tl_loop_create_unix_connection(loop, no_protocol, NULL, NULL, 0, NULL), -EINVAL);
    refused(tl_loop_create_unix_server(loop, no_protocol, NULL, NULL, 0, NULL), -EINVAL);
    refused(tl_loop_create_datagram_endpoint(loop, no_protocol, NULL, NULL, NULL, NULL), -EINVAL);
    refused(tl_loop_getnameinfo(loop, NULL, 0), -EINVAL);
    fails(loop, tl_loop_getaddrinfo(loop, NULL, NULL, NULL), TL_EAI_NONAME);
    loop_end(loop);
}

/* Without a loop there is nothing that a future could belong to. */
static void no_loop(struct contract *contract)
{
    tl_addr addr = {.family = TL_FAMILY_INET};
    (void)contract;
    assert_int_equal(tl_loop_run_forever(NULL), -EINVAL);
    assert_int_equal(tl_loop_run_until_complete(NULL, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_close(NULL), -EINVAL);
    assert_int_equal(tl_get_event_loop(NULL), -EINVAL);
    assert_null(tl_loop_create_future(NULL));
    assert_null(tl_loop_getaddrinfo(NULL, "x", "1", NULL));
    assert_null(tl_loop_getnameinfo(NULL, &addr, 0));
    assert_null(tl_loop_create_connection(NULL, no_protocol, NULL, "x", "1", NULL));
    assert_null(tl_loop_create_server(NULL, no_protocol, NULL, NULL, 0, "1", NULL));
    assert_null(tl_loop_create_unix_connection(NULL, no_protocol, NULL, "x", 1, NULL));
    assert_null(tl_loop_create_unix_server(NULL, no_protocol, NULL, "x", 1, NULL));
    assert_null(tl_loop_create_datagram_endpoint(NULL, no_protocol, NULL, &addr, NULL, NULL));
    assert_null(tl_loop_connect_read_pipe(NULL, no_protocol, NULL, 0));
    assert_null(tl_loop_connect_write_pipe(NULL, no_protocol, NULL, 0));
}

/* --- What makes no sense ---------------------------------------------------------------------- */

static void bad_ports(struct contract *contract)
{
    static const struct {
        const char *port;
        int code;
    } ports[] = {
        {"65536", -EINVAL},
        {"99999999999999999999", -EINVAL},
        {"-1", TL_EAI_SERVICE},
        {"80 ", TL_EAI_SERVICE},
        {"0x50", TL_EAI_SERVICE},
        {"1.5", TL_EAI_SERVICE},
        {"no such service", TL_EAI_SERVICE},
    };
    static const char *const hosts[] = {"127.0.0.1"};
    tl_loop *loop = contract_loop(contract);
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        const char *port = ports[i].port;
        fails(loop, tl_loop_create_connection(loop, no_protocol, NULL, hosts[0], port, NULL),
              ports[i].code);
        fails(loop, tl_loop_create_server(loop, no_protocol, NULL, hosts, 1, port, NULL),
              ports[i].code);
    }
    loop_end(loop);
}

/* Asked in a way that no name server is. */
static void bad_names(struct contract *contract)
{
    static char label[400], endless[70000];
    const char *const names[] = {"256.1.1.1", "1.1.1.1.1", "[::1]", "::1%nowhere", "%",   "a..b",
                                 "-",         "a b",       "::1::", "\xff\xfe",    label, endless};
    const tl_connection_opts opts = {.flags = TL_AI_NUMERICHOST};
    const tl_server_opts server_opts = {.flags = TL_AI_NUMERICHOST};
    tl_loop *loop = contract_loop(contract);
    memset(label, 'l', sizeof label - 1);
    memset(endless, 'e', sizeof endless - 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fails(loop, tl_loop_create_connection(loop, no_protocol, NULL, names[i], "1", &opts),
              TL_EAI_NONAME);
        fails(loop, tl_loop_create_server(loop, no_protocol, NULL, &names[i], 1, "0", &server_opts),
              TL_EAI_NONAME);
    }
    loop_end(loop);
}

static void bad_families(struct contract *contract)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const int families[] = {TL_FAMILY_UNIX, 77, -1};
    tl_loop *loop = contract_loop(contract);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        fails(loop,
              tl_loop_create_connection(loop, no_protocol, NULL, hosts[0], "1",
                                        &(tl_connection_opts){.family = families[i]}),
              TL_EAI_FAMILY);
        refused(tl_loop_create_server(loop, no_protocol, NULL, hosts, 1, "0",
                                      &(tl_server_opts){.family = families[i]}),
                -EINVAL);
    }
    fails(loop,
          tl_loop_create_connection(loop, no_protocol, NULL, hosts[0], "1",
                                    &(tl_connection_opts){.family = TL_FAMILY_INET6}),
          TL_EAI_ADDRFAMILY);
    refused(tl_loop_create_server(loop, no_protocol, NULL, hosts, 1, "0",
                                  &(tl_server_opts){.backlog = -1}),
            -EINVAL);
    refused(tl_loop_create_connection(loop, no_protocol, NULL, hosts[0], "1",
                                      &(tl_connection_opts){.happy_eyeballs_delay = -1}),
            -EINVAL);
    loop_end(loop);
}

static void no_descriptors(struct contract *contract)
{
    static const int numbers[] = {-1, INT_MIN, 100000, INT_MAX};
    tl_loop *loop = contract_loop(contract);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const tl_socket none = {numbers[i]};
        refused(tl_loop_connect_read_pipe(loop, no_protocol, NULL, none.fd), -EBADF);
        refused(tl_loop_connect_write_pipe(loop, no_protocol, NULL, none.fd), -EBADF);
        refused(tl_loop_connect_accepted_socket(loop, no_protocol, NULL, none, NULL), -EBADF);
        refused(tl_loop_create_connection(loop, no_protocol, NULL, NULL, NULL,
                                          &(tl_connection_opts){.sock = &none}),
                -EBADF);
        refused(tl_loop_create_server(loop, no_protocol, NULL, NULL, 0, NULL,
                                      &(tl_server_opts){.sock = &none}),
                -EBADF);
        refused(tl_loop_create_datagram_endpoint(loop, no_protocol, NULL, NULL, NULL,
                                                 &(tl_datagram_opts){.sock = &none}),
                -EBADF);
        refused(tl_loop_sock_recv(loop, none, 1), -EBADF);
        refused(tl_loop_sock_accept(loop, none), -EBADF);
        refused(tl_loop_sock_sendall(loop, none, "x", 1), -EBADF);
        assert_int_equal(tl_loop_add_reader(loop, none, never, NULL), -EBADF);
        assert_int_equal(tl_loop_add_writer(loop, none, never, NULL), -EBADF);
        assert_int_equal(tl_loop_remove_reader(loop, none), 0);
        assert_int_equal(tl_socket_close(loop, none), -EBADF);
        assert_int_equal(tl_loop_close_file(loop, none.fd), -EBADF);
    }
    loop_end(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(scheduling_on_a_closed_loop),
    CONTRACT(connecting_on_a_closed_loop),
    CONTRACT(descriptors_on_a_closed_loop),
    CONTRACT(nothing_to_call),
    CONTRACT(nowhere_to_go),
    CONTRACT_ONLY(no_loop, CONTRACT_REAL | CONTRACT_SIM),
    CONTRACT(bad_ports),
    CONTRACT(bad_names),
    CONTRACT(bad_families),
    CONTRACT(no_descriptors),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "refusals", cases, sizeof cases / sizeof cases[0]);
}
