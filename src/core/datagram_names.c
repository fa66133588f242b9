/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram endpoint whose sides have names: they are looked up first, the local one and then the
 * remote one; what is numeric needs no asking, and where both are the endpoint is made before the
 * call returns.
 *
 * While it is being looked up a naming is in the loop's list, and its future's canceller; it frees
 * itself.
 */
#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/datagram_endpoint.h"
#include "core/future.h"

enum { HOST, PORT, REMOTE_HOST, REMOTE_PORT, TEXTS };

struct naming {
    struct tl_live live;
    struct tl_datagram_request request;
    struct tl_lookup *lookup; /* that is under way; NULL: none */
    tl_addrinfo_hints hints;
    const char *texts[TEXTS]; /* into kept; NULL: not given */
    char kept[];
};

static void naming_free(struct naming *naming)
{
    tl_loop *loop = naming->request.loop;
    tl_future *future = naming->request.future;
    tl_live_remove(&naming->live);
    if (naming->lookup != NULL)
        tl_lookup_give_up(naming->lookup);
    tl_addresses_finish(&naming->request.local.addresses);
    tl_addresses_finish(&naming->request.remote.addresses);
    tl_free(naming);
    tl_future_unref(future);
    tl_loop_unref(loop);
}

static void abandon(struct tl_live *live)
{
    struct naming *naming = tl_container_of(live, struct naming, live);
    tl_future_set_canceller(naming->request.future, NULL, NULL);
    naming_free(naming);
}

static void cancel(void *arg)
{
    naming_free(arg);
}

static void fail(struct naming *naming, int code, const char *message)
{
    tl_future_set_canceller(naming->request.future, NULL, NULL);
    (void)tl_future_set_exception(naming->request.future, code, message);
    naming_free(naming);
}

static void finish(struct naming *naming)
{
    /* The factory may close the loop. */
    tl_live_remove(&naming->live);
    tl_future_set_canceller(naming->request.future, NULL, NULL);
    /* The program may have finished the future itself: then nobody would have the endpoint. */
    if (!tl_future_done(naming->request.future))
        tl_datagram_endpoint_make(&naming->request);
    naming_free(naming);
}

/* --- Looking up ------------------------------------------------------------------------------- */

/* Takes what was found: true if it is of use. */
static bool take(struct naming *naming, struct tl_datagram_side *side, int result,
                 struct tl_query *query)
{
    naming->lookup = NULL;
    if (result == 0)
        result = tl_addresses_take(&side->addresses, query);
    if (result == 0)
        return true;
    tl_future_set_canceller(naming->request.future, NULL, NULL);
    tl_lookup_fail(naming->request.future, result, query);
    naming_free(naming);
    return false;
}

/* 1 when the side has its addresses, or needs none; 0 when they are being looked up; negative when
 * the naming is over. */
static int resolve(struct naming *naming, struct tl_datagram_side *side, const char *const *texts,
                   tl_lookup_callback found)
{
    const struct tl_query query = {.host = texts[0], .service = texts[1], .hints = naming->hints};
    if (texts[0] == NULL && texts[1] == NULL)
        return 1;
    int r = tl_addresses_numeric(&side->addresses, texts[0], texts[1], &naming->hints);
    if (r < 0)
        fail(naming, r, "the port is not a number from 0 to 65535, nor a name");
    if (r != 0)
        return r;
    r = tl_lookup_start(naming->request.loop, &query, found, naming, &naming->lookup);
    if (r < 0)
        fail(naming, r, r == TL_ESTATE ? "Executor shutdown has been called" : NULL);
    return r;
}

static void remote_found(void *arg, int result, struct tl_query *query)
{
    struct naming *naming = arg;
    if (take(naming, &naming->request.remote, result, query))
        finish(naming);
}

static void resolve_remote(struct naming *naming)
{
    if (resolve(naming, &naming->request.remote, &naming->texts[REMOTE_HOST], remote_found) == 1)
        finish(naming);
}

static void local_found(void *arg, int result, struct tl_query *query)
{
    struct naming *naming = arg;
    if (take(naming, &naming->request.local, result, query))
        resolve_remote(naming);
}

/* --- Making one ------------------------------------------------------------------------------- */

/* asyncio: of a host and a port one is enough. */
static void set_side(struct tl_datagram_side *side, const tl_addr *addr, const char *const *texts)
{
    tl_datagram_side_set(side, addr);
    side->wanted = addr != NULL || texts[0] != NULL || texts[1] != NULL;
}

static struct naming *naming_new(const struct tl_datagram_request *request,
                                 const tl_datagram_opts *opts)
{
    const char *const texts[TEXTS] = {opts->local_host, opts->local_port, opts->remote_host,
                                      opts->remote_port};
    size_t room = 0;
    for (int i = 0; i < TEXTS; i++)
        room += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
    struct naming *naming = tl_calloc(sizeof *naming + room);
    if (naming == NULL)
        return NULL;
    char *at = naming->kept;
    for (int i = 0; i < TEXTS; i++) {
        if (texts[i] == NULL)
            continue;
        naming->texts[i] = strcpy(at, texts[i]);
        at += strlen(texts[i]) + 1;
    }
    naming->request = *request;
    return naming;
}

void tl_datagram_names_start(const struct tl_datagram_request *request, const tl_addr *local,
                             const tl_addr *remote, const tl_datagram_opts *opts)
{
    struct naming *naming = naming_new(request, opts);
    if (naming == NULL) {
        (void)tl_future_set_exception(request->future, -ENOMEM, NULL);
        return;
    }
    tl_loop_ref(request->loop);
    tl_future_ref(request->future);
    set_side(&naming->request.local, local, &naming->texts[HOST]);
    set_side(&naming->request.remote, remote, &naming->texts[REMOTE_HOST]);
    naming->hints = (tl_addrinfo_hints){
        .family = (int)request->family, .type = TL_DATAGRAM, .flags = opts->flags};
    tl_live_add(&naming->live, request->loop, abandon);
    tl_future_set_canceller(request->future, cancel, naming);
    if (resolve(naming, &naming->request.local, &naming->texts[HOST], local_found) == 1)
        resolve_remote(naming);
}
