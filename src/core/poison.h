/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the address sanitizer about memory that is kept for later: whoever still uses it is found
 * as if it had been given back to the C library. Nothing without that sanitizer.
 */
#ifndef TL_CORE_POISON_H
#define TL_CORE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define TL_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TL_POISONS 1
#endif
#endif

#ifdef TL_POISONS
#include <sanitizer/asan_interface.h>
/* A function that looks into poisoned memory, as its keeper may. */
#define TL_UNCHECKED __attribute__((no_sanitize("address")))
#define TL_POISON(memory, size) __asan_poison_memory_region(memory, size)
#define TL_UNPOISON(memory, size) __asan_unpoison_memory_region(memory, size)
#else
#define TL_UNCHECKED
#define TL_POISON(memory, size) ((void)(memory), (void)(size))
#define TL_UNPOISON(memory, size) ((void)(memory), (void)(size))
#endif

#endif
