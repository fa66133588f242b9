/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix-domain sockets of the simulator, where kernels differ from each other: it answers as recent
 * Linux does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <twinloop/kernel.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "support/seam_datagram.h"
#include "support/simulated.h"

/* Linux up to 6.12 asked first whether there is a peer. */
static void what_a_socket_may_not_send_comes_before_to_whom(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.quiet = true});
    char *data = calloc(1, 400000);
    int fd = seam_datagrams(kernel, TL_FAMILY_UNIX);
    assert_int_equal(seam_send(kernel, fd, data, 400000, NULL), -EMSGSIZE);
    assert_int_equal(seam_send(kernel, fd, data, 1, NULL), -ENOTCONN);
    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_send(kernel, fd, data, 400000, NULL), -EMSGSIZE);
    assert_int_equal(seam_send(kernel, fd, data, 1, NULL), -EPIPE);
    free(data);
    kernel->ops->destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_socket_may_not_send_comes_before_to_whom),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
