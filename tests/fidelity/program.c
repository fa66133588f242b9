/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as text, both ways, by one table.
 */
#include "tests/fidelity/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/kernel.h>

/* An operation's name and what follows it: i its place, o a second place, d the same or a path, f
 * the same or "free", / a path, > another one, a where it is bound, t sort, h half, O option, F how
 * to open a file, v number, p pieces, w readiness, x offset. */
static const struct {
    const char *name;
    const char *arguments;
} forms[OP_KINDS] = {
    [OP_SOCKET] = {"socket", "it"},
    [OP_BIND] = {"bind", "iaf"},
    [OP_LISTEN] = {"listen", "iv"},
    [OP_CONNECT] = {"connect", "id"},
    [OP_ACCEPT] = {"accept", "io"},
    [OP_WRITE] = {"write", "ivp"},
    [OP_READ] = {"read", "ivp"},
    [OP_SEND_TO] = {"send_to", "idvp"},
    [OP_SHUTDOWN] = {"shutdown", "ih"},
    [OP_SET] = {"set", "iOv"},
    [OP_GET] = {"get", "iO"},
    [OP_LOCAL] = {"local", "i"},
    [OP_PEER] = {"peer", "i"},
    [OP_WATCH] = {"watch", "iw"},
    [OP_CLOSE] = {"close", "i"},
    [OP_PIPE] = {"pipe", "io"},
    [OP_PAIR] = {"pair", "io"},
    [OP_DISCONNECT] = {"disconnect", "i"},
    [OP_SEND_MANY] = {"send_many", "idvp"},
    [OP_READ_MANY] = {"read_many", "ivp"},
    [OP_OPEN] = {"open", "i/F"},
    [OP_PREAD] = {"pread", "ivx"},
    [OP_PWRITE] = {"pwrite", "ivx"},
    [OP_FSYNC] = {"fsync", "i"},
    [OP_STAT] = {"stat", "/"},
    [OP_UNLINK] = {"unlink", "/"},
    [OP_RENAME] = {"rename", "/>"},
    [OP_SENDFILE] = {"sendfile", "ivx"},
};

const char *const program_paths[PATHS] = {
    "/a", "/b", "/c", "/sub", "/sub/a", "/sub/../b", "/a/x", "/none/x", "/a/", "/.",
};

struct words {
    const char *const *words;
    size_t count;
};

static const char *const sorts[] = {"tcp",  "tcp6",     "udp",  "udp6",
                                    "unix", "unixgram", "pipe", "file"};
static const char *const bounds[] = {"loopback", "any",       "mapped",
                                     "scoped",   "everybody", "mapped_any"};
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

bool op_has_place(enum op_kind kind)
{
    return forms[kind].arguments[0] == 'i';
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* How to open a file is a letter for each of these. */
static const char open_letters[] = "rwcte";

static int format_door(uint8_t door, char *text, size_t size)
{
    if (door >= PATH)
        return snprintf(text, size, " %s", program_paths[door - PATH]);
    return snprintf(text, size, " @%u", door);
}

static int format_opening(uint8_t flags, char *text, size_t size)
{
    char letters[sizeof open_letters];
    size_t count = 0;
    for (size_t i = 0; open_letters[i] != '\0'; i++)
        if (flags & 1u << i)
            letters[count++] = open_letters[i];
    letters[count] = '\0';
    return snprintf(text, size, " %s", count > 0 ? letters : "-");
}

static int format_argument(char argument, const struct op *op, char *text, size_t size)
{
    switch (argument) {
    case 'i':
        return snprintf(text, size, " %u", op->place);
    case 'v':
        return snprintf(text, size, " %d", op->value);
    case 'x':
        return snprintf(text, size, " %d", op->offset);
    case 'p':
        return snprintf(text, size, " %u", op->pieces);
    case 'f':
        if (op->other == op->place)
            return snprintf(text, size, " free");
        return format_door(op->other, text, size);
    case 'o':
    case 'd':
    case '/':
        return format_door(op->other, text, size);
    case '>':
        return format_door(op->what, text, size);
    case 'F':
        return format_opening(op->what, text, size);
    default:
        return snprintf(text, size, " %s", words_for(argument).words[op->what]);
    }
}

const char *op_format(const struct op *op, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%s", forms[op->kind].name);
    for (const char *argument = forms[op->kind].arguments; *argument != '\0' && at < size;
         argument++)
        at += (size_t)format_argument(*argument, op, text + at, size - at);
    return text;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool parse_number(const char *word, long least, long most, long *ret)
{
    char *end;
    *ret = strtol(word, &end, 10);
    return *word != '\0' && *end == '\0' && *ret >= least && *ret <= most;
}

static bool parse_door(const char *word, bool place, bool path, uint8_t *ret)
{
    long number;
    if (*word == '@' && place && parse_number(word + 1, 0, PLACES - 1, &number)) {
        *ret = (uint8_t)number;
        return true;
    }
    for (uint8_t i = 0; i < PATHS; i++) {
        if (path && strcmp(program_paths[i], word) == 0) {
            *ret = PATH + i;
            return true;
        }
    }
    return false;
}

static bool parse_opening(const char *word, uint8_t *ret)
{
    *ret = 0;
    for (; strcmp(word, "-") != 0 && *word != '\0'; word++) {
        const char *letter = strchr(open_letters, *word);
        if (letter == NULL)
            return false;
        *ret |= (uint8_t)(1u << (letter - open_letters));
    }
    return true;
}

static bool parse_word(char argument, const char *word, uint8_t *ret)
{
    struct words words = words_for(argument);
    for (size_t i = 0; i < words.count; i++) {
        if (strcmp(words.words[i], word) == 0) {
            *ret = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool parse_argument(char argument, const char *word, struct op *op)
{
    long number = 0;
    bool good;
    switch (argument) {
    case 'i':
        good = parse_number(word, 0, PLACES - 1, &number);
        op->place = (uint8_t)number;
        return good;
    case 'v':
        good = parse_number(word, INT32_MIN, INT32_MAX, &number);
        op->value = (int32_t)number;
        return good;
    case 'x':
        good = parse_number(word, INT32_MIN, INT32_MAX, &number);
        op->offset = (int32_t)number;
        return good;
    case 'p':
        good = parse_number(word, 1, PIECES_MAX, &number);
        op->pieces = (uint8_t)number;
        return good;
    case 'f':
        op->other = op->place;
        return strcmp(word, "free") == 0 || parse_door(word, true, true, &op->other);
    case 'o':
    case 'd':
    case '/':
        return parse_door(word, argument != '/', argument != 'o', &op->other);
    case '>':
        return parse_door(word, false, true, &op->what);
    case 'F':
        return parse_opening(word, &op->what);
    default:
        return parse_word(argument, word, &op->what);
    }
}

static bool sizes_fit(const struct op *op)
{
    bool bytes = op->kind == OP_READ || op->kind == OP_WRITE || op->kind == OP_SEND_TO ||
                 op->kind == OP_SEND_MANY || op->kind == OP_READ_MANY || op->kind == OP_PREAD ||
                 op->kind == OP_PWRITE || op->kind == OP_SENDFILE;
    return !bytes || (op->value >= 0 && op->value <= SIZE_MAX_BYTES);
}

static bool parse_op(char *line, struct op *ret)
{
    struct op op = {.pieces = 1};
    char *rest;
    const char *word = strtok_r(line, " \n", &rest);
    while (op.kind < OP_KINDS && strcmp(forms[op.kind].name, word) != 0)
        op.kind++;
    if (op.kind == OP_KINDS)
        return false;
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
