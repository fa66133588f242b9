/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzzer's clients: plain operations on a kernel that nobody polls.
 *
 * What a client sees is told to the target's checks as soon as it is seen. A client that finds its
 * connection ended keeps the descriptor, as a program would that has not noticed yet, until the
 * conversation closes it or ends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <twinloop/error.h>

#include "explore/fuzz.h"
#include "sim/endpoint.h"

void tl_fuzz_log(const tl_fuzzer *fuzzer, const char *format, ...)
{
    va_list args;
    if (fuzzer->log == NULL)
        return;
    tl_time now = fuzzer->world->now;
    va_start(args, format);
    fprintf(fuzzer->log, "%" PRId64 ".%09" PRId64 " clients ", now / TL_SECOND, now % TL_SECOND);
    vfprintf(fuzzer->log, format, args);
    fputc('\n', fuzzer->log);
    va_end(args);
}

/* --- Opening and closing ---------------------------------------------------------------------- */

void tl_fuzz_client_open(tl_fuzzer *fuzzer, struct tl_fuzz_client *client)
{
    struct tl_kernel *kernel = &fuzzer->clients->base;
    struct tl_fuzz_connection *connection = &client->connection;
    size_t size = fuzzer->target->state_size;
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    tl_fuzz_log(fuzzer, "open %u", connection->number);
    if (fd < 0)
        return;
    client->fd = fd;
    fuzzer->open |= 1u << connection->number;
    client->endpoint = tl_endpoint_of(tl_fds_get(&fuzzer->clients->process->fds, fd));
    connection->reading = true;
    connection->half_closed = connection->ended = false;
    if (size > 0)
        memset(connection->state, 0, size);
    int r = kernel->ops->connect(kernel, fd, &fuzzer->address);
    connection->reset = r < 0 && r != -EINPROGRESS;
}

bool tl_fuzz_client_connecting(const struct tl_fuzz_client *client)
{
    return client->fd >= 0 && client->endpoint->state == TL_TCP_SYN_SENT;
}

void tl_fuzz_client_half_close(tl_fuzzer *fuzzer, struct tl_fuzz_client *client)
{
    struct tl_kernel *kernel = &fuzzer->clients->base;
    if (client->fd < 0 || client->connection.half_closed)
        return;
    tl_fuzz_log(fuzzer, "half-close %u", client->connection.number);
    if (kernel->ops->shutdown(kernel, client->fd, TL_SHUTDOWN_WRITE) == 0)
        client->connection.half_closed = true;
}

void tl_fuzz_client_close(tl_fuzzer *fuzzer, struct tl_fuzz_client *client, bool reset)
{
    struct tl_kernel *kernel = &fuzzer->clients->base;
    if (client->fd < 0)
        return;
    tl_fuzz_log(fuzzer, "%s %u", reset ? "reset" : "close", client->connection.number);
    struct tl_endpoint *endpoint = client->endpoint;
    if (reset && endpoint->state != TL_TCP_CLOSED && endpoint->state != TL_TCP_SYN_SENT) {
        tl_endpoint_set_closed(endpoint);
        tl_travel_reset(endpoint);
    }
    (void)kernel->ops->close(kernel, client->fd);
    client->fd = -1;
    fuzzer->open &= ~(1u << client->connection.number);
    if (fuzzer->target->closed != NULL)
        fuzzer->target->closed(&client->connection);
}

/* --- Bytes ------------------------------------------------------------------------------------ */

void tl_fuzz_client_send(tl_fuzzer *fuzzer, struct tl_fuzz_client *client, const uint8_t *data,
                         size_t len)
{
    struct tl_kernel *kernel = &fuzzer->clients->base;
    ssize_t n = 1;
    tl_fuzz_log(fuzzer, "send %zu bytes on %u", len, client->connection.number);
    while (n > 0 && len > 0) {
        struct iovec iov = {(void *)(uintptr_t)data, len};
        struct tl_message message = {.iov = &iov, .iov_count = 1};
        n = kernel->ops->write(kernel, client->fd, &message, 1);
        if (n <= 0)
            break;
        if (fuzzer->target->sent != NULL)
            fuzzer->target->sent(&client->connection, data, (size_t)n);
        data += n;
        len -= (size_t)n;
    }
    if (n < 0 && n != -EAGAIN)
        client->connection.reset = true;
}

/* Whether a read would say something. */
static bool has_news(const struct tl_endpoint *endpoint)
{
    return tl_endpoint_unread(endpoint) > 0 || endpoint->fin_received || endpoint->error != 0 ||
           endpoint->state == TL_TCP_CLOSED;
}

void tl_fuzz_client_read(tl_fuzzer *fuzzer, struct tl_fuzz_client *client)
{
    struct tl_kernel *kernel = &fuzzer->clients->base;
    struct tl_fuzz_connection *connection = &client->connection;
    while (client->fd >= 0 && connection->reading && !connection->ended &&
           has_news(client->endpoint)) {
        struct iovec iov = {fuzzer->buffer, sizeof fuzzer->buffer};
        struct tl_message message = {.iov = &iov, .iov_count = 1};
        ssize_t n = kernel->ops->read(kernel, client->fd, &message, 1);
        connection->ended = n <= 0;
        if (n < 0)
            connection->reset = true;
        if (n > 0 && fuzzer->target->received != NULL)
            fuzzer->target->received(connection, fuzzer->buffer, (size_t)n);
    }
}
