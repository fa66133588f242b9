/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_server: from hosts and a port to addresses.
 *
 * Hosts that are numeric, and every interface, need no asking: then everything happens inside the
 * call. Otherwise all the names are looked up at once, and when the last answer has come the server
 * is made, at the addresses in the order of the hosts; the first name that cannot be looked up ends
 * it. Until then the request is in the loop's list, and the canceller of its future.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/given.h"
#include "core/listen.h"
#include "core/resolve.h"
#include "core/tls.h"

/* One of the hosts. */
struct host {
    struct creating *creating;
    struct tl_lookup *lookup; /* while it is looked up */
    struct tl_addresses found;
};

struct creating {
    struct tl_live live;
    struct tl_listen_request request;
    tl_future *future; /* a reference */
    size_t pending;    /* lookups */
    size_t hosts_count;
    struct host hosts[];
};

/* --- Life ------------------------------------------------------------------------------------- */

static void creating_free(struct creating *creating)
{
    tl_loop *loop = creating->request.loop;
    tl_future *future = creating->future;
    tl_live_remove(&creating->live);
    for (size_t i = 0; i < creating->hosts_count; i++) {
        struct host *host = &creating->hosts[i];
        if (host->lookup != NULL)
            tl_lookup_give_up(host->lookup);
        tl_addresses_finish(&host->found);
    }
    tl_free(creating);
    tl_future_unref(future);
    tl_loop_unref(loop);
}

static void cancel(void *arg)
{
    creating_free(arg);
}

static void abandon(struct tl_live *live)
{
    struct creating *creating = tl_container_of(live, struct creating, live);
    tl_future_set_canceller(creating->future, NULL, NULL);
    creating_free(creating);
}

static struct creating *creating_new(const struct tl_listen_request *request, size_t hosts_count,
                                     tl_future *future)
{
    struct creating *creating =
        tl_calloc(sizeof *creating + hosts_count * sizeof creating->hosts[0]);
    if (creating == NULL)
        return NULL;
    creating->request = *request;
    tl_loop_ref(request->loop);
    creating->future = tl_future_ref(future);
    creating->hosts_count = hosts_count;
    for (size_t i = 0; i < hosts_count; i++)
        creating->hosts[i].creating = creating;
    tl_live_add(&creating->live, request->loop, abandon);
    return creating;
}

/* --- All addresses are known ------------------------------------------------------------------ */

static int listen_on_all(const struct creating *creating)
{
    size_t count = 0;
    for (size_t i = 0; i < creating->hosts_count; i++)
        count += creating->hosts[i].found.count;
    tl_addr *addrs = tl_alloc(count * sizeof *addrs);
    if (addrs == NULL)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < creating->hosts_count; i++)
        for (size_t at = 0; at < creating->hosts[i].found.count; at++)
            addrs[n++] = creating->hosts[i].found.infos[at].addr;
    tl_listen(&creating->request, addrs, n, creating->future);
    tl_free(addrs);
    return 0;
}

static void finish(struct creating *creating)
{
    tl_future_set_canceller(creating->future, NULL, NULL);
    /* The program may have finished the future itself: then nobody would have the server. */
    if (!tl_future_done(creating->future) && listen_on_all(creating) < 0)
        (void)tl_future_set_exception(creating->future, -ENOMEM, NULL);
    creating_free(creating);
}

/* --- Getting them ----------------------------------------------------------------------------- */

static void found(void *arg, int result, struct tl_query *query)
{
    struct host *host = arg;
    struct creating *creating = host->creating;
    host->lookup = NULL;
    if (result == 0)
        result = tl_addresses_take(&host->found, query);
    if (result < 0) {
        tl_future_set_canceller(creating->future, NULL, NULL);
        tl_lookup_fail(creating->future, result, query);
        creating_free(creating);
        return;
    }
    if (--creating->pending == 0)
        finish(creating);
}

/* asyncio: "" means what NULL does. */
static const char *name_of(const char *host)
{
    return host != NULL && host[0] != '\0' ? host : NULL;
}

/* Every interface, in the order of the resolver, which knows no more about it. False when memory
 * is out. */
static bool take_every_interface(struct tl_addresses *ret, uint16_t port, int family)
{
    static const uint8_t families[] = {TL_FAMILY_INET, TL_FAMILY_INET6};
    ret->infos = tl_calloc(2 * sizeof *ret->infos);
    if (ret->infos == NULL)
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (family == TL_FAMILY_NONE || family == families[i])
            ret->infos[ret->count++].addr = (tl_addr){.family = families[i], .port = port};
    return ret->count > 0;
}

/* The address of a host, if that is known: 1; 0 when it has to be looked up; or an error. */
static int get_host(const char *name, const char *port, const tl_addrinfo_hints *hints,
                    struct tl_addresses *ret)
{
    int r = tl_addresses_numeric(ret, name != NULL ? name : "0.0.0.0", port,
                                 name != NULL ? hints : &(tl_addrinfo_hints){.type = TL_STREAM});
    if (r <= 0 || name != NULL)
        return r;
    uint16_t number = ret->one.addr.port;
    tl_addresses_finish(ret);
    return take_every_interface(ret, number, hints->family) ? 1 : -ENOMEM;
}

static int start_host(struct host *host, const char *name, const char *port,
                      const tl_addrinfo_hints *hints, const char **ret_message)
{
    struct creating *creating = host->creating;
    int r = get_host(name, port, hints, &host->found);
    if (r == -EINVAL)
        *ret_message = "the port is not a number from 0 to 65535, nor a name";
    if (r != 0)
        return r < 0 ? r : 0;
    const struct tl_query query = {.host = name, .service = port, .hints = *hints};
    r = tl_lookup_start(creating->request.loop, &query, found, host, &host->lookup);
    if (r == TL_ESTATE)
        *ret_message = "Executor shutdown has been called";
    creating->pending += r == 0;
    return r;
}

static int start(struct creating *creating, const char *const *hosts, size_t hosts_count,
                 const char *port, const char **ret_message)
{
    const tl_server_opts *opts = &creating->request.opts;
    const tl_addrinfo_hints hints = {
        .family = opts->family, .type = TL_STREAM, .flags = opts->flags | TL_AI_PASSIVE};
    int r = 0;
    for (size_t i = 0; i < hosts_count && r == 0; i++)
        r = start_host(&creating->hosts[i], name_of(hosts[i]), port, &hints, ret_message);
    return r;
}

static bool is_family(int family)
{
    return family == TL_FAMILY_NONE || family == TL_FAMILY_INET || family == TL_FAMILY_INET6;
}

/* What is wrong with the arguments, in asyncio's order: an error that the future has been failed
 * with, or 0. */
static int check(const struct tl_listen_request *request, const char *const *hosts,
                 size_t hosts_count, const char *port, tl_future *future)
{
    const tl_server_opts *opts = &request->opts;
    const char *message = NULL;
    int r = 0;
    if (!tl_loop_open(request->loop))
        r = TL_ECLOSED;
    else if (request->factory == NULL || (hosts == NULL && hosts_count > 0))
        r = -EINVAL;
    else if (tl_tls_refuse(&opts->tls, TL_TLS_SERVER, NULL, future) < 0)
        return -EINVAL;
    else if ((hosts_count > 0 || port != NULL) && opts->sock != NULL)
        r = -EINVAL, message = "host/port and sock can not be specified at the same time";
    else if (hosts_count == 0 && port == NULL && opts->sock == NULL)
        r = -EINVAL, message = "Neither host/port nor sock were specified";
    else if (opts->backlog < 0)
        r = -EINVAL, message = "the backlog is negative";
    else if (!is_family(opts->family))
        r = -EINVAL, message = "the family is neither IPv4 nor IPv6";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return r;
}

static int create(const struct tl_listen_request *request, const char *const *hosts,
                  size_t hosts_count, const char *port, tl_future *future, const char **ret_message)
{
    static const char *const every_interface[] = {NULL};
    if (hosts_count == 0) {
        hosts = every_interface;
        hosts_count = 1;
    }
    struct creating *creating = creating_new(request, hosts_count, future);
    if (creating == NULL)
        return -ENOMEM;
    int r = start(creating, hosts, hosts_count, port, ret_message);
    if (r < 0)
        creating_free(creating);
    else if (creating->pending > 0)
        tl_future_set_canceller(future, cancel, creating);
    else
        finish(creating);
    return r;
}

tl_future *tl_loop_create_server(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                 const char *const *hosts, size_t hosts_count, const char *port,
                                 const tl_server_opts *opts)
{
    struct tl_listen_request request = {.loop = loop, .factory = factory, .farg = farg};
    const char *message = NULL;
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (opts != NULL)
        request.opts = *opts;
    if (check(&request, hosts, hosts_count, port, future) < 0)
        return future;
    if (request.opts.sock != NULL) {
        tl_given_serve(&request, *request.opts.sock, &tl_given_stream, future);
        return future;
    }
    int r = create(&request, hosts, hosts_count, port, future, &message);
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return future;
}
