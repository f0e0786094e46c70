unit_tests = \
	%D%/test_access \
	%D%/test_address \
	%D%/test_config \
	%D%/test_conversation \
	%D%/test_log \
	%D%/test_nearest \
	%D%/test_proctitle \
	%D%/test_table \
	%D%/test_units

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# for all of them: they have no list of their own
LDADD = libmodels.a libserver.a libprotocol.a libcommon.a $(LIBCONFIG_LIBS) $(CHECK_LIBS)

EXTRA_DIST += %D%/pump.h
