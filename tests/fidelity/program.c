/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as text, both ways, by one table.
 */
#include "tests/fidelity/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/kernel.h>

/* An operation's name and what follows its place: o second place, f the same or "free", a where it
 * is bound, t sort, h half, O option, v number, p pieces, w readiness. */
static const struct {
    const char *name;
    const char *arguments;
} forms[OP_KINDS] = {
    [OP_SOCKET] = {"socket", "t"},     [OP_BIND] = {"bind", "af"},
    [OP_LISTEN] = {"listen", "v"},     [OP_CONNECT] = {"connect", "o"},
    [OP_ACCEPT] = {"accept", "o"},     [OP_WRITE] = {"write", "vp"},
    [OP_READ] = {"read", "vp"},        [OP_SEND_TO] = {"send_to", "ovp"},
    [OP_SHUTDOWN] = {"shutdown", "h"}, [OP_SET] = {"set", "Ov"},
    [OP_GET] = {"get", "O"},           [OP_LOCAL] = {"local", ""},
    [OP_PEER] = {"peer", ""},          [OP_WATCH] = {"watch", "w"},
    [OP_CLOSE] = {"close", ""},        [OP_PIPE] = {"pipe", "o"},
    [OP_PAIR] = {"pair", "o"},
};

struct words {
    const char *const *words;
    size_t count;
};

static const char *const sorts[] = {"tcp", "tcp6", "udp", "udp6", "unix", "pipe"};
static const char *const bounds[] = {"loopback", "any"};
static const char *const halves[] = {"read", "write", "both"};
static const char *const watches[] = {"nothing", "readable", "writable", "everything"};
static const char *const options[TL_OPTION_COUNT] = {
    [TL_OPTION_ERROR] = "error",         [TL_OPTION_REUSEADDR] = "reuseaddr",
    [TL_OPTION_REUSEPORT] = "reuseport", [TL_OPTION_V6ONLY] = "v6only",
    [TL_OPTION_NODELAY] = "nodelay",     [TL_OPTION_KEEPALIVE] = "keepalive",
    [TL_OPTION_BROADCAST] = "broadcast", [TL_OPTION_SNDBUF] = "sndbuf",
    [TL_OPTION_RCVBUF] = "rcvbuf",       [TL_OPTION_NONBLOCK] = "nonblock",
};

/* The words for what, by the letter of an argument. */
static struct words words_for(char argument)
{
    switch (argument) {
    case 't':
        return (struct words){sorts, sizeof sorts / sizeof *sorts};
    case 'a':
        return (struct words){bounds, sizeof bounds / sizeof *bounds};
    case 'h':
        return (struct words){halves, sizeof halves / sizeof *halves};
    case 'w':
        return (struct words){watches, sizeof watches / sizeof *watches};
    default:
        return (struct words){options, TL_OPTION_COUNT};
    }
}

const char *op_name(enum op_kind kind)
{
    return forms[kind].name;
}

const char *op_format(const struct op *op, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%s %u", forms[op->kind].name, op->place);
    for (const char *argument = forms[op->kind].arguments; *argument != '\0' && at < size;
         argument++) {
        if (*argument == 'v')
            at += (size_t)snprintf(text + at, size - at, " %d", op->value);
        else if (*argument == 'p')
            at += (size_t)snprintf(text + at, size - at, " %u", op->pieces);
        else if (*argument == 'f' && op->other == op->place)
            at += (size_t)snprintf(text + at, size - at, " free");
        else if (*argument == 'o' || *argument == 'f')
            at += (size_t)snprintf(text + at, size - at, " @%u", op->other);
        else
            at +=
                (size_t)snprintf(text + at, size - at, " %s", words_for(*argument).words[op->what]);
    }
    return text;
}

static bool parse_number(const char *word, long least, long most, long *ret)
{
    char *end;
    *ret = strtol(word, &end, 10);
    return *word != '\0' && *end == '\0' && *ret >= least && *ret <= most;
}

static bool parse_argument(char argument, const char *word, struct op *op)
{
    long number;
    if (argument == 'f' && strcmp(word, "free") == 0) {
        op->other = op->place;
        return true;
    }
    if (argument == 'o' || argument == 'f') {
        if (*word != '@' || !parse_number(word + 1, 0, PLACES - 1, &number))
            return false;
        op->other = (uint8_t)number;
        return true;
    }
    if (argument == 'v') {
        if (!parse_number(word, INT32_MIN, INT32_MAX, &number))
            return false;
        op->value = (int32_t)number;
        return true;
    }
    if (argument == 'p') {
        if (!parse_number(word, 1, PIECES_MAX, &number))
            return false;
        op->pieces = (uint8_t)number;
        return true;
    }
    struct words words = words_for(argument);
    for (size_t i = 0; i < words.count; i++) {
        if (strcmp(words.words[i], word) == 0) {
            op->what = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool sizes_fit(const struct op *op)
{
    bool bytes = op->kind == OP_READ || op->kind == OP_WRITE || op->kind == OP_SEND_TO;
    return !bytes || (op->value >= 0 && op->value <= SIZE_MAX_BYTES);
}

static bool parse_op(char *line, struct op *ret)
{
    struct op op = {.pieces = 1};
    char *rest;
    const char *word = strtok_r(line, " \n", &rest);
    long place;
    while (op.kind < OP_KINDS && strcmp(forms[op.kind].name, word) != 0)
        op.kind++;
    word = strtok_r(NULL, " \n", &rest);
    if (op.kind == OP_KINDS || word == NULL || !parse_number(word, 0, PLACES - 1, &place))
        return false;
    op.place = (uint8_t)place;
    for (const char *argument = forms[op.kind].arguments; *argument != '\0'; argument++) {
        word = strtok_r(NULL, " \n", &rest);
        if (word == NULL || !parse_argument(*argument, word, &op))
            return false;
    }
    *ret = op;
    return strtok_r(NULL, " \n", &rest) == NULL && sizes_fit(&op);
}

int program_parse(FILE *file, struct program *ret, unsigned *ret_line)
{
    char line[256];
    unsigned number = 0;
    ret->count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[0] == '#' || line[strspn(line, " \n")] == '\0')
            continue;
        if (ret->count == OPS_MAX || !parse_op(line, &ret->ops[ret->count])) {
            *ret_line = number;
            return -EINVAL;
        }
        ret->count++;
    }
    return 0;
}
