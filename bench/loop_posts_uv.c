/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libuv at bench/posts.h. uv_async_send carries nothing and may be merged with others, so what it
 * takes to hand callbacks over is what programs write around it: a list under a mutex, emptied by
 * the async handle's callback.
 */
#include "posts.h"

#include <uv.h>

struct item {
    struct item *next;
    void (*callback)(void *arg);
    void *arg;
};

static uv_loop_t loop;
static uv_async_t async;
static uv_mutex_t mutex;
static struct item *first, **last = &first;

static void drain(uv_async_t *handle)
{
    (void)handle;
    uv_mutex_lock(&mutex);
    struct item *item = first;
    first = NULL;
    last = &first;
    uv_mutex_unlock(&mutex);
    while (item != NULL) {
        struct item *next = item->next;
        item->callback(item->arg);
        free(item);
        item = next;
    }
}

static void open_loop(void)
{
    check("uv_loop_init", uv_loop_init(&loop));
    check("uv_mutex_init", uv_mutex_init(&mutex));
    check("uv_async_init", uv_async_init(&loop, &async, drain));
}

static void post(void (*callback)(void *arg), void *arg)
{
    struct item *item = malloc(sizeof *item);
    check("malloc", item != NULL ? 0 : -1);
    *item = (struct item){.callback = callback, .arg = arg};
    uv_mutex_lock(&mutex);
    *last = item;
    last = &item->next;
    uv_mutex_unlock(&mutex);
    uv_async_send(&async);
}

static void run(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void stop(void)
{
    uv_stop(&loop);
}

static void close_loop(void)
{
    uv_close((uv_handle_t *)&async, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    uv_mutex_destroy(&mutex);
}

int main(int argc, char **argv)
{
    const struct posts_contender contender = {open_loop, post, run, stop, close_loop};
    return posts_main(argc, argv, &contender);
}
