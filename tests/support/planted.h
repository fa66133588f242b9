/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios with a planted bug each, for the tests of the runner: a harness that never fails proves
 * nothing.
 */
#ifndef TESTS_SUPPORT_PLANTED_H
#define TESTS_SUPPORT_PLANTED_H

#include <twinloop/explore.h>

/* order     a server that takes it that two hosts' messages arrive in the order they were sent in
 * pointer   a server that answers its clients in the order of their addresses in memory
 * garbage   a program that decides by memory it never wrote to
 * crash     a program that raises SIGSEGV
 * exit      a program that returns 5
 * check     a program that does well, and a check of the scenario that is never content
 * stuck     a program that waits for what nobody will do
 * deadline  a program that goes on for ever
 * livelock  a program that goes on for ever, without a moment's rest
 * slow      a program that computes for ever
 * loud      a program that prints a thousand lines and fails
 * leak      a program that forgets memory
 * debug     a program that fails when its loop is in debug mode
 *
 * The scenario with that name, or NULL. */
const struct tl_scenario *planted_scenario(const char *name);

#endif
