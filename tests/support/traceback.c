/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the tracebacks of debug mode: see traceback.h.
 */
#include "support/traceback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

bool traceback_leads_through(const tl_traceback *traceback, const char *function)
{
    char frame[256];
    for (unsigned i = 0; i < tl_traceback_depth(traceback); i++) {
        assert_int_equal(tl_traceback_frame(traceback, i, frame, sizeof frame), 0);
        if (strncmp(frame, function, strlen(function)) == 0 && frame[strlen(function)] == '+')
            return true;
    }
    return false;
}
