/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception handler: where the errors go that have no caller to go to.
 *
 * In C a handler cannot raise, so the only protection it needs is against its own reports: there is
 * none, for a report is one synchronous call.
 */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/loop.h"

void tl_loop_call_exception_handler(tl_loop *loop, const tl_exc_context *context)
{
    if (loop->exception_handler != NULL)
        loop->exception_handler(loop, context, loop->exception_arg);
    else
        tl_loop_default_exception_handler(loop, context);
}

int tl_loop_set_exception_handler(tl_loop *loop, tl_exception_handler handler, void *arg)
{
    loop->exception_handler = handler;
    loop->exception_arg = handler != NULL ? arg : NULL;
    return 0;
}

tl_exception_handler tl_loop_get_exception_handler(const tl_loop *loop, void **ret_arg)
{
    if (ret_arg != NULL)
        *ret_arg = loop->exception_arg;
    return loop->exception_handler;
}

/* A text that grows to its end and is then cut. */
struct text {
    char bytes[2048];
    size_t len;
};

static void add(struct text *text, const char *piece)
{
    size_t room = sizeof text->bytes - 1 - text->len;
    size_t len = strlen(piece);
    if (len > room)
        len = room;
    memcpy(text->bytes + text->len, piece, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

static void add_error(struct text *text, const char *label, const tl_error *error)
{
    add(text, "\n");
    add(text, label);
    add(text, tl_err_name(error->code));
    add(text, ": ");
    add(text, error->message);
    if (error->cause != NULL)
        add_error(text, "  caused by: ", error->cause);
}

static const char *future_state(const tl_future *future)
{
    if (!tl_future_done(future))
        return "pending";
    return tl_future_cancelled(future) ? "cancelled" : "done";
}

void tl_loop_default_exception_handler(tl_loop *loop, const tl_exc_context *context)
{
    (void)loop;
    struct text text = {.len = 0};
    bool said = context->message != NULL && context->message[0] != '\0';
    add(&text, said ? context->message : "Unhandled exception in event loop");
    /* asyncio: the members by name. Addresses would make the same run read differently each time.
     */
    if (context->exception != NULL)
        add_error(&text, "exception: ", context->exception);
    if (context->future != NULL) {
        add(&text, "\nfuture: ");
        add(&text, future_state(context->future));
    }
    if (context->protocol != NULL)
        add(&text, "\nprotocol: present");
    if (context->server != NULL)
        add(&text, "\nserver: present");
    if (context->transport != NULL)
        add(&text, tl_transport_is_closing(context->transport) ? "\ntransport: closing"
                                                               : "\ntransport: open");
    tl_log(TL_LOG_ERROR, "%s", text.bytes);
}

void tl_loop_report(tl_loop *loop, const char *message, int code, tl_protocol *protocol,
                    tl_transport *transport)
{
    const tl_error error = {.code = code, .message = tl_strerror(code)};
    const tl_exc_context context = {
        .message = message,
        .exception = code < 0 ? &error : NULL,
        .protocol = protocol,
        .transport = transport,
    };
    tl_loop_call_exception_handler(loop, &context);
}
