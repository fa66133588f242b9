/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions for programs that run in both worlds.
 *
 * In a simulated process a failed assertion ends the run: its text becomes the world's report, and
 * the process never continues. Elsewhere it goes to the log handler and then to abort(). The
 * library itself makes none about its user's behaviour.
 */
#ifndef TWINLOOP_ASSERT_H
#define TWINLOOP_ASSERT_H

/* TL_ASSERT(condition, format, ...): the sentence says what should have held. */
#define TL_ASSERT(condition, ...)                                                                  \
    ((condition) ? (void)0 : tl_assertion_failed(__FILE__, __LINE__, #condition, __VA_ARGS__))

/* Does not return. */
_Noreturn void tl_assertion_failed(const char *file, int line, const char *condition,
                                   const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
