include %D%/unit/local.mk

# What the tests find in their environment.  APHORISMD_... would be read by the daemon, hence the prefix.
AM_TESTS_ENVIRONMENT = \
	TEST_APHORISMD='$(abs_top_builddir)/aphorismd'; export TEST_APHORISMD; \
	TEST_APHORISM='$(abs_top_builddir)/aphorism'; export TEST_APHORISM; \
	TEST_APHORISM_BENCH='$(abs_top_builddir)/aphorism-bench'; export TEST_APHORISM_BENCH; \
	TEST_APHORISMCTL='$(abs_top_builddir)/aphorismctl'; export TEST_APHORISMCTL; \
	TEST_ETC='$(abs_top_srcdir)/etc'; export TEST_ETC; \
	TEST_SRCDIR='$(abs_top_srcdir)'; export TEST_SRCDIR; \
	TEST_CC='$(CC)'; export TEST_CC; \
	TEST_PYTHON='$(PYTHON)'; export TEST_PYTHON;
# a daemon with a protocol of the tests' own: its table of protocols takes the place of src/protocol/protocol.c
check_PROGRAMS += %D%/count/aphorismd
tests_count_aphorismd_SOURCES = $(aphorismd_SOURCES) %D%/count/count.c
tests_count_aphorismd_LDADD = $(aphorismd_LDADD)

# where the system tests show their progress
AM_TESTS_FD_REDIRECT = 9>&2

test_scripts = \
	%D%/check-system \
	%D%/check-bench \
	%D%/check-big-endian \
	%D%/check-instructions \
	%D%/check-layers \
	%D%/check-models \
	%D%/check-names \
	%D%/check-rows \
	%D%/check-manual
TESTS += $(test_scripts)
# check-same: by hand, against the daemon of another build
EXTRA_DIST += $(test_scripts) %D%/names %D%/check-same %D%/same %D%/rows %D%/run-pytest %D%/big-endian %D%/instructions %D%/system %D%/bench

# What hurts: an hour of deaths, overload, shortage and faults, then fuzzing and valgrind.  SEED=N repeats a run.
chaos_scripts = %D%/check-chaos %D%/check-fuzz %D%/check-valgrind
EXTRA_DIST += $(chaos_scripts) %D%/under-valgrind %D%/helgrind.h %D%/chaos %D%/fuzz

check-chaos: all
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/%D%/check-chaos --all $${SEED:+--seed $$SEED}
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/%D%/check-fuzz $${SEED:+--seed $$SEED}
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/%D%/check-valgrind --all
.PHONY: check-chaos

# Other processors, C libraries, containers and kernels; PORTS='i386 musl' does some of them.
check-ports: all
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/%D%/check-ports $(PORTS)
EXTRA_DIST += %D%/check-ports %D%/ports
.PHONY: check-ports

# Debian's packages, installed in a Debian of their own that is booted for it; status 77 where that can't be.
check-system: deb
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/%D%/check-install
EXTRA_DIST += %D%/check-install %D%/install
.PHONY: check-system

if !HAVE_CHECK
check_DATA += missing-check
endif
if !HAVE_PYTEST
check_DATA += missing-pytest
endif
missing-check:
	@echo "make check: the unit tests need the library Check: install it (Debian: check) and configure again" >&2; exit 1
missing-pytest:
	@echo "make check: the system tests need a python3 with pytest and pytest-xdist:" \
		"install them (Debian: python3-pytest python3-pytest-xdist) and configure again" >&2; exit 1
.PHONY: missing-check missing-pytest

# not a part of check: it goes on as long as FUZZ_SECONDS says
fuzz:
	@$(top_srcdir)/tests/check-fuzz
clean-local:
	rm -rf fuzz check-install check-ports deb
.PHONY: fuzz

dist-hook:
	find "$(distdir)/tests" -name __pycache__ -prune -exec rm -rf {} +
