/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated world: hosts, links between them, processes on the hosts, one clock for all.
 *
 * A world is built, run once and asked how it went. A process is a program's main on a stack of its
 * own; the loop it makes with tl_new_event_loop is a simulated one, so the program does not know.
 * When every process waits, the world's clock jumps to the next thing that happens. Everything that
 * could have gone otherwise is one call to tl_choose, answered by the world's strategy: from a
 * seed, from a script, from a fuzzer's bytes. The same answers make the same run, bit for bit:
 * tl_world_hashes tells.
 *
 * A world is used on one thread, and one world at a time runs on a thread.
 */
#ifndef TWINLOOP_WORLD_H
#define TWINLOOP_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <twinloop/net.h>
#include <twinloop/value.h>

typedef struct tl_world tl_world;
typedef struct tl_host tl_host;
typedef struct tl_process tl_process;

/* --- Choices
 * --------------------------------------------------------------------------------------- */

enum tl_site_kind {
    TL_SITE_ORDER,     /* which of several goes first */
    TL_SITE_FAULT,     /* whether something goes wrong, and what */
    TL_SITE_SIZE,      /* where bytes are cut */
    TL_SITE_MAGNITUDE, /* how long, how much more than configured */
    TL_SITE_USER,      /* a scenario's own parameters */
};

/* A place where a run could go otherwise. Static, named once for ever: scripts refer to it by name.
 */
typedef struct tl_site {
    const char *name; /* "stream.segment" */
    enum tl_site_kind kind;
    uint32_t odds;       /* of 65,536: how often a seed answers other than 0 */
    const char *meaning; /* what 0 is, and what larger answers mean */
} tl_site;

/* One decision: a number in [0, bound). 0 is always the plain answer: no fault, first come first
 * served, whole read, the configured latency. entity tells apart who decides (a connection, a
 * process) by a stable id, never an address or a world-wide count. The answer depends only on the
 * strategy, the site's name, the entity and how often that pair has asked before. bound 0 and 1
 * answer 0 and count as no decision. */
uint32_t tl_choose(tl_world *world, const tl_site *site, uint64_t entity, uint32_t bound);

/* Which of count things, known by their stable ids, goes first: an index. Plain answer 0. */
uint32_t tl_choose_among(tl_world *world, const tl_site *site, const uint64_t *ids, uint32_t count);

/* An entity id for a thing of yours: a hash of its name under its parent's id (0: none). */
uint64_t tl_entity(uint64_t parent, const char *name, uint64_t ordinal);

/* The world that runs on this thread; NULL outside. */
tl_world *tl_world_current(void);

/* --- Building
 * -------------------------------------------------------------------------------------- */

enum tl_strategy {
    TL_STRATEGY_SEED,   /* every answer is computed from seed and the choice's identity */
    TL_STRATEGY_SCRIPT, /* the answers other than 0 are listed */
    TL_STRATEGY_BYTES,  /* the answers come off a tape, 0 once it has run out */
};

/* One line of a script. */
struct tl_script_entry {
    uint64_t site; /* tl_entity(0, site name, 0) */
    uint64_t entity;
    uint32_t draw;   /* how often the pair had asked before */
    uint32_t answer; /* not 0 */
};

/* Zero is the default of every member. */
struct tl_world_options {
    enum tl_strategy strategy;
    uint64_t seed;
    const struct tl_script_entry *script; /* SCRIPT: borrowed while the world lives; in any order */
    size_t script_count;
    const uint8_t *bytes; /* BYTES: borrowed while the world lives */
    size_t bytes_count;
    bool quiet;       /* answer 0 everywhere at first, as after tl_world_set_faults(world, false) */
    tl_time deadline; /* virtual time after which a run has not recovered; 0: 10 minutes */
    uint64_t instant_steps_max; /* polls without rest that make a livelock; 0: 1,000,000 */
    tl_time grace;              /* daemons' time between SIGTERM and their end; 0: 1 second */
    unsigned fds_max;           /* descriptors that a process may have; 0: 1,024 */
    const char *const *envp;    /* the environment of processes that are given none, "NAME=VALUE",
                                   NULL-terminated, borrowed while the world lives; NULL: empty */
    FILE *log;                  /* one line per event; NULL: none */
    FILE *words;                /* the hashed stream itself, for comparing two runs; NULL: none */
    bool forget_hosts;          /* tl_world_reset: the world has no hosts and links any more */
    bool keep_choices;          /* remember the answers other than 0, for tl_world_script */

    /* Told of every decision as soon as it is made, an answer of 0 included: a run that crashes has
     * told what it was given. Called inside the run: it must neither choose nor use a loop. NULL:
     * nobody. */
    void (*on_choice)(void *arg, const tl_site *site, const struct tl_script_entry *choice);
    void *on_choice_arg;
};

/* A new world with no host. NULL when memory is out. options may be NULL. */
tl_world *tl_world_new(const struct tl_world_options *options);

/* Frees the world, its hosts, processes and connections. A process that never ended is simply gone:
 * what it allocated itself is not freed. NULL is allowed. */
void tl_world_free(tl_world *world);

/* Makes a world as if tl_world_new(options) had just returned it and the hosts and links that it
 * has had been added, or none with forget_hosts, for a scenario that builds its world anew: a run
 * of it has the same hashes as one of a new world. What is over or still going on in it is freed as
 * by tl_world_free, kernels joined to it included; odds are those of the sites again. Memory is
 * kept for the next run, so that many short runs cost no more than what happens in them. Not from
 * within a run. 0, -EINVAL, or -ENOMEM: then it can only be freed or reset again. */
int tl_world_reset(tl_world *world, const struct tl_world_options *options);

/* A host. address is numeric, NULL for the next free one of 10.0.0.0/8 (the first host
 * is 10.0.0.1); every host also has 127.0.0.1 and ::1. NULL when memory is out, the name or address
 * is taken, or address cannot be parsed or is one that hosts do not have: of a loopback, of a
 * single interface (fe80::/10), or everybody's. */
tl_host *tl_world_add_host(tl_world *world, const char *name, const char *address);

/* Gives a host an address of the other family too. 0; -EINVAL, -EADDRINUSE as above; -EEXIST when
 * it has one. */
int tl_host_add_address(tl_host *host, const char *address);

tl_host *tl_world_find_host(tl_world *world, const char *name);
const char *tl_host_name(const tl_host *host);
const char *tl_host_address(const tl_host *host); /* as text */

/* Puts a file into a host's memory, with the directories that its path needs, or replaces what is
 * in it; data is copied. Programs there find it by open and stat. Files are the run's: after
 * tl_world_reset a host has an empty /tmp and nothing else. 0, -EINVAL, -ENAMETOOLONG, -ENOTDIR,
 * -EISDIR, -EFBIG, -ENOSPC, -ENOMEM. */
int tl_host_write_file(tl_host *host, const char *path, const void *data, size_t len);

/* What a host's file has in it now, also after the run: copies up to size bytes and returns how
 * many it has. -EINVAL, -ENOENT, -ENOTDIR, -EISDIR, -ENAMETOOLONG. */
ssize_t tl_host_read_file(tl_host *host, const char *path, void *buf, size_t size);

/* From a virtual time on, a name stands for a numeric address too, beside those that it has; with
 * address NULL it has none of them any more. Every host's resolver answers by this table. A name
 * that it does not have is a host's own, whose addresses it then has, or "localhost". Kept by
 * tl_world_reset as hosts are. 0, -EINVAL or -ENOMEM. */
int tl_world_name_add(tl_world *world, const char *name, const char *address, tl_time from);

/* How bytes travel. Zero is the default of every member. */
struct tl_link_options {
    tl_time latency; /* one way; 0: 200 microseconds between hosts, 10 within one; negative: none */
    uint32_t buffer_bytes; /* room for bytes on their way and unread, and as much again for those
                              that the writer must hold back; 0: 212,992 */
};

/* Sets both directions between two hosts (or within one, when they are the same) for connections
 * made later. */
int tl_world_set_link(tl_world *world, tl_host *a, tl_host *b,
                      const struct tl_link_options *options);

/* A program: what would be its main. Must keep no mutable statics, since several processes share
 * them. */
typedef int (*tl_program)(int argc, char **argv);

struct tl_process_options {
    const char *name;        /* for reports; NULL: argv[0] */
    const char *const *argv; /* NULL-terminated; copied */
    const char *const *envp; /* likewise, "NAME=VALUE"; NULL: the world's */
    tl_program program;
    bool daemon;       /* the run does not wait for it to end */
    tl_time start;     /* virtual time at which it starts */
    void *arg;         /* for tl_process_arg; borrowed */
    size_t stack_size; /* 0: 256 KiB */
};

/* Adds a process; it starts when the world runs, processes of one start time in the order of a
 * choice. Also from inside a running world. NULL when memory is out. */
tl_process *tl_host_spawn(tl_host *host, const struct tl_process_options *options);

/* The process whose code runs now, or NULL; and what its options had in arg. */
tl_process *tl_process_current(void);
void *tl_process_arg(const tl_process *process);
const char *tl_process_name(const tl_process *process);
tl_host *tl_process_host(const tl_process *process);

/* Delivers a signal. Without a handler SIGTERM, SIGKILL and the like end the process at once. 0,
 * -ESRCH, -EINVAL. */
int tl_process_kill(tl_process *process, int signum);

/* Whether it has ended, and if so its exit code, or -signal. */
bool tl_process_exited(const tl_process *process, int *ret_status);

/* Calls callback(arg) in the world, outside every process, at virtual time when. 0 or -ENOMEM. */
int tl_world_at(tl_world *world, tl_time when, void (*callback)(tl_world *world, void *arg),
                void *arg);

/* --- Faults
 * ---------------------------------------------------------------------------------------- */

/* Switches every FAULT, SIZE and MAGNITUDE site to its plain answer (false), or back (true). */
void tl_world_set_faults(tl_world *world, bool on);

/* Replaces a site's odds for this world (0: never). 0, or -ENOENT for a name no site has. */
int tl_world_set_odds(tl_world *world, const char *site_name, uint32_t odds);

/* The sites of the simulator itself, ended by NULL. */
extern const tl_site *const tl_sim_sites[];

/* --- Running
 * --------------------------------------------------------------------------------------- */

enum tl_outcome {
    TL_OUTCOME_HELD = 0,    /* every foreground process ended with 0 and nothing was reported */
    TL_OUTCOME_FAILED = 1,  /* an assertion failed, or a foreground process ended otherwise */
    TL_OUTCOME_CRASHED = 3, /* told by who watches the process that simulates */
    TL_OUTCOME_STUCK = 4,   /* nothing can ever wake, yet a foreground process lives */
    TL_OUTCOME_NOT_DETERMINISTIC = 5, /* two runs of one seed differed */
    TL_OUTCOME_NOT_RECOVERED = 6,     /* a foreground process still lived at the deadline */
    TL_OUTCOME_LIMIT = 7,             /* too many steps at one instant */
    TL_OUTCOME_DIVERGED = 8,          /* a replay did not fit */
};

/* Runs to the end: until every foreground process has ended and the daemons have had SIGTERM and
 * their grace, or until one of the other outcomes is known. Once per world. */
enum tl_outcome tl_world_run(tl_world *world);

/* Virtual nanoseconds since the world began. */
tl_time tl_world_time(const tl_world *world);

/* What went wrong, for people, several lines, the first one a summary; "" when nothing did. */
const char *tl_world_report(const tl_world *world);

/* Makes the run fail with a message, from anywhere inside it; the run ends as soon as the current
 * callback returns to the world. Only the first one counts. */
void tl_world_fail(tl_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The two lanes of the event hash: schedule (choices, kinds, lengths, times) and content
 * (payloads). */
void tl_world_hashes(const tl_world *world, uint64_t *ret_schedule, uint64_t *ret_content);

/* How many events were hashed. */
uint64_t tl_world_events(const tl_world *world);

/* Mixes a word of the scenario's own into the schedule lane, so that `twice` compares it. */
void tl_world_observe(tl_world *world, const char *what, uint64_t word);

/* The answers other than 0 that this run was given (keep_choices), in the order given; borrowed. */
const struct tl_script_entry *tl_world_script(const tl_world *world, size_t *ret_count);

/* Script entries that no choice of the run asked for. */
size_t tl_world_script_unused(const tl_world *world);

#endif
