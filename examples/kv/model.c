/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client expects; see model.h. Each kind of command is one function that appends the command
 * and its answer, and changes the model as the server will change its store.
 */
#include "model.h"

#include "number.h"
#include "reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SMALL_MAX 24   /* bytes of most values */
#define LARGE_MAX 3000 /* and of some */

/* One command being drawn. */
struct draw {
    struct kv_model *model;
    struct kv_buffer *command;
    struct kv_buffer *expected;
    struct kv_expectation *expectation;
};

/* SplitMix64: the next number below bound. */
static uint64_t below(struct kv_model *model, uint64_t bound)
{
    uint64_t x = model->state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) % bound;
}

void kv_model_init(struct kv_model *model, uint64_t seed, const char *prefix, uint64_t client,
                   uint64_t connection)
{
    *model = (struct kv_model){.prefix = prefix, .client = client, .connection = connection};
    model->state = seed * 0xd1342543de82ef95 + (client << 20) + connection;
    (void)below(model, 2);
}

void kv_model_finish(struct kv_model *model)
{
    for (unsigned i = 0; i < KV_MODEL_TEXTS; i++)
        kv_buffer_finish(&model->texts[i].value);
}

const char *kv_counter_key(const char *prefix, unsigned counter, char *text)
{
    (void)snprintf(text, KV_KEY_MAX, "%scounter:%u", prefix, counter);
    return text;
}

/* One of the connection's own keys, the prefix and client.connection.key: numbers first, then
 * texts, then volatiles. Made for every command, so not by printf. */
static const char *own_key(const struct kv_model *model, unsigned key, char *text)
{
    char *end = stpcpy(text, model->prefix);
    end += kv_number_format((int64_t)model->client, end);
    *end++ = '.';
    end += kv_number_format((int64_t)model->connection, end);
    *end++ = '.';
    end += kv_number_format(key, end);
    *end = '\0';
    return text;
}

static void append_key(const struct kv_model *model, struct kv_buffer *command, unsigned key)
{
    char text[KV_KEY_MAX];
    kv_reply_text(command, own_key(model, key, text));
}

static void append_number(struct kv_buffer *buffer, int64_t number)
{
    char text[KV_NUMBER_MAX];
    kv_reply_bulk(buffer, text, kv_number_format(number, text));
}

static unsigned text_key(unsigned i)
{
    return KV_MODEL_NUMBERS + i;
}

static unsigned volatile_key(unsigned i)
{
    return KV_MODEL_NUMBERS + KV_MODEL_TEXTS + i;
}

static unsigned pick(const struct draw *draw, unsigned count)
{
    return (unsigned)below(draw->model, count);
}

static void begin(const struct draw *draw, size_t argc, const char *name)
{
    draw->expectation->command = name;
    kv_reply_array(draw->command, argc);
    kv_reply_text(draw->command, name);
}

/* A new value for a text key, any bytes but beginning with a letter: appended, and remembered. */
static void draw_value(const struct draw *draw, unsigned i)
{
    struct kv_model *model = draw->model;
    struct kv_buffer *value = &model->texts[i].value;
    size_t len = below(model, 12) == 0 ? below(model, LARGE_MAX) : below(model, SMALL_MAX);
    kv_buffer_clear(value, LARGE_MAX);
    model->texts[i].exists = true;
    if (kv_buffer_reserve(value, len)) {
        for (size_t at = 0; at < len; at++)
            value->data[at] = (char)(at == 0 ? 'a' + below(model, 26) : below(model, 256));
        value->len = len;
    }
    kv_reply_bulk(draw->command, value->data, value->len);
}

static void expect_text(const struct draw *draw, unsigned i)
{
    const struct kv_buffer *value = &draw->model->texts[i].value;
    if (draw->model->texts[i].exists)
        kv_reply_bulk(draw->expected, value->data, value->len);
    else
        kv_reply_nil(draw->expected);
}

/* --- One function per kind of command --------------------------------------------------------- */

static void draw_set(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS);
    begin(draw, 3, "SET");
    append_key(draw->model, draw->command, text_key(i));
    draw_value(draw, i);
    kv_reply_status(draw->expected, "OK");
}

/* In both ways to get the old value for the new one. */
static void draw_getset(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS);
    bool plain = below(draw->model, 2) == 0;
    begin(draw, plain ? 3 : 4, plain ? "GETSET" : "SET");
    append_key(draw->model, draw->command, text_key(i));
    expect_text(draw, i);
    draw_value(draw, i);
    if (!plain)
        kv_reply_text(draw->command, "GET");
}

/* A value that is appended to begins with a letter like any other. */
static void draw_append(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS);
    struct kv_buffer *value = &draw->model->texts[i].value;
    if (!draw->model->texts[i].exists)
        kv_buffer_clear(value, LARGE_MAX);
    const char *more = value->len == 0 ? "x" : "and\r\nmore";
    draw->model->texts[i].exists = true;
    begin(draw, 3, "APPEND");
    append_key(draw->model, draw->command, text_key(i));
    kv_reply_text(draw->command, more);
    kv_buffer_append_text(value, more);
    kv_reply_integer(draw->expected, (int64_t)value->len);
}

/* What can be said of a key without its value. */
static void draw_about(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS), what = pick(draw, 4);
    static const char *const names[] = {"STRLEN", "TYPE", "TTL", "PERSIST"};
    bool exists = draw->model->texts[i].exists;
    begin(draw, 2, names[what]);
    append_key(draw->model, draw->command, text_key(i));
    if (what == 0)
        kv_reply_integer(draw->expected, exists ? (int64_t)draw->model->texts[i].value.len : 0);
    else if (what == 1)
        kv_reply_status(draw->expected, exists ? "string" : "none");
    else if (what == 2)
        kv_reply_integer(draw->expected, exists ? -1 : -2);
    else
        kv_reply_integer(draw->expected, 0);
}

/* SET with NX of a key that exists, or with XX of one that does not, changes nothing. */
static void draw_set_refused(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS);
    begin(draw, 4, "SET");
    append_key(draw->model, draw->command, text_key(i));
    kv_reply_text(draw->command, "refused");
    kv_reply_text(draw->command, draw->model->texts[i].exists ? "NX" : "xx");
    kv_reply_nil(draw->expected);
}

static void draw_get(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS);
    begin(draw, 2, "GET");
    append_key(draw->model, draw->command, text_key(i));
    expect_text(draw, i);
}

static void draw_get_number(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_NUMBERS);
    begin(draw, 2, "GET");
    append_key(draw->model, draw->command, i);
    if (draw->model->numbers[i].exists)
        append_number(draw->expected, draw->model->numbers[i].value);
    else
        kv_reply_nil(draw->expected);
}

/* What does not fit changes nothing. */
static void expect_sum(const struct draw *draw, unsigned i, int64_t by)
{
    int64_t *value = &draw->model->numbers[i].value, sum;
    if (__builtin_add_overflow(*value, by, &sum)) {
        kv_reply_error(draw->expected, "ERR increment or decrement would overflow");
        return;
    }
    draw->model->numbers[i].exists = true;
    *value = sum;
    kv_reply_integer(draw->expected, sum);
}

static void draw_count(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_NUMBERS);
    bool down = below(draw->model, 3) == 0;
    begin(draw, 2, down ? "DECR" : "INCR");
    append_key(draw->model, draw->command, i);
    expect_sum(draw, i, down ? -1 : 1);
}

static void draw_count_by(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_NUMBERS);
    bool down = below(draw->model, 2) == 0, much = below(draw->model, 4) == 0;
    int64_t by = much ? INT64_MAX : (int64_t)below(draw->model, 2000) - 1000;
    begin(draw, 3, down ? "DECRBY" : "INCRBY");
    append_key(draw->model, draw->command, i);
    append_number(draw->command, by);
    expect_sum(draw, i, down ? -by : by);
}

static void draw_set_number(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_NUMBERS);
    int64_t value = (int64_t)below(draw->model, 2000000) - 1000000;
    begin(draw, 3, "SET");
    append_key(draw->model, draw->command, i);
    append_number(draw->command, value);
    draw->model->numbers[i].exists = true;
    draw->model->numbers[i].value = value;
    kv_reply_status(draw->expected, "OK");
}

/* INCR of what is not a number; PING instead where there is nothing yet. */
static void draw_incr_text(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS);
    if (!draw->model->texts[i].exists) {
        begin(draw, 1, "PING");
        kv_reply_status(draw->expected, "PONG");
        return;
    }
    begin(draw, 2, "INCR");
    append_key(draw->model, draw->command, text_key(i));
    kv_reply_error(draw->expected, "ERR value is not an integer or out of range");
}

static void draw_del(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS), j = pick(draw, KV_MODEL_NUMBERS);
    begin(draw, 3, "DEL");
    append_key(draw->model, draw->command, text_key(i));
    append_key(draw->model, draw->command, j);
    kv_reply_integer(draw->expected, draw->model->texts[i].exists + draw->model->numbers[j].exists);
    draw->model->texts[i].exists = draw->model->numbers[j].exists = false;
    draw->model->numbers[j].value = 0;
}

static void draw_exists(const struct draw *draw)
{
    unsigned i = pick(draw, KV_MODEL_TEXTS), j = pick(draw, KV_MODEL_NUMBERS);
    begin(draw, 4, "EXISTS");
    append_key(draw->model, draw->command, text_key(i));
    append_key(draw->model, draw->command, j);
    append_key(draw->model, draw->command, text_key(i));
    kv_reply_integer(draw->expected,
                     2 * draw->model->texts[i].exists + draw->model->numbers[j].exists);
}

static void draw_mset(const struct draw *draw)
{
    unsigned first = pick(draw, KV_MODEL_TEXTS), count = 1 + pick(draw, 3);
    begin(draw, 1 + 2 * count, "MSET");
    for (unsigned n = 0; n < count; n++) {
        unsigned i = (first + n) % KV_MODEL_TEXTS;
        append_key(draw->model, draw->command, text_key(i));
        draw_value(draw, i);
    }
    kv_reply_status(draw->expected, "OK");
}

static void draw_mget(const struct draw *draw)
{
    unsigned count = 1 + pick(draw, 4);
    begin(draw, 1 + count, "MGET");
    kv_reply_array(draw->expected, count);
    for (unsigned n = 0; n < count; n++) {
        unsigned i = pick(draw, KV_MODEL_TEXTS);
        append_key(draw->model, draw->command, text_key(i));
        expect_text(draw, i);
    }
}

static void draw_inline(const struct draw *draw)
{
    draw->expectation->command = "inline PING";
    kv_buffer_append_text(draw->command, "ping \"a\\x00\\n'\"\r\n");
    kv_reply_bulk(draw->expected, "a\0\n'", 4);
}

static void draw_unknown(const struct draw *draw)
{
    begin(draw, 2, "FROB");
    kv_reply_text(draw->command, "it");
    kv_buffer_append_text(draw->expected, "-ERR unknown command");
    draw->expectation->kind = KV_EXPECT_PREFIX;
}

static void draw_wrong_arity(const struct draw *draw)
{
    begin(draw, 1, "GET");
    kv_reply_error(draw->expected, "ERR wrong number of arguments for 'get' command");
}

static void draw_wrong_database(const struct draw *draw)
{
    begin(draw, 2, "SELECT");
    kv_reply_text(draw->command, "16");
    kv_reply_error(draw->expected, "ERR DB index is out of range");
}

/* Times to live are short, since that is when they end while somebody looks. */
static void draw_volatile(const struct draw *draw)
{
    static const unsigned ttl_max[] = {4, 32, 256, 1024};
    char key[KV_KEY_MAX];
    struct kv_volatile_step *step = &draw->expectation->step;
    bool look = below(draw->model, 2) == 0;
    step->op = look ? KV_VOLATILE_GET : (enum kv_volatile_op)pick(draw, KV_VOLATILE_OPS);
    step->key = pick(draw, KV_MODEL_VOLATILES);
    step->value = 100 + (int64_t)below(draw->model, 900);
    step->ttl_ms = 1 + (int64_t)below(draw->model, ttl_max[pick(draw, 4)]);
    draw->expectation->kind = KV_EXPECT_VOLATILE;
    draw->expectation->command = kv_volatile_name(step->op);
    kv_volatile_command(step, own_key(draw->model, volatile_key(step->key), key), draw->command);
}

static void draw_counter(const struct draw *draw)
{
    char key[KV_KEY_MAX];
    bool incr = below(draw->model, 4) != 0;
    begin(draw, 2, incr ? "INCR" : "GET");
    draw->expectation->counter = pick(draw, KV_COUNTERS);
    draw->expectation->kind = incr ? KV_EXPECT_INCREASED : KV_EXPECT_AT_LEAST;
    kv_reply_text(draw->command,
                  kv_counter_key(draw->model->prefix, draw->expectation->counter, key));
}

/* How often each is drawn follows from how often it is here. */
static void (*const draws[])(const struct draw *draw) = {
    draw_counter,     draw_counter,    draw_counter,     draw_counter,
    draw_set,         draw_set,        draw_set,         draw_get,
    draw_get,         draw_get,        draw_count,       draw_count,
    draw_count_by,    draw_getset,     draw_append,      draw_about,
    draw_mset,        draw_mget,       draw_del,         draw_exists,
    draw_get_number,  draw_inline,     draw_unknown,     draw_incr_text,
    draw_wrong_arity, draw_set_number, draw_set_refused, draw_wrong_database,
    draw_volatile,    draw_volatile,   draw_volatile,    draw_volatile,
    draw_volatile,    draw_volatile,   draw_volatile,    draw_volatile,
};

/* --- The model's interface -------------------------------------------------------------------- */

void kv_model_clean(struct kv_model *model, struct kv_buffer *command, struct kv_expectation *ret)
{
    struct draw draw = {.model = model, .command = command, .expectation = ret};
    unsigned count = KV_MODEL_NUMBERS + KV_MODEL_TEXTS + KV_MODEL_VOLATILES;
    *ret = (struct kv_expectation){.kind = KV_EXPECT_INTEGER};
    begin(&draw, 1 + count, "DEL");
    for (unsigned key = 0; key < count; key++)
        append_key(model, command, key);
}

bool kv_model_next(struct kv_model *model, struct kv_buffer *command, struct kv_buffer *expected,
                   struct kv_expectation *ret)
{
    const struct draw draw = {
        .model = model, .command = command, .expected = expected, .expectation = ret};
    size_t start = expected->len;
    *ret = (struct kv_expectation){.kind = KV_EXPECT_EXACT};
    draws[below(model, sizeof draws / sizeof *draws)](&draw);
    ret->len = expected->len - start;
    bool failed = command->failed || expected->failed;
    for (unsigned i = 0; i < KV_MODEL_TEXTS; i++)
        failed |= model->texts[i].value.failed;
    return !failed;
}

bool kv_answer_number(const char *answer, size_t len, int64_t *ret)
{
    const char *end = answer + len - 2;
    if (answer[0] == ':')
        return kv_number_parse(answer + 1, (size_t)(end - answer - 1), ret);
    const char *text = answer[0] == '$' ? memchr(answer, '\n', len) : NULL;
    return text != NULL && text < end && kv_number_parse(text + 1, (size_t)(end - text - 1), ret);
}

/* An answer about a counter: nil is a value of 0. */
static bool check_counter(struct kv_model *model, const struct kv_expectation *expectation,
                          const char *answer, size_t len)
{
    int64_t *seen = &model->seen[expectation->counter], value = 0;
    bool incr = expectation->kind == KV_EXPECT_INCREASED;
    bool nil = len == 5 && memcmp(answer, "$-1\r\n", 5) == 0;
    if (answer[0] != (incr ? ':' : '$') || (!nil && !kv_answer_number(answer, len, &value)))
        return false;
    if (value < *seen + incr)
        return false;
    *seen = value;
    model->increased[expectation->counter] += incr;
    return true;
}

bool kv_model_check(struct kv_model *model, const struct kv_expectation *expectation,
                    tl_time answered, const char *expected, const char *answer, size_t answer_len)
{
    int64_t number;
    switch (expectation->kind) {
    case KV_EXPECT_EXACT:
        return answer_len == expectation->len && memcmp(answer, expected, answer_len) == 0;
    case KV_EXPECT_PREFIX:
        return answer_len >= expectation->len && memcmp(answer, expected, expectation->len) == 0;
    case KV_EXPECT_INTEGER:
        return answer[0] == ':' && kv_answer_number(answer, answer_len, &number);
    case KV_EXPECT_INCREASED:
    case KV_EXPECT_AT_LEAST:
        return check_counter(model, expectation, answer, answer_len);
    case KV_EXPECT_VOLATILE:
        return kv_volatile_check(&model->volatiles[expectation->step.key], &expectation->step,
                                 expectation->sent, answered, answer, answer_len);
    }
    return false;
}

tl_time kv_model_pause(struct kv_model *model, tl_time now, tl_time most, unsigned once_in)
{
    if (most == 0 || below(model, once_in) != 0)
        return 0;
    const struct kv_volatile *key = &model->volatiles[below(model, KV_MODEL_VOLATILES)];
    tl_time near = key->earliest - (tl_time)below(model, 2 * TL_MILLISECOND);
    if (key->exists && near > now && near - now <= most)
        return near - now;
    return (tl_time)below(model, (uint64_t)most);
}
