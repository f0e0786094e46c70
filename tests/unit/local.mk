unit_tests = \
	%D%/test_access \
	%D%/test_address \
	%D%/test_calendar \
	%D%/test_command \
	%D%/test_compat \
	%D%/test_config \
	%D%/test_conversation \
	%D%/test_due \
	%D%/test_figures \
	%D%/test_folder \
	%D%/test_histogram \
	%D%/test_identity \
	%D%/test_kinds \
	%D%/test_log \
	%D%/test_manual \
	%D%/test_message \
	%D%/test_options \
	%D%/test_nearest \
	%D%/test_parked \
	%D%/test_plain \
	%D%/test_proctitle \
	%D%/test_proxy \
	%D%/test_sandbox \
	%D%/test_scoreboard \
	%D%/test_table \
	%D%/test_units \
	%D%/test_uring \
	%D%/test_verdict

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# for all of them: they have no list of their own
LDADD = libmodels.a libserver.a libprotocol.a libcommon.a $(LIBCONFIG_LIBS) $(SECCOMP_LIBS) $(LIBURING_LIBS) \
	$(JANSSON_LIBS) $(CHECK_LIBS)

tests_unit_test_verdict_SOURCES = \
	%D%/test_verdict.c \
	src/aphorism-bench/advice.c \
	src/aphorism-bench/rounds.c \
	src/aphorism-bench/scenario.c \
	src/aphorism-bench/show.c \
	src/aphorism-bench/verdict.c \
	src/aphorism-bench/view.c
tests_unit_test_verdict_LDADD = $(LDADD) -lm

EXTRA_DIST += %D%/dialogue.h %D%/orders.h %D%/pump.h
