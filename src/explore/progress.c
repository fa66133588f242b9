/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line.
 */
#include "explore/progress.h"

#include <twinloop/value.h>
#include <unistd.h>
#include "explore/real_time.h"

#define TERMINAL_INTERVAL (200 * TL_MILLISECOND)
#define PLAIN_INTERVAL (5 * TL_SECOND)

void tl_format_duration(int64_t duration, char *text, size_t size)
{
    long long seconds = duration / TL_SECOND;
    if (seconds < 60)
        snprintf(text, size, "%lld.%lld s", seconds,
                 (long long)(duration % TL_SECOND / (100 * TL_MILLISECOND)));
    else if (seconds < 3600)
        snprintf(text, size, "%lld min %lld s", seconds / 60, seconds % 60);
    else
        snprintf(text, size, "%lld h %lld min", seconds / 3600, seconds % 3600 / 60);
}

uint64_t tl_rate(uint64_t items, int64_t elapsed)
{
    uint64_t milliseconds = (uint64_t)(elapsed / TL_MILLISECOND);
    uint64_t thousandfold;
    if (milliseconds == 0)
        milliseconds = 1;
    if (__builtin_mul_overflow(items, 1000, &thousandfold))
        return items / milliseconds * 1000;
    return thousandfold / milliseconds;
}

/* How much longer: by the rate so far, or by the limit if that is sooner. */
static int64_t time_left(const struct tl_progress *progress, int64_t elapsed)
{
    int64_t left = INT64_MAX;
    uint64_t rate = tl_rate(progress->done, elapsed);
    if (progress->total != UINT64_MAX && rate > 0) {
        uint64_t seconds = (progress->total - progress->done) / rate;
        if (seconds < (uint64_t)(INT64_MAX / TL_SECOND))
            left = (int64_t)seconds * TL_SECOND;
    }
    if (progress->time_max > 0) {
        int64_t by_limit = progress->time_max > elapsed ? progress->time_max - elapsed : 0;
        left = by_limit < left ? by_limit : left;
    }
    return left;
}

void tl_progress_format(const struct tl_progress *progress, int64_t elapsed, char *text,
                        size_t size)
{
    char total[32] = "", left[48] = "", duration[32];
    int64_t time = time_left(progress, elapsed);
    if (progress->total != UINT64_MAX)
        snprintf(total, sizeof total, " of %llu", (unsigned long long)progress->total);
    if (time != INT64_MAX) {
        tl_format_duration(time, duration, sizeof duration);
        snprintf(left, sizeof left, ", %s left", duration);
    }
    snprintf(text, size, "%llu%s seeds, %llu/s, %llu failed%s", (unsigned long long)progress->done,
             total, (unsigned long long)tl_rate(progress->done, elapsed),
             (unsigned long long)progress->failures, left);
}

void tl_progress_start(struct tl_progress *progress, FILE *out, uint64_t total, int64_t time_max)
{
    *progress = (struct tl_progress){
        .out = out,
        .terminal = isatty(fileno(out)) == 1,
        .total = total,
        .started = tl_real_time(),
        .time_max = time_max,
    };
    progress->next = progress->started + (progress->terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL);
}

int64_t tl_progress_elapsed(const struct tl_progress *progress)
{
    return tl_real_time() - progress->started;
}

void tl_progress_tick(struct tl_progress *progress)
{
    char text[160];
    int64_t now = tl_real_time();
    if (now < progress->next)
        return;
    progress->next = now + (progress->terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL);
    tl_progress_format(progress, now - progress->started, text, sizeof text);
    if (progress->terminal)
        fprintf(progress->out, "\r%s\033[K", text);
    else
        fprintf(progress->out, "%s\n", text);
    progress->shown = progress->terminal;
    (void)fflush(progress->out);
}

void tl_progress_clear(struct tl_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", progress->out);
    (void)fflush(progress->out);
    progress->shown = false;
}
