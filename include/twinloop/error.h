/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors.
 *
 * Every function of Twinloop that can fail returns an int: 0 or a positive answer when it succeeds,
 * a negative number when it does not. The negative number is -errno for what the operating system
 * said (-ECONNREFUSED), or one of the TL_E* codes below for what only this library, or the
 * resolver, can say. Codes are values, so they can be compared, stored and sent; where more than a
 * code is needed (a future's failure, the reason a connection was lost) there is a tl_error with a
 * sentence and a cause.
 *
 * The names are what travels: a trace and an event hash name an error by its place in the table of
 * tl_err_index, never by its number, because errno numbers differ between CPUs.
 */
#ifndef TWINLOOP_ERROR_H
#define TWINLOOP_ERROR_H

/* The library's own codes: X(name, number, sentence). Appended to, never renumbered. */
#define TL_ERRORS(X)                                                                               \
    X(TL_ECLOSED, -20001, "the loop or the transport is closed")                                   \
    X(TL_ENORUNNING, -20002, "no event loop is running on this thread")                            \
    X(TL_ENOLOOP, -20003, "this thread has no current event loop")                                 \
    X(TL_ETHREAD, -20004, "the call was made on the wrong thread")                                 \
    X(TL_ESTATE, -20005, "the object is not in a state that allows this")                          \
    X(TL_ESTOPPED, -20006, "the loop was stopped before the future was done")                      \
    X(TL_EDEADLOCK, -20007, "nothing can ever wake this loop again")                               \
    X(TL_EDIVERGED, -20008, "the replay diverged from the trace")                                  \
    X(TL_ETRACE, -20009, "the trace cannot be read")                                               \
    X(TL_EEOF, -20010, "end of the input")                                                         \
    X(TL_EPROTOCOL, -20011, "a protocol callback broke its contract")                              \
    X(TL_ENOSENDFILE, -20012, "sendfile is not possible here")                                     \
    X(TL_ETIMERANGE, -20013, "the time is out of range")                                           \
    X(TL_EOUTOFREACH, -20014, "the trace does not say what happened from here on")                 \
    X(TL_ENOTASK, -20015, "there is no task here that could wait")

/* What the resolver says, as getaddrinfo's EAI_* codes, which are no errnos and whose numbers
 * differ between systems. */
#define TL_EAI_ERRORS(X)                                                                           \
    X(TL_EAI_ADDRFAMILY, -3000, "the host has no address of this family")                          \
    X(TL_EAI_AGAIN, -3001, "the name cannot be looked up now")                                     \
    X(TL_EAI_BADFLAGS, -3002, "the flags of the lookup are not valid")                             \
    X(TL_EAI_FAIL, -3003, "the name can never be looked up")                                       \
    X(TL_EAI_FAMILY, -3004, "the address family is not supported")                                 \
    X(TL_EAI_MEMORY, -3005, "the resolver is out of memory")                                       \
    X(TL_EAI_NODATA, -3006, "the name is known, but has no address")                               \
    X(TL_EAI_NONAME, -3007, "the name or service is not known")                                    \
    X(TL_EAI_OVERFLOW, -3008, "the name is too long")                                              \
    X(TL_EAI_SERVICE, -3009, "the service is not known for this type of socket")                   \
    X(TL_EAI_SOCKTYPE, -3010, "the type of socket is not supported")                               \
    X(TL_EAI_SYSTEM, -3011, "the resolver met an error of the system")

enum tl_error_code {
#define TL_ERROR_ENUM(name, number, sentence) name = number,
    TL_ERRORS(TL_ERROR_ENUM) TL_EAI_ERRORS(TL_ERROR_ENUM)
#undef TL_ERROR_ENUM
};

typedef struct tl_error tl_error;

/* What went wrong, for people and for programs. Passed by const pointer and valid for the call; who
 * wants to keep one copies the code. */
struct tl_error {
    int code;              /* negative: -errno, TL_E* or TL_EAI_* */
    const char *message;   /* one sentence, never NULL */
    const tl_error *cause; /* what this followed from, or NULL */
};

/* The sentence for a code. Never NULL; static; "no error" for 0 and above. */
const char *tl_strerror(int code);

/* The name of a code: "ECONNREFUSED", "TL_ECLOSED". Never NULL; static; "OK" for 0 and above,
 * "UNKNOWN" for what has no name. */
const char *tl_err_name(int code);

/* The place of a code in the table of names: the same on every CPU and in every version from the
 * one that introduced it. 0 for success and for what has no name. Hashes and traces use it. */
unsigned tl_err_index(int code);

/* The inverse of tl_err_index: the code with that index here, or -EIO where this table has none. */
int tl_err_from_index(unsigned index);

/* The code of the last call on this thread that could return only NULL or nothing
 * (tl_get_running_loop).
 */
int tl_last_error(void);

#endif
