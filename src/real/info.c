/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts about this process, and notes, which only a recorder has a use for.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "real/real.h"

int tl_real_cpus(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    /* More processors than a cpu_set_t has bits. */
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* The variable's length; text gets as much of it as fits, with a NUL behind. */
static int64_t environment(const char *name, char *text, size_t size)
{
    const char *value = name != NULL ? getenv(name) : NULL;

    if (value == NULL)
        return -ENOENT;
    size_t len = strlen(value);
    if (size > 0) {
        size_t copied = len < size ? len : size - 1;
        memcpy(text, value, copied);
        text[copied] = '\0';
    }
    return (int64_t)len;
}

int64_t tl_real_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                     size_t size)
{
    (void)kernel;
    switch (what) {
    case TL_INFO_PID:
        return getpid();
    case TL_INFO_CPUS:
        return tl_real_cpus();
    case TL_INFO_MAIN_THREAD:
        return gettid() == getpid();
    case TL_INFO_ENVIRONMENT:
        return environment(name, text, size);
    }
    return -EINVAL;
}

int tl_real_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len)
{
    (void)kernel, (void)kind, (void)data, (void)len;
    return 0;
}
