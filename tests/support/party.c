/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two datagram endpoints in one loop; see party.h.
 */
#include "support/party.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct party *party_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct party, protocol);
}

void party_note(struct party *party, const char *format, ...)
{
    size_t len = strlen(party->log);
    va_list args;

    va_start(args, format);
    (void)snprintf(party->log + len, sizeof party->log - len, "%s", len > 0 ? " " : "");
    len = strlen(party->log);
    (void)vsnprintf(party->log + len, sizeof party->log - len, format, args);
    va_end(args);
}

static int party_made(tl_protocol *protocol, tl_transport *transport)
{
    struct party *party = party_of(protocol);
    party->transport = tl_transport_ref(transport);
    party_note(party, "made");
    return party->deeds.made != NULL ? party->deeds.made(party) : 0;
}

static void party_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct party *party = party_of(protocol);
    party_note(party, exc != NULL ? "lost:%s" : "lost", exc != NULL ? tl_err_name(exc->code) : "");
    if (party->stop_at_end)
        tl_loop_stop(party->loop);
}

static int party_pause(tl_protocol *protocol)
{
    party_note(party_of(protocol), "pause");
    return 0;
}

static int party_resume(tl_protocol *protocol)
{
    struct party *party = party_of(protocol);
    party_note(party, "resume");
    return party->deeds.resume != NULL ? party->deeds.resume(party) : 0;
}

static int party_received(tl_protocol *protocol, const void *data, size_t len, const tl_addr *from)
{
    struct party *party = party_of(protocol);
    int r = 0;
    party_note(party, "(%.*s)", (int)(len < 20 ? len : 20), (const char *)data);
    if (party->deeds.received != NULL)
        r = party->deeds.received(party, data, len, from);
    if (++party->received == party->awaited)
        tl_loop_stop(party->loop);
    return r;
}

static int party_error(tl_protocol *protocol, const tl_error *exc)
{
    struct party *party = party_of(protocol);
    assert_string_equal(exc->message, tl_strerror(exc->code));
    party_note(party, "error:%s", tl_err_name(exc->code));
    return party->deeds.error != NULL ? party->deeds.error(party, exc->code) : 0;
}

static void party_release(tl_protocol *protocol)
{
    party_note(party_of(protocol), "released");
}

static const struct tl_protocol_ops party_ops = {
    .kind = TL_PROTOCOL_DATAGRAM,
    .connection_made = party_made,
    .connection_lost = party_lost,
    .pause_writing = party_pause,
    .resume_writing = party_resume,
    .datagram_received = party_received,
    .error_received = party_error,
    .release = party_release,
};

tl_protocol *party_factory(void *farg)
{
    struct party *party = farg;
    party->protocol = TL_PROTOCOL_INIT(&party_ops);
    return &party->protocol;
}

int party_open(struct party *party, tl_loop *loop, const tl_addr *local, const tl_addr *remote,
               const tl_datagram_opts *opts)
{
    tl_value value = tl_value_none();
    party->loop = loop;
    tl_future *future =
        tl_loop_create_datagram_endpoint(loop, party_factory, party, local, remote, opts);
    int r = tl_loop_run_until_complete(loop, future, &value);
    if (r < 0)
        return r;
    const tl_pair *pair = tl_value_pair(&value);
    assert_ptr_equal(pair->transport, party->transport);
    assert_ptr_equal(pair->protocol, &party->protocol);
    const tl_value *name = tl_transport_get_extra_info(party->transport, "sockname", NULL);
    if (name != NULL && name->kind == TL_VALUE_POINTER) /* memory may be out */
        party->addr = *(const tl_addr *)name->pointer;
    tl_value_finish(&value);
    return 0;
}

tl_addr numeric(const char *host, uint16_t port)
{
    tl_addr addr;
    assert_int_equal(tl_addr_parse(host, port, &addr), 0);
    return addr;
}

/* --- Two of them --- */

static void on_exception(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct parties *parties = arg;
    size_t len = strlen(parties->errors);
    (void)loop;
    (void)snprintf(parties->errors + len, sizeof parties->errors - len, "%s: %s\n",
                   context->message,
                   context->exception != NULL ? tl_err_name(context->exception->code) : "");
}

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("what the test waits for does not happen");
}

void parties_open_loop(struct parties *parties, struct contract *contract)
{
    memset(parties, 0, sizeof *parties);
    parties->loop = contract_loop(contract);
    tl_loop_set_exception_handler(parties->loop, on_exception, parties);
    assert_int_equal(
        tl_loop_call_later(parties->loop, 30 * TL_SECOND, too_long, NULL, &parties->guard), 0);
}

void parties_open(struct parties *parties, struct contract *contract, const tl_datagram_opts *opts)
{
    tl_addr local = numeric("127.0.0.1", 0);
    parties_open_loop(parties, contract);
    assert_int_equal(party_open(&parties->one, parties->loop, &local, NULL, opts), 0);
    assert_int_equal(party_open(&parties->two, parties->loop, &local, NULL, NULL), 0);
}

void parties_close(struct parties *parties)
{
    tl_timer_handle_cancel(parties->guard);
    tl_timer_handle_unref(parties->guard);
    tl_transport_unref(parties->one.transport);
    tl_transport_unref(parties->two.transport);
    tl_loop_free(parties->loop);
}

int party_send(struct party *party, const char *text, const tl_addr *addr)
{
    return tl_datagram_transport_sendto(party->transport, text, strlen(text), addr);
}

void party_await(struct party *party, int count)
{
    if (party->received >= count)
        return;
    party->awaited = count;
    assert_int_equal(tl_loop_run_forever(party->loop), 0);
    party->awaited = 0;
}

void party_await_end(struct party *party)
{
    party->stop_at_end = true;
    assert_int_equal(tl_loop_run_forever(party->loop), 0);
}

static void stop(void *arg)
{
    tl_loop_stop(arg);
}

bool loop_try_turn(tl_loop *loop)
{
    if (tl_loop_call_soon(loop, stop, loop, NULL) < 0)
        return false;
    assert_int_equal(tl_loop_run_forever(loop), 0);
    return true;
}

void loop_turn(tl_loop *loop)
{
    assert_true(loop_try_turn(loop));
}
