/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram endpoints: what the kernel says against sending and receiving, and who is told.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/party.h"
#include "support/patch.h"

static void without_an_address_there_is_nowhere_to_send(struct contract *contract)
{
    struct parties parties;
    parties_open(&parties, contract, NULL);
    const tl_addr none = {.family = TL_FAMILY_NONE};
    assert_int_equal(party_send(&parties.one, "x", NULL), -EDESTADDRREQ);
    assert_int_equal(party_send(&parties.one, "x", &none), -EDESTADDRREQ);
    assert_false(tl_transport_is_closing(parties.one.transport));
    assert_int_equal(party_send(&parties.one, "y", &parties.two.addr), 0);
    party_await(&parties.two, 1);
    assert_string_equal(parties.one.log, "made");
    parties_close(&parties);
}

static void an_error_of_sending_is_told_inside_the_call(struct contract *contract)
{
    struct parties parties;
    char *large = calloc(1, 70000);
    parties_open(&parties, contract, NULL);
    assert_int_equal(
        tl_datagram_transport_sendto(parties.one.transport, large, 70000, &parties.two.addr), 0);
    assert_string_equal(parties.one.log, "made error:EMSGSIZE");
    assert_int_equal(party_send(&parties.one, "next", &parties.two.addr), 0);
    party_await(&parties.two, 1);
    assert_string_equal(parties.two.log, "made (next)");
    free(large);
    parties_close(&parties);
}

static int stop_on_error(struct party *party, int code)
{
    (void)code;
    tl_loop_stop(party->loop);
    return -EPROTO;
}

static void a_refusal_is_told_and_the_endpoint_goes_on(struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    struct parties parties;
    parties_open(&parties, contract, NULL);
    struct party client = {.deeds = {.error = stop_on_error}};
    tl_addr server = parties.two.addr;
    tl_transport_close(parties.two.transport);
    party_await_end(&parties.two);
    assert_int_equal(party_open(&client, parties.loop, &local, &server, NULL), 0);
    assert_int_equal(party_send(&client, "anybody?", NULL), 0);
    assert_int_equal(tl_loop_run_forever(parties.loop), 0);
    assert_string_equal(client.log, "made error:ECONNREFUSED");
    assert_string_equal(parties.errors,
                        "Exception in callback protocol.error_received(): EPROTO\n");

    tl_transport_unref(parties.two.transport);
    struct party again = {0};
    assert_int_equal(party_open(&again, parties.loop, &server, NULL, NULL), 0);
    assert_int_equal(party_send(&client, "now?", NULL), 0);
    party_await(&again, 1);
    assert_string_equal(again.log, "made (now?)");
    parties.two.transport = again.transport;
    tl_transport_unref(client.transport);
    parties_close(&parties);
}

/* --- Datagrams that are too long to be read --- */

struct cutting {
    struct kernel_patch patch;
    int cut; /* datagrams before the one that is said to have been longer */
};

static ssize_t cutting_read(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                            size_t count)
{
    struct cutting *cutting = tl_container_of(kernel_patch(kernel), struct cutting, patch);
    ssize_t n = cutting->patch.inner->read(kernel, fd, messages, count);
    ssize_t received = count == 1 && n >= 0 ? 1 : n;
    for (ssize_t i = 0; i < received; i++)
        messages[i].truncated = cutting->cut-- == 0;
    return n;
}

/* Part of a datagram is none, and those around it arrive. */
static void one_that_is_too_long_is_an_error(struct contract *contract)
{
    struct parties parties;
    struct cutting cutting = {.cut = 1};
    parties_open(&parties, contract, NULL);
    kernel_patch_apply(&cutting.patch, tl_loop_kernel(parties.loop));
    cutting.patch.ops.read = cutting_read;
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "two", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "three", &parties.two.addr), 0);
    party_await(&parties.two, 2);
    assert_string_equal(parties.two.log, "made (one) error:EMSGSIZE (three)");
    parties_close(&parties);
}

static int close_on_error(struct party *party, int code)
{
    (void)code;
    party->stop_at_end = true;
    tl_transport_close(party->transport);
    return 0;
}

static void an_error_of_receiving_may_close(struct contract *contract)
{
    struct parties parties;
    struct cutting cutting = {.cut = 0};
    parties_open(&parties, contract, NULL);
    kernel_patch_apply(&cutting.patch, tl_loop_kernel(parties.loop));
    cutting.patch.ops.read = cutting_read;
    parties.two.deeds.error = close_on_error;
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "two", &parties.two.addr), 0);
    party_await_end(&parties.two);
    assert_string_equal(parties.two.log, "made error:EMSGSIZE lost released");
    parties_close(&parties);
}

static const struct contract_case cases[] = {
    CONTRACT(without_an_address_there_is_nowhere_to_send),
    CONTRACT(an_error_of_sending_is_told_inside_the_call),
    CONTRACT(a_refusal_is_told_and_the_endpoint_goes_on),
    CONTRACT(one_that_is_too_long_is_an_error),
    CONTRACT(an_error_of_receiving_may_close),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagram_errors", cases, sizeof cases / sizeof *cases);
}
