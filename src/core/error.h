/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors that outlive the call they were given to.
 */
#ifndef TL_CORE_ERROR_H
#define TL_CORE_ERROR_H

#include <twinloop/error.h>

/* A copy of an error, its sentence and its causes in one block that tl_free gives back; a sentence
 * of NULL becomes the code's own, and causes beyond the sixteenth are cut off. NULL when memory is
 * out. */
tl_error *tl_error_copy(const tl_error *error);

#endif
