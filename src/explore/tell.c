/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between a run's process and its watcher: one struct for all of them, and a text.
 */
#include "explore/tell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

/* Every member of every message: they are few, and the pipe is short. */
struct head {
    uint32_t what;
    uint32_t text_len; /* bytes that follow the head */
    uint64_t number[6];
};

static int tell(int fd, const struct head *head, const char *text)
{
    struct iovec parts[] = {
        {.iov_base = (void *)head, .iov_len = sizeof *head},
        {.iov_base = (void *)text, .iov_len = head->text_len},
    };
    size_t left = sizeof *head + head->text_len;
    while (left > 0) {
        ssize_t n = writev(fd, parts, 2);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        left -= (size_t)n;
        for (int i = 0; i < 2; i++) {
            size_t part = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            n -= (ssize_t)part;
        }
    }
    return 0;
}

/* Names longer than anybody's are cut, as the listener would. */
static uint32_t name_len(const char *name)
{
    return (uint32_t)strnlen(name, TL_LINE_MAX - 1);
}

int tl_tell_seed(int fd, uint64_t seed)
{
    struct head head = {.what = TL_TOLD_SEED, .number = {seed}};
    return tell(fd, &head, "");
}

int tl_tell_site(int fd, uint64_t site, const tl_site *known)
{
    struct head head = {
        .what = TL_TOLD_SITE,
        .text_len = name_len(known->name),
        .number = {site, known->kind},
    };
    return tell(fd, &head, known->name);
}

int tl_tell_parameter(int fd, const char *name, uint32_t value)
{
    struct head head = {
        .what = TL_TOLD_PARAMETER,
        .text_len = name_len(name),
        .number = {value},
    };
    return tell(fd, &head, name);
}

int tl_tell_choice(int fd, const struct tl_script_entry *choice)
{
    struct head head = {
        .what = TL_TOLD_CHOICE,
        .number = {choice->site, choice->entity, choice->draw, choice->answer},
    };
    return tell(fd, &head, "");
}

int tl_tell_counts(int fd, uint64_t site, uint64_t asked, uint64_t others)
{
    struct head head = {.what = TL_TOLD_COUNTS, .number = {site, asked, others}};
    return tell(fd, &head, "");
}

int tl_tell_result(int fd, const struct tl_run_result *result)
{
    struct head head = {
        .what = TL_TOLD_RESULT,
        .text_len = (uint32_t)strnlen(result->report, TL_REPORT_MAX - 1),
        .number = {(uint64_t)result->outcome | (uint64_t)result->complete << 32,
                   (uint64_t)result->time, result->events, result->schedule, result->content,
                   result->unused},
    };
    return tell(fd, &head, result->report);
}

static void hear_result(const struct head *head, const char *text, struct tl_run_result *result)
{
    result->outcome = (enum tl_outcome)(head->number[0] & UINT32_MAX);
    result->complete = head->number[0] >> 32 != 0;
    result->time = (tl_time)head->number[1];
    result->events = head->number[2];
    result->schedule = head->number[3];
    result->content = head->number[4];
    result->unused = head->number[5];
    snprintf(result->report, sizeof result->report, "%.*s", (int)head->text_len, text);
}

size_t tl_hear(const uint8_t *data, size_t len, struct tl_heard *heard)
{
    struct head head;
    if (len < sizeof head)
        return 0;
    memcpy(&head, data, sizeof head);
    if (len - sizeof head < head.text_len)
        return 0;
    const char *text = (const char *)data + sizeof head;

    heard->what = (enum tl_told)head.what;
    heard->seed = heard->site = head.number[0];
    heard->value = (uint32_t)head.number[0];
    heard->kind = (uint32_t)head.number[1];
    heard->asked = head.number[1];
    heard->others = head.number[2];
    heard->choice = (struct tl_script_entry){
        .site = head.number[0],
        .entity = head.number[1],
        .draw = (uint32_t)head.number[2],
        .answer = (uint32_t)head.number[3],
    };
    snprintf(heard->name, sizeof heard->name, "%.*s", (int)head.text_len, text);
    if (heard->what == TL_TOLD_RESULT)
        hear_result(&head, text, heard->result);
    return sizeof head + head.text_len;
}
