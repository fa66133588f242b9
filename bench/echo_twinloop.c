/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server on Twinloop, with nothing but the production library.
 *
 *     echo_twinloop [--buffered] [TRACE]
 *
 * With --buffered its protocols are buffered ones; with TRACE the loop is recorded to that file.
 */
#include "echo_twinloop.h"

#include <malloc.h>
#include <twinloop/trace.h>

/* What a struct of the program's own takes on the heap, the allocator's word included. */
static size_t own_bytes(void)
{
    void *one = malloc(sizeof(struct connection));
    size_t bytes = malloc_usable_size(one) + sizeof(size_t);
    free(one);
    return bytes;
}

int main(int argc, char **argv)
{
    tl_trace_writer *writer = NULL;
    tl_policy *recording = NULL;
    tl_loop *loop;
    tl_addr addr;
    const struct tl_protocol_ops *ops = &connection_ops;
    if (argc > 1 && strcmp(argv[1], "--buffered") == 0) {
        ops = &buffered_ops;
        argc--;
        argv++;
    }
    if (argc > 1) {
        check(argv[1], tl_trace_writer_open(argv[1], NULL, &writer));
        check("policy", tl_record_policy_new(writer, &recording));
        check("policy", tl_set_event_loop_policy(recording));
    }
    check("loop", tl_new_event_loop(&loop));
    tl_value server = serve(loop, ops, &addr);
    server_announce(addr.port, own_bytes());
    run(loop, server);
    tl_loop_free(loop);
    if (recording != NULL) {
        check("policy", tl_set_event_loop_policy(NULL));
        tl_record_policy_free(recording);
        check(argv[1], tl_trace_writer_close(writer));
    }
    return 0;
}
