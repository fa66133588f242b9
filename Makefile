# SPDX-License-Identifier: Apache-2.0
#
# Builds, tests and installs Twinloop. `make help` lists what it can do.
#
# One variant (a compiler and its flags) is built per run, into build/VARIANT/. A target that
# needs several variants, or another one, calls this file again. Sources are found by wildcard:
# a new file in a known folder needs no edit here.

VERSION := $(shell sed -n 's/.*TL_VERSION "\(.*\)"/\1/p' include/twinloop/version.h)

################################################################################
## Configuration, all of it may be given on the command line
VARIANT     ?= gcc#         one of the rows below
BUG         ?=#             the name of a planted bug, built into build/bug/NAME/
WERROR      ?=#             1 makes every warning an error
V           ?=#             1 shows the commands
PREFIX      ?= /usr/local
DESTDIR     ?=
T           ?=#             make test: tests to run, a glob; make fuzz: the target
S           ?= 60#          make fuzz: seconds
CLANG       ?= $(or $(shell command -v clang-14),clang)

.DEFAULT_GOAL := all
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:

# Parallel by default: one job per processor, unless -j or a parent make says otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS   += -j$(shell nproc)
endif

################################################################################
## Variants: one row per variant; a row without a compiler uses $(CC)
SANITIZE    := -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all

FLAGS.gcc         := -O2 -g
FLAGS.gcc-O0      := -O0 -g
FLAGS.clang       := -O2 -g
FLAGS.asan        := $(SANITIZE) -fsanitize=address,undefined
FLAGS.tsan        := $(SANITIZE) -fsanitize=thread
FLAGS.fuzz        := $(SANITIZE) -O2 -fsanitize=address
FLAGS.fuzz-ubsan  := $(SANITIZE) -O2 -fsanitize=address,undefined
FLAGS.check-gcc   := -O2 -g -Werror
FLAGS.check-clang := -O2 -g -Werror

CC.clang          = $(CLANG)
CC.fuzz           = $(CLANG)
CC.fuzz-ubsan     = $(CLANG)
CC.check-clang    = $(CLANG)

ifeq ($(FLAGS.$(VARIANT)),)
$(error there is no variant '$(VARIANT)': see "Variants" in the Makefile)
endif

# Where a variant is built: build/asan, build/bug/kv-split (gcc), build/bug/kv-split-asan.
place       = build/$(if $(BUG),bug/$(BUG)$(addprefix -,$(filter-out gcc,$1)),$1)

O           := $(call place,$(VARIANT))
COMPILER    := $(or $(CC.$(VARIANT)),$(CC))
BUG_MACRO   := $(if $(BUG),-DTL_BUG_$(shell echo '$(BUG)' | tr 'a-z-' 'A-Z_'))

WARNINGS    := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla
ALL_CFLAGS  := -std=gnu11 -fPIC -fno-plt -fno-semantic-interposition $(WARNINGS) \
               $(FLAGS.$(VARIANT)) $(if $(WERROR),-Werror) $(CFLAGS)
ALL_CPP     := -D_GNU_SOURCE= -Iinclude -Isrc $(BUG_MACRO) $(CPPFLAGS)
ALL_LDFLAGS := -Wl,--as-needed $(LDFLAGS)
LDLIBS      := -lcbor -lz -lpthread

# A library with a loose end must not link; sanitizers leave theirs to the program.
NO_LOOSE_ENDS := $(if $(findstring -fsanitize,$(FLAGS.$(VARIANT))),,-Wl,-z,defs)

################################################################################
## Sources
# What answers from a trace belongs to the simulator's library, what writes one to production.
REPLAY_SRC  := $(wildcard $(addprefix src/trace/,reader*.c cursor.c decode.c print.c pcapng.c \
               replay*.c stream_replay*.c))
LIB_SRC     := $(wildcard src/core/*.c src/core/*.S src/real/*.c) \
               $(filter-out $(REPLAY_SRC),$(wildcard src/trace/*.c))
SIM_SRC     := $(wildcard src/sim/*.c src/sim/*.S src/explore/*.c) $(REPLAY_SRC)
TOOL_SRC    := $(wildcard src/tool/*.c)

# examples/NAME.c and examples/NAME/*.c make NAME; NAME_scenario gets the same modules.
EXAMPLE_SRC := $(wildcard examples/*.c)
MODULE_SRC  := $(wildcard examples/*/*.c)
SIM_COMMON  := $(wildcard examples/common/sim_*.c)
COMMON      := $(filter-out $(SIM_COMMON),$(wildcard examples/common/*.c))
modules      = $(wildcard examples/$(patsubst %_scenario,%,$1)/*.c)

TEST_SRC    := $(wildcard tests/test_*.c tests/contract_*.c)
SUPPORT_SRC := $(wildcard tests/support/*.c)
FIDELITY_SRC := $(wildcard tests/fidelity/*.c)
FUZZER_SRC  := $(wildcard fuzz/*_fuzzer.c)
FUZZ_COMMON := $(filter-out $(FUZZER_SRC) fuzz/standalone.c,$(wildcard fuzz/*.c))
BENCH_SRC   := $(wildcard bench/*.c)
HEADERS     := $(wildcard include/*.h include/twinloop/*.h)

SOURCES     := $(LIB_SRC) $(SIM_SRC) $(TOOL_SRC) $(EXAMPLE_SRC) $(MODULE_SRC) $(TEST_SRC) \
               $(SUPPORT_SRC) $(FIDELITY_SRC) $(FUZZER_SRC) $(FUZZ_COMMON) $(wildcard fuzz/standalone.c) \
               $(BENCH_SRC)

obj          = $(patsubst %,$(O)/obj/%.o,$1)
programs     = $(patsubst %.c,$(O)/%,$1)

################################################################################
## Products
LIB         := $(O)/libtwinloop.a
LIBSIM      := $(O)/libtwinloop-sim.a
SHARED      := $(LIB:.a=.so) $(LIBSIM:.a=.so)
PROGRAM     := $(if $(TOOL_SRC),$(O)/twinloop)
EXAMPLES    := $(call programs,$(EXAMPLE_SRC))
PRODUCTION  := $(patsubst $(O)/examples/%,$(O)/production/%,$(filter-out %_scenario,$(EXAMPLES)))
TESTS       := $(call programs,$(TEST_SRC))
FUZZERS     := $(call programs,$(FUZZER_SRC))

# build/examples, build/twinloop, ... are short names for those of the default variant.
SHORT_NAMES := $(if $(filter build/gcc,$(O)),for x in examples production tests twinloop; do \
               [ ! -e build/gcc/$$x ] || ln -sfn gcc/$$x build/$$x; done;)

.PHONY: all libs program examples tests fuzzers headers everything test check demo bench fuzz \
        traces check-hashes install clean help FORCE

all: libs program examples ## libraries, program and examples; BUG=name plants a bug
libs: $(LIB) $(LIBSIM) $(SHARED)
program: $(PROGRAM)
examples: $(EXAMPLES) $(PRODUCTION)
tests: $(TESTS) $(O)/tests/fidelity $(O)/tests/semantics
fuzzers: $(FUZZERS)
headers: $(HEADERS:%=$(O)/obj/%.alone)
everything: all tests fuzzers headers
all libs program examples tests fuzzers headers everything:
	@$(SHORT_NAMES):

################################################################################
## How each kind of file is made
say          = @$(if $(V),,printf '  %-5s %s\n' '$1' '$(if $2,$2,$@)')
Q           := $(if $(V),,@)
COMPILE     := $(COMPILER) $(ALL_CPP) $(ALL_CFLAGS)
LINK         = $(Q)$(COMPILER) $(ALL_CFLAGS) -o $@ $(REPLAYABLE) $(filter %.o %.a,$^) $(ALL_LDFLAGS)

# Who has the simulator's library can be run by `twinloop replay`. Nothing refers to the function
# that this takes but a weak symbol, which fetches nothing out of an archive.
COMMA       := ,
REPLAYABLE   = $(if $(filter $(LIBSIM),$^),-Wl$(COMMA)-u$(COMMA)tl_replay_kernel_from_environment)

# A stamp changes when its text does: new flags compile anew, a removed source links anew.
stamp        = @mkdir -p $(@D); printf '%s\n' '$1' | cmp -s - $@ || printf '%s\n' '$1' >$@
$(O)/flags: FORCE;   $(call stamp,$(COMPILE) $(ALL_LDFLAGS))
$(O)/sources: FORCE; $(call stamp,$(sort $(SOURCES)))

$(O)/has/%.h:
	@mkdir -p $(@D)
	@echo '#include <$*.h>' | $(COMPILER) -E - >/dev/null 2>&1 && touch $@ || { printf '%s\n' \
	  '' 'Twinloop needs the C compiler "$(COMPILER)" and the header <$*.h>; one is missing.' \
	  'Install them with:  scripts/deps $(if $(filter cmocka,$*),test,build)' '' >&2; exit 1; }

$(O)/obj/%.c.o: %.c $(O)/flags | $(O)/has/cbor.h $(O)/has/zlib.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(O)/obj/%.S.o: %.S $(O)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(O)/obj/%.h.alone: %.h $(HEADERS) $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -U_GNU_SOURCE -x c -fsyntax-only -include $< /dev/null && touch $@

$(LIB):    $(call obj,$(LIB_SRC))
$(LIBSIM): $(call obj,$(SIM_SRC))
$(LIB) $(LIBSIM): $(O)/sources
	$(call say,AR)
	@mkdir -p $(@D); rm -f $@
	$(Q)$(AR) qcs $@ $(filter %.o,$^)

$(O)/libtwinloop-sim.so: $(O)/libtwinloop.so
$(O)/libtwinloop-sim.so: SO_NEEDS = -L$(O) -ltwinloop
$(O)/%.so: $(O)/%.a $(O)/flags
	$(call say,SO)
	$(Q)$(COMPILER) $(ALL_CFLAGS) -shared -Wl,-soname,$*.so.0 -o $@ $(NO_LOOSE_ENDS) \
	  -Wl,--whole-archive $< -Wl,--no-whole-archive $(ALL_LDFLAGS) $(SO_NEEDS) $(LDLIBS)
	@ln -sf $*.so $@.0

$(O)/twinloop: $(call obj,$(TOOL_SRC)) $(LIBSIM) $(LIB) $(O)/sources
	$(call say,LD)
	$(LINK) $(LDLIBS)

$(O)/examples/%: $$(call obj,examples/$$*.c $$(call modules,$$*) $(COMMON) $(SIM_COMMON)) \
                 $(LIBSIM) $(LIB) $(O)/sources
	$(call say,LD)
	@mkdir -p $(@D)
	$(LINK) $(LDLIBS)

# The same objects without the simulator: that this links is the proof that production needs none.
$(O)/production/%: $$(call obj,examples/$$*.c $$(call modules,$$*) $(COMMON)) $(LIB) $(O)/sources
	$(call say,LD)
	@mkdir -p $(@D)
	$(LINK) $(LDLIBS)

# Tests may use each other's support files and the examples' modules by their paths in the tree.
$(call obj,$(TEST_SRC) $(SUPPORT_SRC)): COMPILE += -Itests -I.
$(call obj,$(TEST_SRC) $(SUPPORT_SRC)): | $(O)/has/cmocka.h
$(O)/libexamples.a: $(call obj,$(filter-out $(SIM_COMMON),$(MODULE_SRC)))
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

# A stranger's library, as a program links it and as one is opened while it runs.
GUESTS      := $(O)/tests/guest/libguest.so $(O)/tests/guest/libguest-late.so
$(GUESTS): tests/guest/guest.c tests/guest/guest.h $(O)/flags
	$(call say,SO)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) -std=gnu11 -O2 -D_GNU_SOURCE= -D_FORTIFY_SOURCE=2 $(WARNINGS) \
	  $(if $(WERROR),-Werror) -fPIC -shared -o $@ $<
$(O)/tests/test_guard: $(GUESTS)
TEST_LIBS.test_fiber = -lm
TEST_LIBS.test_guard = $(O)/tests/guest/libguest.so -Wl,-rpath,'$$ORIGIN/guest' -ldl

$(O)/tests/%: $(O)/obj/tests/%.c.o $(call obj,$(SUPPORT_SRC)) $(O)/libexamples.a $(LIBSIM) $(LIB) \
              $(O)/sources
	$(call say,LD)
	@mkdir -p $(@D)
	$(LINK) $(TEST_LIBS.$*) -lcmocka $(LDLIBS)

# Random programs on Linux and on the simulator.
$(call obj,$(FIDELITY_SRC)): COMPILE += -I.
$(O)/tests/fidelity: $(call obj,$(FIDELITY_SRC)) $(LIBSIM) $(LIB) $(O)/sources
	$(call say,LD)
	@mkdir -p $(@D)
	$(LINK) $(LDLIBS)

$(O)/tests/semantics: scripts/semantics
	@mkdir -p $(@D)
	$(Q)install -m 755 $< $@

# A fuzz target runs under libFuzzer in its own variant, over given files in every other.
# There, what is fuzzed tells the fuzzer which way it went, and the simulator around it is fast: its
# own tests are what looks for its mistakes.
ifneq ($(filter fuzz%,$(VARIANT)),)
$(call obj,$(MODULE_SRC)): COMPILE += -fsanitize=fuzzer-no-link
$(call obj,$(filter-out %/fuzz_memory.c,$(SIM_SRC))): COMPILE += -fno-sanitize=all
endif
FUZZ_MAIN   := $(if $(filter fuzz%,$(VARIANT)),,$(call obj,fuzz/standalone.c))
$(call obj,$(FUZZER_SRC)): COMPILE += -I.
$(O)/fuzz/%: $(O)/obj/fuzz/%.c.o $(call obj,$(FUZZ_COMMON)) $(FUZZ_MAIN) $(O)/libexamples.a \
             $(LIBSIM) $(LIB) $(O)/sources
	$(call say,LD)
	@mkdir -p $(@D)
	$(LINK) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) $(LDLIBS)

# A peer's library goes to its own server; only what measures the simulator gets the simulator.
BENCH_LIBS.echo_uv          := -luv
BENCH_LIBS.echo_uv_write    := -luv
BENCH_LIBS.echo_libevent    := -levent_core
BENCH_LIBS.echo_bufferevent := -levent_core
BENCH_LIBS.echo_libev       := -lev
BENCH_LIBS.loop_uv          := -luv
BENCH_LIBS.loop_libev       := -lev
BENCH_LIBS.loop_libevent    := -levent_core
BENCH_LIBS.loop_posts_uv    := -luv
BENCH_LIBS.sim_hold         := -lm
BENCH_SIM   := sim_% trace_%
BENCH_OBJ.sim_seeds         := $(call obj,examples/kv_scenario.c $(call modules,kv) $(COMMON) \
                               $(SIM_COMMON))
$(O)/bench/%: $(O)/obj/bench/%.c.o $$(BENCH_OBJ.$$*) \
              $$(if $$(filter $$(BENCH_SIM),$$*),$(LIBSIM)) $(LIB) $(O)/sources
	$(call say,LD)
	@mkdir -p $(@D)
	$(LINK) $(BENCH_LIBS.$*) $(LDLIBS)

-include $(patsubst %,$(O)/obj/%.d,$(SOURCES))

################################################################################
## Commands
SUB          = +@$(MAKE) --no-print-directory

test: ## installs what is missing and runs the tests under ASan and UBSan; T='stream*' runs some
	@bash scripts/deps test
	$(SUB) VARIANT=asan all tests fuzzers
	@bash scripts/run-tests $(call place,asan) $(if $(T),'$(T)')

# The tests in which threads are at work: their own, or the library's for jobs.
THREADED     = $(basename $(notdir $(shell grep -lE \
               'pthread_create|run_in_executor|ops->work|getaddrinfo|getnameinfo' $(TEST_SRC))))
test-tsan: ## the tests in which threads are at work, under TSan
	@bash scripts/deps test
	$(SUB) VARIANT=tsan tests
	@bash scripts/run-tests $(call place,tsan) $(THREADED)

# The contract tests run here as well, since what production links differs from what sanitizers
# look at: system calls that are made inline, and what -O2 makes of the code.
check: ## format, warnings of two compilers, the contract at -O2, static analysis, tree rules
	@bash scripts/deps check
	@bash scripts/check-format
	$(SUB) VARIANT=check-gcc everything
	$(SUB) VARIANT=check-clang everything
	@bash -o pipefail -c "scripts/run-tests $(call place,check-gcc) 'contract_*' | grep -v '^ok '"
	@bash scripts/check-static
	@bash scripts/check-tree --self-test
	@bash scripts/check-tree $(call place,check-gcc)
	@$(call place,check-gcc)/tests/semantics --check
	@echo 'make check: all held'

# Each of these is a script of its own; help names it once the script exists.
demo: scripts/demo ## shows the main job, on a fresh machine too
bench: scripts/bench ## side by side with peers
traces: scripts/traces ## records the golden traces anew and replays each strictly
check-hashes: scripts/check-hashes ## the same seeds under three compilers: the same hashes
demo bench traces check-hashes:
	+@bash scripts/$@

FUZZ_BUILD  := fuzz$(if $(filter 0,$(UBSAN)),,-ubsan)
FUZZER       = $(call place,$(FUZZ_BUILD))/fuzz/$(T:_fuzzer=)_fuzzer
FOUND        = build/fuzz-found/$(T:_fuzzer=)
fuzz: ## one libFuzzer target for S seconds: T=target S=60; UBSAN=0; BUG=name plants a bug
	$(if $(wildcard fuzz/$(T:_fuzzer=)_fuzzer.c),,$(error make fuzz T=target, one of: \
	  $(patsubst fuzz/%_fuzzer.c,%,$(FUZZER_SRC))))
	@bash scripts/deps fuzz
	$(SUB) VARIANT=$(FUZZ_BUILD) $(FUZZER)
	@mkdir -p $(FOUND)/corpus
	$(FUZZER) -max_total_time=$(S) -artifact_prefix=$(FOUND)/ \
	  $(patsubst %,-dict=%,$(wildcard fuzz/dict/$(T:_fuzzer=).dict)) \
	  $(FOUND)/corpus $(wildcard fuzz/corpus/$(T:_fuzzer=))

LIBDIR       = $(DESTDIR)$(PREFIX)/lib
install: all ## headers, libraries, pkg-config, program: PREFIX=/usr/local DESTDIR=
	install -d $(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/twinloop
	install -m 644 $(wildcard include/*.h) $(DESTDIR)$(PREFIX)/include
	install -m 644 $(wildcard include/twinloop/*.h) $(DESTDIR)$(PREFIX)/include/twinloop
	install -m 644 $(LIB) $(LIBSIM) $(LIBDIR)
	for l in libtwinloop libtwinloop-sim; do \
	  install -m 755 $(O)/$$l.so $(LIBDIR)/$$l.so.$(VERSION) && \
	  ln -sf $$l.so.$(VERSION) $(LIBDIR)/$$l.so.0 && ln -sf $$l.so.0 $(LIBDIR)/$$l.so && \
	  sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(LDLIBS)|' \
	    scripts/$${l#lib}.pc.in >$(LIBDIR)/pkgconfig/$${l#lib}.pc || exit 1; done
	$(if $(PROGRAM),install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/twinloop)

clean: ## removes build/
	rm -rf build

help: ## this table
	@awk -v have=' $(wildcard scripts/*) ' ' \
	  match($$0, /^[a-z-]+:.*## /) { \
	    target = $$0; sub(/:.*/, "", target); text = $$0; sub(/^.*## /, "", text); \
	    if ($$2 ~ /^scripts\// && !index(have, " " $$2 " ")) next; \
	    printf "make %-14s %s\n", target, text }' $(firstword $(MAKEFILE_LIST))
