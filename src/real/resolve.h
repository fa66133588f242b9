/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the resolver is asked and answers, in our numbers and in this system's (resolve_codes.c).
 */
#ifndef TL_REAL_RESOLVE_H
#define TL_REAL_RESOLVE_H

#include <twinloop/kernel.h>

/* AI_* of TL_AI_*, NI_* of TL_NI_*. What is no flag of ours becomes one that no system has, so that
 * it is refused as such. */
int tl_real_ai_flags(unsigned flags);
int tl_real_ni_flags(unsigned flags);

/* What the resolver does not know becomes something that it refuses. */
int tl_real_resolve_family(int family);
int tl_real_resolve_type(int type);

/* Our type of socket. */
int tl_real_resolved_type(int type);

/* Our code of EAI_*; error is the errno beside EAI_SYSTEM. */
int tl_real_resolve_code(int code, int error);

#endif
