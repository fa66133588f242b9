/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: who is inside a world, what a refusal says, and whether the guard is in place.
 *
 * Being inside is read off tl_self: a simulated process or the world itself has a context of its
 * own, and a guest is inside while a loop on its simulated kernel runs. There is no flag to be kept
 * in step. What the guard knows beyond that is two words of this thread: whether it is lifted for a
 * signal handler, and whether somebody tries out if it is reached.
 */
#include "sim/guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>
#include <twinloop/guard.h>
#include "core/log.h"
#include "core/loop.h"
#include "sim/kernel.h"
#include "sim/world.h"

/* Read by functions that run before a library's thread-local memory can be allocated. */
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

THREAD_LOCAL bool lifted;
THREAD_LOCAL bool trying;
THREAD_LOCAL unsigned reached;

/* --- Who asks --------------------------------------------------------------------------------- */

static tl_process *guest_of(const struct tl_thread *self)
{
    if (self->running == NULL || self->running->kernel == NULL ||
        !tl_sim_kernel_is(self->running->kernel))
        return NULL;
    return ((struct tl_sim_kernel *)self->running->kernel)->process;
}

bool tl_guard_inside(struct tl_guarded *ret)
{
    struct tl_thread *self = tl_self;
    if (__builtin_expect(trying, 0))
        reached++;
    if (self == NULL || self->context == NULL || lifted)
        return false;
    tl_process *process = tl_context_process(self->context);
    if (process == NULL)
        process = guest_of(self);
    tl_world *world = process != NULL ? process->world : tl_errand_world(self->context);
    if (world == NULL)
        return false;
    *ret = (struct tl_guarded){
        .world = world,
        .process = process,
        .guard = process != NULL ? &process->guard : &world->guard,
    };
    return true;
}

bool tl_guard_lift(void)
{
    bool before = lifted;
    lifted = true;
    return before;
}

void tl_guard_put_back(bool before)
{
    lifted = before;
}

/* --- Refusing --------------------------------------------------------------------------------- */

int tl_guard_refuse(const struct tl_guarded *who, enum tl_refused what, const char *name)
{
    uint64_t bit = UINT64_C(1) << what;
    if ((who->guard->told & bit) == 0) {
        who->guard->told |= bit;
        tl_log(TL_LOG_ERROR,
               "%s() was called in the simulated world, by %s, and refused: it would leave it",
               name, who->process != NULL ? who->process->name : "a callback of the world");
    }
    errno = EPERM;
    return -1;
}

/* --- The C library's own ---------------------------------------------------------------------- */

void *tl_guard_find(const char *name, void *interceptor)
{
    return interceptor != NULL ? interceptor : dlsym(RTLD_NEXT, name);
}

/* Calls three functions that do no harm the way another library would reach them. */
static int try_out(void)
{
    time_t (*get_time)(time_t *) = (time_t(*)(time_t *))dlsym(RTLD_DEFAULT, "time");
    int (*get_clock)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_DEFAULT, "clock_gettime");
    ssize_t (*get_random)(void *, size_t, unsigned) =
        (ssize_t(*)(void *, size_t, unsigned))dlsym(RTLD_DEFAULT, "getrandom");
    struct timespec t;
    if (get_time == NULL || get_clock == NULL || get_random == NULL)
        return 0; /* linked statically: every name is resolved, and to the guard's */
    trying = true;
    reached = 0;
    (void)get_time(NULL);
    (void)get_clock(CLOCK_REALTIME, &t);
    (void)get_random(&t, 0, GRND_NONBLOCK);
    trying = false;
    return reached == 3 ? 0 : -ENOSYS;
}

/* --- Checking --------------------------------------------------------------------------------- */

static int answer;

static void check(void)
{
    const char *parts[] = {&tl_guard_time_is_here, &tl_guard_chance_is_here,
                           &tl_guard_refusals_are_here};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        answer |= *(const volatile char *)parts[i]; /* nothing but a reference to each */
    if (answer == 0)
        answer = try_out();
    if (answer < 0)
        tl_log(TL_LOG_WARNING,
               "the C library is found before libtwinloop-sim: clocks and chance that a simulated "
               "program takes from it are real; link libtwinloop-sim first");
    tl_guard_spare_alarm();
}

int tl_guard_check(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, check);
    return answer;
}
