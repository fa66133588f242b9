/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client half; see client.h.
 *
 * Reads from top to bottom as what it does: connect, let the workers work, tell the others, wait
 * for them, compare. Each step starts something and runs the loop until that is done; the callbacks
 * only take note and stop the loop. Beside the workers' connections there is one for the questions
 * between the steps, and, if that is asked for, one that is slow.
 */
#include "client.h"

#include "model.h"
#include "reply.h"
#include "server.h"
#include "slow.h"
#include "worker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_FIRST TL_MILLISECOND /* how long to wait before asking whether all are done */
#define POLL_MAX (64 * TL_MILLISECOND)
#define PATIENCE (5 * 60 * TL_SECOND) /* how long the others may take */
#define WORDS_MAX (KV_COUNTERS + 2)   /* of a question */

struct client {
    const struct kv_client_options *options;
    struct kv_client_report *report;
    tl_loop *loop;
    struct kv_link control;
    struct kv_slow slow;
    struct kv_buffer question;
    struct kv_buffer answer; /* to the question asked last */
    bool answered;
    bool woken;            /* a delay is over */
    uint64_t workers_made; /* of options->connections */
    uint64_t working;      /* workers that are not done */
    bool slow_done;
    bool closing; /* links go down because they were asked to */
    struct kv_worker workers[];
};

static void fail(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first problem is the one that counts; every step ends when there is one. */
static void fail(struct client *client, const char *format, ...)
{
    va_list args;
    if (client->report->problem[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(client->report->problem, sizeof client->report->problem, format, args);
        va_end(args);
    }
    tl_loop_stop(client->loop);
}

static bool failed(const struct client *client)
{
    return client->report->problem[0] != '\0';
}

/* Runs the loop until done says so, or something failed: whether nothing did. */
static bool run_until(struct client *client, bool (*done)(const struct client *client))
{
    while (!failed(client) && !done(client)) {
        int r = tl_loop_run_forever(client->loop);
        if (r < 0)
            fail(client, "the loop: %s", tl_strerror(r));
    }
    return !failed(client);
}

/* --- Questions -------------------------------------------------------------------------------- */

static int control_answer(struct kv_link *link, const char *data, size_t len)
{
    struct client *client = tl_container_of(link, struct client, control);
    kv_buffer_clear(&client->answer, len);
    kv_buffer_append(&client->answer, data, len);
    client->answered = true;
    tl_loop_stop(client->loop);
    return 0;
}

static void control_down(struct kv_link *link, const tl_error *error)
{
    struct client *client = tl_container_of(link, struct client, control);
    if (!client->closing)
        fail(client, "the control connection ended: %s",
             error != NULL ? error->message : "the server closed it");
    tl_loop_stop(client->loop);
}

static bool has_answer(const struct client *client)
{
    return client->answered;
}

/* Sends one command, given as words, and waits for its answer. */
static bool ask(struct client *client, size_t count, const char *const *words)
{
    struct kv_buffer *question = &client->question;
    kv_buffer_clear(question, 4096);
    kv_reply_array(question, count);
    for (size_t i = 0; i < count; i++)
        kv_reply_text(question, words[i]);
    client->answered = false;
    if (question->failed)
        fail(client, "out of memory");
    else
        (void)tl_transport_write(client->control.transport, question->data, question->len);
    if (run_until(client, has_answer) && client->answer.failed)
        fail(client, "out of memory");
    return !failed(client);
}

/* The same, for a command whose answer is a number. */
static bool ask_number(struct client *client, const char *command, const char *key, int64_t *ret)
{
    const char *const words[] = {command, key};
    if (!ask(client, 2, words))
        return false;
    if (client->answer.len == 5 && memcmp(client->answer.data, "$-1\r\n", 5) == 0)
        *ret = 0;
    else if (!kv_answer_number(client->answer.data, client->answer.len, ret))
        fail(client, "%s %s: the answer is no number", command, key);
    return !failed(client);
}

/* --- Connecting ------------------------------------------------------------------------------- */

static bool connect_link(struct client *client, struct kv_link *link)
{
    char port[24];
    (void)snprintf(port, sizeof port, "%" PRIu64, client->options->port);
    tl_future *future = tl_loop_create_connection(client->loop, kv_link_factory, link,
                                                  client->options->host, port, NULL);
    int r = tl_loop_run_until_complete(client->loop, tl_future_ref(future), NULL);
    if (r < 0) {
        const tl_error *error = tl_future_exception(future);
        fail(client, "%s", error != NULL ? error->message : tl_strerror(r));
    }
    tl_future_unref(future);
    return r == 0;
}

static void worker_done(void *arg, const char *problem)
{
    struct client *client = arg;
    client->working--;
    if (problem != NULL)
        fail(client, "%s", problem);
    if (client->working == 0)
        tl_loop_stop(client->loop);
}

static void link_is_down(void *arg)
{
    struct client *client = arg;
    tl_loop_stop(client->loop);
}

static void slow_done(void *arg, const char *problem)
{
    struct client *client = arg;
    client->slow_done = true;
    if (problem != NULL)
        fail(client, "%s", problem);
    tl_loop_stop(client->loop);
}

static bool make_slow(struct client *client)
{
    return client->options->slow == 0 || connect_link(client, &client->slow.link);
}

static bool make_workers(struct client *client)
{
    const struct kv_client_options *options = client->options;
    for (uint64_t i = 0; i < options->connections && !failed(client); i++) {
        const struct kv_worker_options of_worker = {
            .loop = client->loop,
            .commands = options->commands,
            .depth = options->depth,
            .think_ms = options->think_ms,
            .seed = options->seed,
            .prefix = options->prefix,
            .client = options->client,
            .connection = i,
        };
        struct kv_worker *worker = &client->workers[i];
        client->workers_made++;
        if (kv_worker_init(worker, &of_worker, worker_done, link_is_down, client) < 0)
            fail(client, "out of memory");
        else
            (void)connect_link(client, &worker->link);
    }
    return !failed(client);
}

/* --- Steps ------------------------------------------------------------------------------------ */

static const char *tally_key(const struct client *client, uint64_t of, unsigned counter, char *text)
{
    (void)snprintf(text, KV_KEY_MAX, "%stally:%" PRIu64 ":%u", client->options->prefix, of,
                   counter);
    return text;
}

static const char *finished_key(const struct client *client, char *text)
{
    (void)snprintf(text, KV_KEY_MAX, "%sfinished", client->options->prefix);
    return text;
}

/* Alone on the server, a client begins with counters at zero. */
static bool clean(struct client *client)
{
    char keys[WORDS_MAX][KV_KEY_MAX];
    const char *words[WORDS_MAX] = {"DEL", finished_key(client, keys[0])};
    for (unsigned i = 0; i < KV_COUNTERS; i++)
        words[2 + i] = kv_counter_key(client->options->prefix, i, keys[1 + i]);
    return client->options->clients > 1 || ask(client, 2 + KV_COUNTERS, words);
}

/* Asks for what is read when the work is done. */
static bool begin_slowly(struct client *client)
{
    char key[KV_KEY_MAX];
    (void)snprintf(key, sizeof key, "%slarge:%" PRIu64, client->options->prefix,
                   client->options->client);
    if (client->options->slow > 0)
        kv_slow_start(&client->slow, key);
    return !failed(client);
}

static bool all_have_worked(const struct client *client)
{
    return client->working == 0;
}

static bool work(struct client *client)
{
    client->working = client->workers_made;
    for (uint64_t i = 0; i < client->workers_made; i++)
        kv_worker_start(&client->workers[i]);
    return run_until(client, all_have_worked);
}

/* The number behind "name:" in the answer to the question asked last, or -1. */
static int64_t find_figure(const struct client *client, const char *name)
{
    size_t name_len = strlen(name);
    const char *at = client->answer.data, *end = at + client->answer.len;
    while (at != NULL && (size_t)(end - at) > name_len) {
        if (memcmp(at, name, name_len) == 0 && at[name_len] == ':')
            return strtoll(at + name_len + 1, NULL, 10);
        at = memchr(at, '\n', (size_t)(end - at));
        at = at != NULL ? at + 1 : NULL;
    }
    return -1;
}

static bool slow_has_read(const struct client *client)
{
    return client->slow_done;
}

/* What was not read has cost the server no more than its bound, and is all there. */
static bool end_slowly(struct client *client)
{
    static const char *const words[] = {"INFO", "clients"};
    if (client->options->slow == 0)
        return true;
    if (!ask(client, 2, words))
        return false;
    int64_t peak = find_figure(client, "client_output_peak");
    if (peak < 0)
        fail(client, "INFO clients does not say how much output was queued");
    else if (peak > KV_SERVER_QUEUE_MAX + KV_SLOW_VALUE + KV_SLOW_OVERHEAD)
        fail(client, "%" PRId64 " bytes were queued for one connection", peak);
    kv_slow_read(&client->slow);
    return run_until(client, slow_has_read);
}

/* Says how often this client has increased each counter, then that it is done. */
static bool tell(struct client *client)
{
    char key[KV_KEY_MAX], text[24];
    int64_t finished;
    for (unsigned i = 0; i < KV_COUNTERS; i++) {
        int64_t sum = 0;
        for (uint64_t w = 0; w < client->workers_made; w++)
            sum += client->workers[w].model.increased[i];
        (void)snprintf(text, sizeof text, "%" PRId64, sum);
        const char *const words[] = {"SET", tally_key(client, client->options->client, i, key),
                                     text};
        if (!ask(client, 3, words))
            return false;
    }
    return ask_number(client, "INCR", finished_key(client, key), &finished);
}

static void wake(void *arg)
{
    struct client *client = arg;
    client->woken = true;
    tl_loop_stop(client->loop);
}

static bool is_woken(const struct client *client)
{
    return client->woken;
}

static bool delay(struct client *client, tl_time duration)
{
    client->woken = false;
    int r = tl_loop_call_later(client->loop, duration, wake, client, NULL);
    if (r < 0)
        fail(client, "a timer: %s", tl_strerror(r));
    return run_until(client, is_woken);
}

/* Until every client has said that it is done. */
static bool wait_for_others(struct client *client)
{
    char key[KV_KEY_MAX];
    int64_t finished;
    tl_time pause = POLL_FIRST, end = tl_loop_time(client->loop) + PATIENCE;
    while (ask_number(client, "GET", finished_key(client, key), &finished)) {
        if (finished == (int64_t)client->options->clients)
            return true;
        if (finished > (int64_t)client->options->clients || tl_loop_time(client->loop) > end) {
            fail(client, "%" PRId64 " of %" PRIu64 " clients are done", finished,
                 client->options->clients);
            return false;
        }
        if (!delay(client, pause))
            return false;
        pause = 2 * pause < POLL_MAX ? 2 * pause : POLL_MAX;
    }
    return false;
}

/* Each counter is the sum of what all clients say they have added. */
static bool compare(struct client *client)
{
    char key[KV_KEY_MAX];
    for (unsigned i = 0; i < KV_COUNTERS; i++) {
        int64_t sum = 0, tally, value;
        for (uint64_t c = 0; c < client->options->clients; c++) {
            if (!ask_number(client, "GET", tally_key(client, c, i, key), &tally))
                return false;
            sum += tally;
        }
        if (!ask_number(client, "GET", kv_counter_key(client->options->prefix, i, key), &value))
            return false;
        if (value != sum)
            fail(client, "%s is %" PRId64 ", but was increased %" PRId64 " times", key, value, sum);
    }
    return !failed(client);
}

/* QUIT is answered, then the server closes. */
static bool quit(struct client *client)
{
    static const char *const words[] = {"QUIT"};
    client->closing = true;
    return ask(client, 1, words);
}

/* --- The client ------------------------------------------------------------------------------- */

static bool is_any_up(const struct client *client)
{
    bool up = client->control.transport != NULL || client->slow.link.transport != NULL;
    for (uint64_t i = 0; i < client->workers_made; i++)
        up |= client->workers[i].link.transport != NULL;
    return up;
}

/* Ends every connection, also after a problem: the library shall have nothing left to report. */
static void close_links(struct client *client)
{
    client->closing = true;
    if (failed(client))
        tl_transport_abort(client->control.transport);
    tl_transport_abort(client->slow.link.transport);
    for (uint64_t i = 0; i < client->workers_made; i++)
        tl_transport_abort(client->workers[i].link.transport);
    int r = 0;
    while (r == 0 && is_any_up(client))
        r = tl_loop_run_forever(client->loop);
}

static void finish(struct client *client)
{
    for (uint64_t i = 0; i < client->workers_made; i++) {
        client->report->answers += client->workers[i].answered;
        kv_worker_finish(&client->workers[i]);
    }
    kv_link_finish(&client->control);
    kv_slow_finish(&client->slow);
    kv_buffer_finish(&client->question);
    kv_buffer_finish(&client->answer);
    free(client);
}

static void run_steps(struct client *client)
{
    (void)(connect_link(client, &client->control) && make_slow(client) && make_workers(client) &&
           clean(client) && begin_slowly(client) && work(client) && end_slowly(client) &&
           tell(client) && wait_for_others(client) && compare(client) && quit(client));
    close_links(client);
}

int kv_client_run(const struct kv_client_options *options, struct kv_client_report *ret)
{
    struct client *client =
        calloc(1, sizeof *client + options->connections * sizeof client->workers[0]);
    *ret = (struct kv_client_report){0};
    if (client == NULL) {
        (void)snprintf(ret->problem, sizeof ret->problem, "out of memory");
        return -1;
    }
    client->options = options;
    client->report = ret;
    kv_link_init(&client->control, control_answer, control_down);
    kv_slow_init(&client->slow, options->slow, slow_done, link_is_down, client);
    int r = tl_new_event_loop(&client->loop);
    if (r == 0) {
        run_steps(client);
        tl_loop_free(client->loop);
    } else {
        (void)snprintf(ret->problem, sizeof ret->problem, "no loop: %s", tl_strerror(r));
    }
    finish(client);
    return ret->problem[0] != '\0' ? -1 : 0;
}
