/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's version, as one word: "MAJOR.MINOR.PATCH".
 */
#ifndef TWINLOOP_VERSION_H
#define TWINLOOP_VERSION_H

#define TL_VERSION "0.1.0"

#endif
