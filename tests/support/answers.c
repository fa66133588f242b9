/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver with a test's own answers, and connects that hang: see answers.h.
 */
#include "support/answers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

enum { TCP = 6 };

static struct answers *answers_of(struct tl_kernel *kernel)
{
    return tl_container_of(kernel_patch(kernel), struct answers, patch);
}

/* --- Numbers of descriptors --- */

static void list_add(int *list, size_t *count, int fd)
{
    if (*count < ANSWERS_SOCKETS_MAX)
        list[(*count)++] = fd;
}

static bool list_has(const int *list, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == fd)
            return true;
    return false;
}

static void list_remove(int *list, size_t *count, int fd)
{
    for (size_t i = 0; i < *count; i++)
        if (list[i] == fd)
            list[i--] = list[--*count];
}

/* --- Lookups --- */

static int answers_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct answers *answers = answers_of(kernel);
    int r = answers->patch.inner->resolve(kernel, query);

    if (r < 0)
        return r;
    answers->lookups++;
    answers->hints = query->hints;
    snprintf(answers->service, sizeof answers->service, "%s",
             query->service != NULL ? query->service : "");
    return 0;
}

static int answers_cancel(struct tl_kernel *kernel, struct tl_request *request)
{
    struct answers *answers = answers_of(kernel);

    answers->given_up++;
    return answers->patch.inner->cancel(kernel, request);
}

static void replace(const struct answer *answer, struct tl_query *query)
{
    tl_free(query->infos);
    query->infos = NULL;
    query->infos_count = 0;
    query->result = answer->result;
    if (answer->result < 0)
        return;
    query->infos = tl_alloc(sizeof *query->infos * ANSWERS_MAX);
    query->result = query->infos != NULL ? 0 : TL_EAI_MEMORY;
    for (size_t i = 0; i < answer->count && query->result == 0; i++)
        query->infos[query->infos_count++] = (tl_addrinfo){
            .addr = answer->addrs[i],
            .type = TL_STREAM,
            .protocol = answer->protocol != 0 ? answer->protocol : TCP,
            .canonname = "",
        };
}

static int answers_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events,
                        int count)
{
    struct answers *answers = answers_of(kernel);
    int n = answers->patch.inner->poll(kernel, timeout, events, count);

    for (int i = 0; i < n && !answers->real; i++)
        if (events[i].kind == TL_EVENT_RESOLVED)
            replace(&answers->answers[answers->lookups > 1], events[i].token);
    return n;
}

/* --- Sockets --- */

static int answers_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct answers *answers = answers_of(kernel);
    int fd = answers->patch.inner->socket(kernel, family, type);

    if (fd >= 0)
        list_add(answers->sockets, &answers->sockets_count, fd);
    return fd;
}

static int answers_close(struct tl_kernel *kernel, int fd)
{
    struct answers *answers = answers_of(kernel);

    list_remove(answers->sockets, &answers->sockets_count, fd);
    list_remove(answers->hanging, &answers->hanging_count, fd);
    return answers->patch.inner->close(kernel, fd);
}

static int answers_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct answers *answers = answers_of(kernel);

    if (answers->connects_count < ANSWERS_SOCKETS_MAX) {
        if (answers->timed)
            answers->times[answers->connects_count] = answers->patch.inner->now(kernel);
        answers->connects[answers->connects_count++] = *addr;
    }
    if (!tl_addr_equal(addr, &answers->hangs))
        return answers->patch.inner->connect(kernel, fd, addr);
    list_add(answers->hanging, &answers->hanging_count, fd);
    return -EINPROGRESS;
}

static int answers_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct answers *answers = answers_of(kernel);

    if (list_has(answers->hanging, answers->hanging_count, fd))
        return 0;
    return answers->patch.inner->watch(kernel, fd, events, token);
}

/* --- For tests --- */

void answers_apply(struct answers *answers, struct tl_kernel *kernel)
{
    memset(answers, 0, sizeof *answers);
    kernel_patch_apply(&answers->patch, kernel);
    answers->patch.ops.resolve = answers_resolve;
    answers->patch.ops.cancel = answers_cancel;
    answers->patch.ops.poll = answers_poll;
    answers->patch.ops.socket = answers_socket;
    answers->patch.ops.close = answers_close;
    answers->patch.ops.connect = answers_connect;
    answers->patch.ops.watch = answers_watch;
}

tl_addr answers_loopback(unsigned port)
{
    return (tl_addr){.family = TL_FAMILY_INET, .port = (uint16_t)port, .data = {127, 0, 0, 1}};
}

void answers_add(struct answers *answers, unsigned turn, tl_addr addr)
{
    struct answer *answer = &answers->answers[turn];

    answer->addrs[answer->count++] = addr;
}
