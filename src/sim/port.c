/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of a host: who holds which, who may too, who listens.
 *
 * A port's record exists while somebody holds it. Accepted connections hold their listener's port,
 * so the listeners have a list of their own: a connection finds its listener without meeting them.
 */
#include <errno.h>

#include "core/alloc.h"
#include "sim/endpoint.h"
#include "sim/world.h"

enum {
    EPHEMERAL_FIRST = 32768,
    EPHEMERAL_LAST = 60999,
    BUCKETS_MIN = 64, /* a power of two, as is what the table grows by */
    WINDOW = 8,
};

/* --- The table -------------------------------------------------------------------------------- */

static struct tl_port **bucket_of(const struct tl_ports *ports, uint16_t number)
{
    return &ports->buckets[number & (ports->buckets_count - 1)];
}

struct tl_port *tl_port_find(const struct tl_ports *ports, uint16_t number)
{
    if (ports->buckets == NULL)
        return NULL;
    struct tl_port *port = *bucket_of(ports, number);
    while (port != NULL && port->number != number)
        port = port->next;
    return port;
}

static void insert(struct tl_ports *ports, struct tl_port *port)
{
    struct tl_port **bucket = bucket_of(ports, port->number);
    port->next = *bucket;
    *bucket = port;
}

/* Makes the table larger when chains get long; that it cannot is no error once there is one. */
static int grow(tl_host *host, struct tl_ports *ports)
{
    struct tl_port **old = ports->buckets;
    size_t old_count = old != NULL ? ports->buckets_count : 0;
    if (old != NULL && ports->count < 2 * old_count)
        return 0;
    const tl_allocator *allocator = &host->world->allocator;
    size_t count = old != NULL ? 4 * old_count : BUCKETS_MIN;
    struct tl_port **buckets = tl_allocator_calloc(allocator, count * sizeof(struct tl_port *));
    if (buckets == NULL)
        return old != NULL ? 0 : -ENOMEM;
    ports->buckets = buckets;
    ports->buckets_count = count;
    for (size_t i = 0; i < old_count; i++) {
        struct tl_port *next;
        for (struct tl_port *port = old[i]; port != NULL; port = next) {
            next = port->next;
            insert(ports, port);
        }
    }
    tl_allocator_free(allocator, old);
    return 0;
}

static struct tl_port *add(tl_host *host, struct tl_ports *ports, uint16_t number)
{
    if (grow(host, ports) < 0)
        return NULL;
    struct tl_port *port = tl_pool_get(&host->world->ports);
    if (port == NULL)
        return NULL;
    *port = (struct tl_port){.number = number};
    tl_list_init(&port->holders);
    tl_list_init(&port->listeners);
    insert(ports, port);
    ports->count++;
    return port;
}

struct tl_port *tl_port_get(tl_host *host, struct tl_ports *ports, uint16_t number)
{
    struct tl_port *port = tl_port_find(ports, number);
    return port != NULL ? port : add(host, ports, number);
}

void tl_port_put(tl_host *host, struct tl_ports *ports, struct tl_port *port)
{
    struct tl_port **at = bucket_of(ports, port->number);
    if (!tl_list_empty(&port->holders))
        return;
    while (*at != port)
        at = &(*at)->next;
    *at = port->next;
    ports->count--;
    tl_pool_put(&host->world->ports, port);
}

/* --- Holding ---------------------------------------------------------------------------------- */

int tl_port_hold(struct tl_endpoint *endpoint, uint16_t number)
{
    tl_host *host = endpoint->host;
    struct tl_port *port = tl_port_get(host, &host->ports, number);
    if (port == NULL)
        return -ENOMEM;
    endpoint->port = port;
    endpoint->local_port = number;
    tl_list_push(&port->holders, &endpoint->holder);
    return 0;
}

void tl_port_release(struct tl_endpoint *endpoint)
{
    struct tl_port *port = endpoint->port;
    if (port == NULL)
        return;
    if (endpoint->listening != NULL)
        tl_list_remove(&endpoint->listening->place);
    tl_list_remove(&endpoint->holder);
    endpoint->port = NULL;
    tl_port_put(endpoint->host, &endpoint->host->ports, port);
}

int tl_port_pick(struct tl_ports *ports)
{
    for (int tries = EPHEMERAL_FIRST; tries <= EPHEMERAL_LAST; tries++) {
        if (ports->next_ephemeral < EPHEMERAL_FIRST || ports->next_ephemeral > EPHEMERAL_LAST)
            ports->next_ephemeral = EPHEMERAL_FIRST;
        uint16_t number = ports->next_ephemeral++;
        if (tl_port_find(ports, number) == NULL)
            return number;
    }
    return -EADDRINUSE;
}

/* --- Conflicts -------------------------------------------------------------------------------- */

bool tl_port_conflicts(const struct tl_endpoint *endpoint, uint16_t number)
{
    const struct tl_port *port = tl_port_find(&endpoint->host->ports, number);
    if (port == NULL)
        return false;
    for (struct tl_list *at = port->holders.next; at != &port->holders; at = at->next) {
        const struct tl_endpoint *other = tl_listed(at, struct tl_endpoint, holder);
        if (other == endpoint || other->state == TL_TCP_SYN_RECEIVED ||
            !tl_ip_overlap(&endpoint->local_ip, endpoint->v6only, &other->local_ip, other->v6only))
            continue;
        bool reuse =
            endpoint->reuse_address && other->reuse_address && other->state != TL_TCP_LISTENING;
        bool share = endpoint->reuse_port && other->reuse_port;
        if (!reuse && !share)
            return true;
    }
    return false;
}

/* --- Listeners -------------------------------------------------------------------------------- */

/* How well a listener fits an address: not at all, as a wildcard, exactly. */
static unsigned fit(const struct tl_endpoint *listener, const struct tl_ip *ip)
{
    if (tl_ip_equal(&listener->local_ip, ip))
        return 3;
    if (!tl_ip_is_any(&listener->local_ip))
        return 0;
    if (tl_ip_is_v4(&listener->local_ip) == tl_ip_is_v4(ip))
        return 2;
    return tl_ip_is_v4(ip) && !listener->v6only ? 1 : 0;
}

struct tl_endpoint *tl_port_listener(tl_host *host, const struct tl_ip *ip, uint16_t number)
{
    const struct tl_port *port = tl_port_find(&host->ports, number);
    struct tl_endpoint *window[WINDOW];
    uint32_t held = 0;
    unsigned best = 1;
    if (port == NULL)
        return NULL;
    for (struct tl_list *at = port->listeners.next; at != &port->listeners; at = at->next) {
        struct tl_endpoint *listener = tl_listed(at, struct tl_listening, place)->endpoint;
        unsigned fits = fit(listener, ip);
        if (fits < best)
            continue;
        if (fits > best)
            held = 0;
        best = fits;
        if (held < WINDOW)
            window[held++] = listener;
    }
    if (held == 0)
        return NULL;
    return window[tl_choices_ask(host->world, TL_AT_LISTEN_ORDER, window[0]->descriptor.item.id,
                                 &window[0]->listening->order_draws, held)];
}
