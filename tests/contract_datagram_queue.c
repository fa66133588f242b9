/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram endpoints, sending: what waits because the kernel takes nothing, or to be sent together.
 *
 * A loopback takes every datagram, so a patched kernel is asked that says no for a while.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/party.h"
#include "support/patch.h"
#include "support/warnings.h"

/* --- A kernel that takes nothing for a while --- */

struct full {
    struct kernel_patch patch;
    int room;        /* datagrams that are still taken; negative: any number */
    int error;       /* what the next write says, once; 0: nothing */
    int writes;      /* calls that took something */
    unsigned wanted; /* what was last asked to be watched */
};

static ssize_t full_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                          size_t count)
{
    struct full *full = tl_container_of(kernel_patch(kernel), struct full, patch);
    int error = full->error;
    size_t asked = count;
    if (error != 0) {
        full->error = 0;
        return error;
    }
    if (full->room == 0)
        return -EAGAIN;
    if (full->room > 0 && count > (size_t)full->room)
        count = (size_t)full->room;
    if (full->room > 0)
        full->room -= (int)count;
    full->writes++;
    ssize_t n = full->patch.inner->write(kernel, fd, messages, count);
    assert_true(n >= 0);
    /* Of several the number is wanted, also when only one is taken. */
    return asked > 1 && count == 1 ? 1 : n;
}

static int full_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct full *full = tl_container_of(kernel_patch(kernel), struct full, patch);
    full->wanted = events;
    return full->patch.inner->watch(kernel, fd, events, token);
}

static void fill(struct full *full, struct parties *parties, int room)
{
    memset(full, 0, sizeof *full);
    kernel_patch_apply(&full->patch, tl_loop_kernel(parties->loop));
    full->patch.ops.write = full_write;
    full->patch.ops.watch = full_watch;
    full->room = room;
}

static void what_is_not_taken_waits_its_turn(struct contract *contract)
{
    struct parties parties;
    struct full full;
    parties_open(&parties, contract, NULL);
    fill(&full, &parties, 1);
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "two", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "four", &parties.two.addr), 0);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 7 + 3 * 8);
    loop_turn(parties.loop);
    loop_turn(parties.loop);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 7 + 3 * 8);
    assert_int_equal(full.wanted, TL_READABLE | TL_WRITABLE);
    full.room = 2;
    full.writes = 0;
    loop_turn(parties.loop);
    assert_int_equal(full.writes, 1);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 4 + 8);
    full.room = -1;
    party_await(&parties.two, 4);
    assert_string_equal(parties.two.log, "made (one) (two) () (four)");
    assert_int_equal(full.wanted, TL_READABLE);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 0);
    assert_string_equal(parties.one.log, "made");
    parties_close(&parties);
}

static void writing_pauses_and_resumes(struct contract *contract)
{
    struct parties parties;
    struct full full;
    parties_open(&parties, contract, NULL);
    fill(&full, &parties, 0);
    assert_int_equal(tl_transport_set_write_buffer_limits(parties.one.transport, 25, 12), 0);
    assert_int_equal(party_send(&parties.one, "0123", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "01234", &parties.two.addr), 0);
    assert_string_equal(parties.one.log, "made");
    assert_int_equal(party_send(&parties.one, "x", &parties.two.addr), 0);
    assert_string_equal(parties.one.log, "made pause");
    full.room = 1;
    loop_turn(parties.loop);
    assert_string_equal(parties.one.log, "made pause");
    full.room = 1;
    loop_turn(parties.loop);
    assert_string_equal(parties.one.log, "made pause resume");
    full.room = -1;
    party_await(&parties.two, 3);
    parties_close(&parties);
}

static void closing_sends_what_is_queued(struct contract *contract)
{
    struct parties parties;
    struct full full;
    parties_open(&parties, contract, NULL);
    fill(&full, &parties, 0);
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "two", &parties.two.addr), 0);
    tl_transport_close(parties.one.transport);
    assert_true(tl_transport_is_closing(parties.one.transport));
    assert_int_equal(party_send(&parties.one, "three", &parties.two.addr), TL_ECLOSED);
    loop_turn(parties.loop);
    assert_string_equal(parties.one.log, "made");
    full.room = -1;
    party_await(&parties.two, 2);
    assert_string_equal(parties.one.log, "made lost released");
    assert_string_equal(parties.two.log, "made (one) (two)");
    parties_close(&parties);
}

static void aborting_drops_what_is_queued(struct contract *contract)
{
    struct parties parties;
    struct full full;
    parties_open(&parties, contract, NULL);
    fill(&full, &parties, 0);
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    tl_transport_close(parties.one.transport);
    tl_datagram_transport_abort(parties.one.transport);
    tl_datagram_transport_abort(parties.one.transport);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 0);
    assert_string_equal(parties.one.log, "made");
    full.room = -1;
    party_await_end(&parties.one);
    assert_string_equal(parties.one.log, "made lost released");
    assert_int_equal(full.writes, 0);
    parties_close(&parties);
}

static void an_error_ends_a_round_of_sending(struct contract *contract)
{
    struct parties parties;
    struct full full;
    parties_open(&parties, contract, NULL);
    fill(&full, &parties, 0);
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    assert_int_equal(party_send(&parties.one, "two", &parties.two.addr), 0);
    full.room = -1;
    full.error = -ENOBUFS;
    loop_turn(parties.loop);
    assert_string_equal(parties.one.log, "made error:ENOBUFS");
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 3 + 8);
    party_await(&parties.two, 1);
    assert_string_equal(parties.two.log, "made (two)");
    parties_close(&parties);
}

static int abort_on_error(struct party *party, int code)
{
    (void)code;
    tl_transport_abort(party->transport);
    return 0;
}

static int close_on_error(struct party *party, int code)
{
    (void)code;
    tl_transport_close(party->transport);
    return 0;
}

static void a_callback_may_close_and_abort(struct contract *contract)
{
    int (*deeds[])(struct party *, int) = {abort_on_error, close_on_error};
    for (int i = 0; i < 2; i++) {
        struct parties parties;
        struct full full;
        parties_open(&parties, contract, NULL);
        parties.one.deeds.error = deeds[i];
        fill(&full, &parties, 0);
        assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
        assert_int_equal(party_send(&parties.one, "two", &parties.two.addr), 0);
        full.room = -1;
        full.error = -ENOBUFS;
        party_await_end(&parties.one);
        assert_string_equal(parties.one.log, "made error:ENOBUFS lost released");
        assert_int_equal(full.writes, i);
        parties_close(&parties);
    }
}

static void what_is_no_errno_ends_the_endpoint(struct contract *contract)
{
    struct parties parties;
    struct full full;
    parties_open(&parties, contract, NULL);
    fill(&full, &parties, -1);
    full.error = TL_EOUTOFREACH;
    assert_int_equal(party_send(&parties.one, "one", &parties.two.addr), 0);
    assert_true(tl_transport_is_closing(parties.one.transport));
    party_await_end(&parties.one);
    assert_string_equal(parties.one.log, "made lost:TL_EOUTOFREACH released");
    parties_close(&parties);
}

/* --- Together at the end of the iteration --- */

struct burst {
    struct parties *parties;
    int count;
};

static void send_burst(void *arg)
{
    struct burst *burst = arg;
    char text[12];
    for (int i = 0; i < burst->count; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        assert_int_equal(party_send(&burst->parties->one, text, &burst->parties->two.addr), 0);
    }
}

static void a_batch_leaves_at_the_end_of_the_iteration(struct contract *contract)
{
    static const tl_datagram_opts opts = {.batch_sends = true};
    struct parties parties;
    struct full full;
    struct burst burst = {&parties, 20};
    parties_open(&parties, contract, &opts);
    fill(&full, &parties, -1);
    assert_int_equal(tl_loop_call_soon(parties.loop, send_burst, &burst, NULL), 0);
    loop_turn(parties.loop);
    assert_int_equal(full.writes, 2);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 0);
    party_await(&parties.two, 20);
    assert_string_equal(parties.two.log, "made (0) (1) (2) (3) (4) (5) (6) (7) (8) (9) (10) (11) "
                                         "(12) (13) (14) (15) (16) (17) (18) (19)");
    /* Outside of a batch, and closed at once. */
    burst.count = 3;
    send_burst(&burst);
    tl_transport_close(parties.one.transport);
    party_await(&parties.two, 23);
    assert_string_equal(parties.one.log, "made lost released");
    parties_close(&parties);
}

static void late_datagrams_are_counted(struct contract *contract)
{
    struct parties parties;
    struct warnings warnings;
    parties_open(&parties, contract, NULL);
    warnings_start(&warnings);
    tl_transport_close(parties.one.transport);
    for (int i = 0; i < 7; i++)
        assert_int_equal(party_send(&parties.one, "late", &parties.two.addr), TL_ECLOSED);
    warnings_stop();
    assert_int_equal(warnings.count, 3); /* from the fifth on */
    assert_string_equal(warnings.last, "socket.send() raised exception.");
    party_await_end(&parties.one);
    assert_string_equal(parties.two.log, "made");
    parties_close(&parties);
}

static void a_batch_that_is_not_taken_waits(struct contract *contract)
{
    static const tl_datagram_opts opts = {.batch_sends = true};
    struct parties parties;
    struct full full;
    struct burst burst = {&parties, 3};
    parties_open(&parties, contract, &opts);
    fill(&full, &parties, 1);
    send_burst(&burst);
    loop_turn(parties.loop);
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 2 * (1 + 8));
    full.room = -1;
    party_await(&parties.two, 3);
    burst.count = 2;
    send_burst(&burst);
    tl_transport_abort(parties.one.transport);
    party_await_end(&parties.one);
    assert_string_equal(parties.one.log, "made lost released");
    parties_close(&parties);
}

/* --- A kernel that really takes no more --- */

static int stop_when_resumed(struct party *party)
{
    tl_loop_stop(party->loop);
    return 0;
}

/* A Unix-domain socket makes its writers wait, instead of dropping what they send. */
static void a_unix_socket_makes_its_writers_wait(struct contract *contract)
{
    static const tl_addr any = {.family = TL_FAMILY_UNIX};
    struct parties parties;
    parties_open_loop(&parties, contract);
    assert_int_equal(party_open(&parties.two, parties.loop, &any, NULL, NULL), 0);
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, &parties.two.addr, NULL), 0);
    parties.one.deeds.resume = stop_when_resumed;
    assert_int_equal(tl_transport_set_write_buffer_limits(parties.one.transport, 100, 0), 0);
    int sent = 0;
    while (strstr(parties.one.log, "pause") == NULL && sent < 10000) {
        assert_int_equal(party_send(&parties.one, "x", NULL), 0);
        sent++;
    }
    assert_int_equal(tl_transport_get_write_buffer_size(parties.one.transport), 12 * 9);
    assert_int_equal(tl_loop_run_forever(parties.loop), 0);
    assert_string_equal(parties.one.log, "made pause resume");
    party_await(&parties.two, sent);
    assert_string_equal(parties.errors, "");
    parties_close(&parties);
}

static int check_nobody(struct party *party, const char *data, size_t len, const tl_addr *from)
{
    (void)data;
    (void)len;
    party_note(party, from == NULL ? "from nobody" : "from somebody");
    return 0;
}

static void who_has_no_name_is_nobody(struct contract *contract)
{
    static const tl_addr any = {.family = TL_FAMILY_UNIX};
    struct parties parties;
    parties_open_loop(&parties, contract);
    parties.two.deeds.received = check_nobody;
    assert_int_equal(party_open(&parties.two, parties.loop, &any, NULL, NULL), 0);
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, &parties.two.addr, NULL), 0);
    assert_int_equal(party_send(&parties.one, "x", NULL), 0);
    party_await(&parties.two, 1);
    assert_string_equal(parties.two.log, "made (x) from nobody");

    /* A peer that has gone is told as an error of sending. */
    tl_transport_close(parties.two.transport);
    party_await_end(&parties.two);
    assert_int_equal(party_send(&parties.one, "y", NULL), 0);
    assert_string_equal(parties.one.log, "made error:ECONNREFUSED");
    parties_close(&parties);
}

/* A socket that was left behind at the path is taken away; anything else is in the way. */
static void a_socket_that_was_left_is_replaced(struct contract *contract)
{
    char path[64];
    tl_addr local;
    struct parties parties;
    parties_open_loop(&parties, contract);
    struct tl_kernel *kernel = tl_loop_kernel(parties.loop);
    (void)snprintf(path, sizeof path, "/tmp/twinloop-%d-datagrams", (int)getpid());
    assert_int_equal(tl_addr_unix(path, strlen(path), &local), 0);
    assert_int_equal(party_open(&parties.two, parties.loop, &local, NULL, NULL), 0);
    assert_true(tl_addr_equal(&parties.two.addr, &local));
    tl_transport_close(parties.two.transport);
    party_await_end(&parties.two);
    tl_transport_unref(parties.two.transport);

    memset(&parties.two, 0, sizeof parties.two);
    assert_int_equal(party_open(&parties.two, parties.loop, &local, NULL, NULL), 0);
    assert_int_equal(party_open(&parties.one, parties.loop, NULL, &local, NULL), 0);
    assert_int_equal(party_send(&parties.one, "x", NULL), 0);
    party_await(&parties.two, 1);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);

    int file = kernel->ops->open(kernel, path, TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_true(file >= 0);
    tl_future *future = tl_loop_create_datagram_endpoint(parties.loop, party_factory, &parties.one,
                                                         &local, NULL, NULL);
    assert_int_equal(tl_loop_run_until_complete(parties.loop, future, NULL), -EADDRINUSE);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    parties_close(&parties);
}

static const struct contract_case cases[] = {
    CONTRACT(what_is_not_taken_waits_its_turn),
    CONTRACT(writing_pauses_and_resumes),
    CONTRACT(closing_sends_what_is_queued),
    CONTRACT(aborting_drops_what_is_queued),
    CONTRACT(an_error_ends_a_round_of_sending),
    CONTRACT(a_callback_may_close_and_abort),
    CONTRACT(what_is_no_errno_ends_the_endpoint),
    CONTRACT(a_batch_leaves_at_the_end_of_the_iteration),
    CONTRACT(a_batch_that_is_not_taken_waits),
    CONTRACT(late_datagrams_are_counted),
    CONTRACT(a_unix_socket_makes_its_writers_wait),
    CONTRACT(who_has_no_name_is_nobody),
    CONTRACT(a_socket_that_was_left_is_replaced),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagram_queue", cases, sizeof cases / sizeof *cases);
}
