/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies, for a client; see answers.h. A reply begins as one element to come; an array's line adds
 * as many as it has, each whole element takes one away.
 */
#include "answers.h"

#include "number.h"

#include <errno.h>
#include <string.h>

#define BULK_MAX 536870912 /* bytes, as Redis has it */
#define ARRAY_MAX 16777216 /* elements: more than any command here can have asked for */

void kv_answers_finish(struct kv_answers *answers)
{
    kv_buffer_finish(&answers->bytes);
    *answers = (struct kv_answers){0};
}

int kv_answers_feed(struct kv_answers *answers, const void *data, size_t len)
{
    kv_buffer_drop(&answers->bytes, answers->begin);
    answers->position -= answers->begin;
    answers->scanned -= answers->begin;
    answers->begin = 0;
    kv_buffer_append(&answers->bytes, data, len);
    return answers->bytes.failed ? -ENOMEM : 0;
}

/* Whether the line at position is all there: its length without CR LF in *ret. */
static bool find_line(struct kv_answers *answers, size_t *ret)
{
    const char *data = answers->bytes.data;
    size_t from = answers->scanned;
    const char *cr = memchr(data + from, '\r', answers->bytes.len - from);
    answers->scanned = cr != NULL ? (size_t)(cr - data) : answers->bytes.len;
    *ret = answers->scanned - answers->position;
    return answers->scanned + 2 <= answers->bytes.len;
}

/* Steps over one element: 1, 0 when it is not all there, -EPROTO. */
static int next_element(struct kv_answers *answers)
{
    int64_t number = 0;
    size_t len;
    if (!find_line(answers, &len))
        return 0;
    const char *line = answers->bytes.data + answers->position;
    size_t end = answers->position + len + 2;
    if (len == 0 || line[0] == '\0')
        return -EPROTO;
    bool numbered = line[0] == ':' || line[0] == '$' || line[0] == '*';
    if (numbered && !kv_number_parse(line + 1, len - 1, &number))
        return -EPROTO;
    switch (line[0]) {
    case '+':
    case '-':
    case ':':
        break;
    case '$':
        if (number < -1 || number > BULK_MAX)
            return -EPROTO;
        if (number >= 0)
            end += (size_t)number + 2;
        break;
    case '*':
        if (number < -1 || number > ARRAY_MAX)
            return -EPROTO;
        answers->elements_left += number > 0 ? (uint64_t)number : 0;
        break;
    default:
        return -EPROTO;
    }
    if (end > answers->bytes.len)
        return 0;
    answers->position = answers->scanned = end;
    answers->elements_left--;
    return 1;
}

int kv_answers_next(struct kv_answers *answers, const char **ret, size_t *ret_len)
{
    int r = 1;
    if (answers->elements_left == 0) {
        answers->begin = answers->position;
        if (answers->begin == answers->bytes.len)
            return 0;
        answers->elements_left = 1;
    }
    while (r > 0 && answers->elements_left > 0)
        r = answers->position < answers->bytes.len ? next_element(answers) : 0;
    if (r <= 0)
        return r;
    *ret = answers->bytes.data + answers->begin;
    *ret_len = answers->position - answers->begin;
    answers->begin = answers->position;
    return 1;
}
