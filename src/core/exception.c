/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception handler: where the errors go that have no caller to go to.
 *
 * A report is one synchronous call, and a handler may do anything, also what is reported in its
 * turn. In C a handler cannot raise; what stands for it is a report made while it runs. That goes
 * to the default handler, as asyncio has it. The default handler in its turn calls the program's
 * log handler: a report from in there is logged once more, and the next one dropped. So a report
 * has at most three others inside it.
 */
#include <errno.h>
#include <string.h>

#include "core/debug.h"
#include "core/handle.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/transport.h"

enum { DEFAULTING_MAX = 2, CAUSES_MAX = 16 };

/* asyncio: an object's own origin says more than that of the callback in which it was reported. */
static tl_exc_context with_handle_traceback(const tl_loop *loop, const tl_exc_context *context)
{
    tl_exc_context told = *context;
    const struct tl_executing *executing = loop->executing;
    if (told.source_traceback == NULL && told.handle_traceback == NULL && executing != NULL &&
        executing->traced)
        told.handle_traceback = &executing->created;
    return told;
}

int tl_loop_set_exception_handler(tl_loop *loop, tl_exception_handler handler, void *arg)
{
    if (loop == NULL)
        return -EINVAL;
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
    char bytes[4000]; /* what a log message holds */
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

static void add_error(struct text *text, const tl_error *error)
{
    for (int i = 0; error != NULL && i < CAUSES_MAX; i++, error = error->cause) {
        add(text, "\n");
        add(text, i == 0 ? "exception: " : "  caused by: ");
        add(text, tl_err_name(error->code));
        add(text, ": ");
        add(text, error->message != NULL ? error->message : tl_strerror(error->code));
    }
}

static void add_traceback(struct text *text, const char *label, const tl_traceback *traceback)
{
    char frame[256];
    if (traceback == NULL)
        return;
    add(text, "\n");
    add(text, label);
    for (unsigned i = 0; tl_traceback_frame(traceback, i, frame, sizeof frame) == 0; i++) {
        add(text, "\n  ");
        add(text, frame);
    }
}

/* Addresses would make the same run read differently each time. */
static void add_present(struct text *text, const char *line, const void *object)
{
    if (object != NULL)
        add(text, line);
}

static void add_future(struct text *text, const tl_future *future)
{
    if (future == NULL)
        return;
    if (!tl_future_done(future))
        add(text, "\nfuture: pending");
    else
        add(text, tl_future_cancelled(future) ? "\nfuture: cancelled" : "\nfuture: done");
}

static void add_handle(struct text *text, const tl_handle *handle)
{
    char name[256];
    if (handle == NULL)
        return;
    tl_debug_callback_name(handle->callback, name, sizeof name);
    add(text, "\nhandle: ");
    add(text, name);
}

static void add_socket(struct text *text, const tl_addr *addr)
{
    char name[TL_ADDR_TEXT_MAX];
    if (addr == NULL)
        return;
    add(text, "\nsocket: ");
    add(text, tl_addr_format(addr, name, sizeof name));
}

static void add_transport(struct text *text, const tl_transport *transport)
{
    if (transport != NULL)
        add(text,
            tl_transport_is_closing(transport) ? "\ntransport: closing" : "\ntransport: open");
}

static void add_task(struct text *text, tl_task *task)
{
    if (task == NULL)
        return;
    add(text, "\ntask: ");
    add(text, tl_task_get_name(task));
    add(text, tl_future_done(tl_task_future(task)) ? ", done" : ", pending");
}

/* One message, with a few words before it. */
static void log_report(tl_loop *loop, const tl_exc_context *context, const char *opening)
{
    if (loop->defaulting == DEFAULTING_MAX)
        return;
    const tl_exc_context told = with_handle_traceback(loop, context);
    bool said = told.message != NULL && told.message[0] != '\0';
    struct text text = {.len = 0};
    add(&text, loop->defaulting > 0 ? "Exception in default exception handler: " : opening);
    add(&text, said ? told.message : "Unhandled exception in event loop");
    add_present(&text, "\nasyncgen: present", told.asyncgen);
    add_error(&text, told.exception);
    add_future(&text, told.future);
    add_handle(&text, told.handle);
    add_traceback(&text, "handle_traceback:", told.handle_traceback);
    add_present(&text, "\nprotocol: present", told.protocol);
    add_present(&text, "\nserver: present", told.server);
    add_socket(&text, told.socket);
    add_traceback(&text, "source_traceback:", told.source_traceback);
    add_task(&text, told.task);
    add_transport(&text, told.transport);
    tl_loop_ref(loop); /* the log handler may free it */
    loop->defaulting++;
    tl_log(TL_LOG_ERROR, "%s", text.bytes);
    loop->defaulting--;
    tl_loop_unref(loop);
}

void tl_loop_default_exception_handler(tl_loop *loop, const tl_exc_context *context)
{
    if (loop != NULL && context != NULL)
        log_report(loop, context, "");
}

void tl_loop_call_exception_handler(tl_loop *loop, const tl_exc_context *context)
{
    if (loop == NULL || context == NULL)
        return;
    tl_exception_handler handler = loop->exception_handler;
    if (handler == NULL || loop->handling) {
        log_report(loop, context, handler != NULL ? "Unhandled error in exception handler: " : "");
        return;
    }
    const tl_exc_context told = with_handle_traceback(loop, context);
    tl_loop_ref(loop); /* the handler may free it */
    loop->handling = true;
    handler(loop, &told, loop->exception_arg);
    loop->handling = false;
    tl_loop_unref(loop);
}

void tl_loop_report(tl_loop *loop, const char *message, int code, tl_protocol *protocol,
                    tl_transport *transport)
{
    const tl_error error = {.code = code, .message = tl_strerror(code)};
    const tl_exc_context context = {
        .message = message,
        .exception = code < 0 ? &error : NULL,
        .protocol = protocol,
        .source_traceback = tl_transport_origin(transport),
        .transport = transport,
    };
    tl_loop_call_exception_handler(loop, &context);
}
