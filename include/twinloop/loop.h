/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop (Python's "Event Loop" page): obtaining one, running it, scheduling callbacks,
 * signals, and what happens to errors.
 *
 * One iteration is: drop cancelled timers; ask the kernel once, waiting no longer than the next
 * deadline (not at all when something is ready); queue what the kernel reported, a descriptor's
 * reader before its writer; queue the timers that are due, in the order of their deadlines, equal
 * ones in the order in which they were made; run exactly the callbacks that were queued by then.
 * What those callbacks queue runs in the next iteration, after another look at the kernel, so no
 * callback can starve the sockets.
 *
 * A loop is used on the thread that runs it. The only calls allowed from other threads are
 * tl_loop_call_soon_threadsafe and tl_loop_post_message.
 */
#ifndef TWINLOOP_LOOP_H
#define TWINLOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/error.h>
#include <twinloop/future.h>
#include <twinloop/handle.h>
#include <twinloop/value.h>

/* --- Obtaining a loop
 * ------------------------------------------------------------------------------ */

/* Row asyncio.get_running_loop. The loop that is running on this thread, borrowed. NULL with
 * tl_last_error() == TL_ENORUNNING when there is none; also in a child forked from a running loop.
 */
tl_loop *tl_get_running_loop(void);

/* Row asyncio.get_event_loop. The running loop, else what the policy says: by default this thread's
 * current loop, made on first use on the main thread only. Borrowed. 0, or TL_ENOLOOP, or what
 * making it said. */
int tl_get_event_loop(tl_loop **ret);

/* Row asyncio.set_event_loop. Makes loop, which may be NULL, this thread's current one. Borrowed.
 */
int tl_set_event_loop(tl_loop *loop);

/* Row asyncio.new_event_loop. A fresh loop of the policy's choice, neither running nor current; the
 * caller frees it with tl_loop_free. */
int tl_new_event_loop(tl_loop **ret);

/* --- Lifecycle
 * ------------------------------------------------------------------------------------- */

/* Row loop.run_until_complete. Runs until the future is done. Takes the future. 0 with the result
 * moved into *ret (NULL drops it); the future's error; -ECANCELED; TL_ECLOSED; -EALREADY when this
 * loop runs already; -EBUSY when another one runs on this thread; -EINVAL for NULL or a future of
 * another loop; TL_ESTOPPED when the loop was stopped first: the future then stays pending, and who
 * kept a reference may run it again. */
int tl_loop_run_until_complete(tl_loop *loop, tl_future *future, tl_value *ret);

/* Row loop.run_forever. Runs until tl_loop_stop. 0, or as run_until_complete. With nothing that
 * could ever wake it a real loop waits for ever, a simulated one returns TL_EDEADLOCK; a replay
 * that no longer fits returns TL_EDIVERGED. May be called again: what was queued survives between
 * runs. */
int tl_loop_run_forever(tl_loop *loop);

/* Row loop.stop. The loop returns after the iteration that runs now; called before a run, that run
 * makes one iteration that does not wait. Never fails. */
void tl_loop_stop(tl_loop *loop);

/* Row loop.close. Drops queued callbacks and timers without calling them, removes signal handlers,
 * closes the kernel; an executor's jobs that have not begun are dropped, one that has is waited
 * for. 0, also when repeated; -EBUSY when the loop is running. Open transports are not closed, but
 * cannot act any more. */
int tl_loop_close(tl_loop *loop);

/* Row loop.is_running. Whether a run is in progress; other threads may ask. */
bool tl_loop_is_running(const tl_loop *loop);

/* Row loop.is_closed. */
bool tl_loop_is_closed(const tl_loop *loop);

/* Closes the loop if need be and gives it back. Must not be called while it runs. Objects of the
 * loop that the program still holds keep the memory alive until their last unref. NULL is allowed.
 */
void tl_loop_free(tl_loop *loop);

/* --- Debugging
 * ------------------------------------------------------------------------------------- */

/* Row loop.set_debug. Off by default, on when TWINLOOP_DEBUG is set and not empty. Debug mode
 * changes what is said, not what happens: call_soon, call_later and call_at from a thread while
 * the loop runs on another return TL_ETHREAD; a slow callback is logged as "Executing NAME took
 * 0.250 seconds", from the next iteration on; futures, handles, transports, servers and the
 * loop's own sockets, pipes and files note where they were made; each of the latter that is
 * open when its loop is closed is reported to the exception handler ("unclosed transport" and
 * so on), with that place; a loop that is freed unclosed is logged. It reads the clock before
 * and after each callback. */
void tl_loop_set_debug(tl_loop *loop, bool enabled);

/* Row loop.get_debug. */
bool tl_loop_get_debug(const tl_loop *loop);

/* loop.slow_callback_duration: from how long on debug mode calls a callback slow; 100 ms at first.
 * 0, or -EINVAL for a negative duration. */
int tl_loop_set_slow_callback_duration(tl_loop *loop, tl_time duration);
tl_time tl_loop_get_slow_callback_duration(const tl_loop *loop);

/* Where something was made: the last calls that led there, at most ten, the innermost first. NULL
 * where a tl_traceback is expected is one without frames. */
typedef struct tl_traceback tl_traceback;
unsigned tl_traceback_depth(const tl_traceback *traceback);

/* Writes one of them as "function+0x12", or "program+0x1234" where the program's symbols are not at
 * hand, cut to fit. 0, or -EINVAL when there is no such frame. */
int tl_traceback_frame(const tl_traceback *traceback, unsigned index, char *text, size_t size);

/* --- Scheduling
 * ------------------------------------------------------------------------------------ */

/* Row loop.call_soon. callback(arg) runs once, in the next iteration, after what was queued before
 * it. ret, if not NULL, gets a handle, one reference of the caller's. 0, TL_ECLOSED, -EINVAL,
 * -ENOMEM. */
int tl_loop_call_soon(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret);

/* Row loop.call_soon_threadsafe. As call_soon, from any thread; wakes the loop. Callbacks of one
 * thread run in the order in which that thread gave them; for the thread that made the loop or ran
 * it last, also among its calls of call_soon. May race with tl_loop_close (TL_ECLOSED, or the
 * callback is dropped), not with tl_loop_free. */
int tl_loop_call_soon_threadsafe(tl_loop *loop, tl_callback callback, void *arg, tl_handle **ret);

/* What another thread has to say to a loop in bytes: the receiver of tl_loop_post_message. data is
 * valid for the call. */
typedef void (*tl_message_handler)(tl_loop *loop, uint32_t kind, const void *data, size_t len,
                                   void *arg);

/* Sets who receives this loop's messages; NULL for nobody. On the loop's thread. */
int tl_loop_set_message_handler(tl_loop *loop, tl_message_handler handler, void *arg);

/* From any thread: has the loop's message handler called with a copy of len bytes, in the order of
 * call_soon_threadsafe. kind is the program's own, to tell messages apart. A callback handed over
 * by call_soon_threadsafe lives in the memory of its program, so a replay needs the thread that
 * made it to make it again; a message is recorded by its content, and a replay delivers it without
 * any thread: what threads of the replaying program post is dropped. A message that finds no
 * handler is reported to the exception handler. 0, TL_ECLOSED, -EINVAL, -ENOMEM. */
int tl_loop_post_message(tl_loop *loop, uint32_t kind, const void *data, size_t len);

/* Row loop.call_later. callback(arg) runs once tl_loop_time has advanced by delay, never earlier. A
 * delay of 0 or less is due at once, but behind what is already queued. -ERANGE beyond the clock's
 * range. */
int tl_loop_call_later(tl_loop *loop, tl_time delay, tl_callback callback, void *arg,
                       tl_timer_handle **ret);

/* Row loop.call_at. As call_later, at an instant of tl_loop_time; TL_TIME_NEVER never fires. */
int tl_loop_call_at(tl_loop *loop, tl_time when, tl_callback callback, void *arg,
                    tl_timer_handle **ret);

/* loop.time(): the loop's clock now, monotonic nanoseconds from anywhere. Reads the clock. */
tl_time tl_loop_time(tl_loop *loop);

/* The loop's time as of this iteration: one reading, made when its wait ended or, while no timer
 * runs, when it is first asked for. */
tl_time tl_loop_iteration_time(tl_loop *loop);

/* --- Signals
 * --------------------------------------------------------------------------------------- */

/* Row loop.add_signal_handler. callback(arg) runs from the loop for each delivery of signum; a
 * second call replaces the first. Main thread only (TL_ETHREAD); one loop per signal (-EBUSY);
 * -EINVAL for a number that cannot be caught. */
int tl_loop_add_signal_handler(tl_loop *loop, int signum, tl_callback callback, void *arg);

/* Row loop.remove_signal_handler. Restores the disposition that was there before. 1 removed, 0
 * none. */
int tl_loop_remove_signal_handler(tl_loop *loop, int signum);

/* --- Errors
 * ---------------------------------------------------------------------------------------- */

/* What an exception handler is told. Only message is always there; the rest is NULL where it does
 * not apply. Valid for the call. */
typedef struct tl_exc_context {
    const char *message;
    const tl_error *exception;
    struct tl_asyncgen *asyncgen;
    tl_future *future;
    tl_handle *handle;
    const tl_traceback
        *handle_traceback; /* where what runs now was scheduled; added in debug mode */
    struct tl_protocol *protocol;
    struct tl_server *server;
    const struct tl_addr *socket;         /* the address of a socket that has no transport */
    const tl_traceback *source_traceback; /* where the object was made; in debug mode */
    struct tl_task *task;
    struct tl_transport *transport;
} tl_exc_context;

typedef void (*tl_exception_handler)(tl_loop *loop, const tl_exc_context *context, void *arg);

/* Row loop.call_exception_handler. Reports to the handler that is set, else to the default one. At
 * any time, also when the loop is closed or is being closed. The handler may do what any callback
 * may do. What goes wrong inside it is reported to the default one as "Unhandled error in exception
 * handler", and what goes wrong while that writes its message is dropped, so reports never go round
 * in circles. */
void tl_loop_call_exception_handler(tl_loop *loop, const tl_exc_context *context);

/* Row loop.set_exception_handler. NULL restores the default. */
int tl_loop_set_exception_handler(tl_loop *loop, tl_exception_handler handler, void *arg);

/* Row loop.get_exception_handler. The handler that was set, with its arg if ret_arg is not NULL;
 * NULL when the default is in force. */
tl_exception_handler tl_loop_get_exception_handler(const tl_loop *loop, void **ret_arg);

/* Row loop.default_exception_handler. Logs one message: context's sentence, then for each member
 * that is there its name and what it is, in alphabetical order; a traceback has a line for each
 * call. No addresses, so the same run reads the same each time. */
void tl_loop_default_exception_handler(tl_loop *loop, const tl_exc_context *context);

#endif
