noinst_LIBRARIES += libcommon.a
libcommon_a_SOURCES = \
	%D%/address.c %D%/address.h \
	%D%/calendar.c %D%/calendar.h \
	%D%/capability.c %D%/capability.h \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/clock.h \
	%D%/command.c %D%/command.h \
	%D%/compat.c %D%/compat.h \
	%D%/cpus.c %D%/cpus.h \
	%D%/dial.c %D%/dial.h \
	%D%/endpoint.c %D%/endpoint.h \
	%D%/folder.c %D%/folder.h \
	%D%/histogram.c %D%/histogram.h \
	%D%/identity.c %D%/identity.h \
	%D%/json.c %D%/json.h \
	%D%/latency.c %D%/latency.h \
	%D%/log.c %D%/log.h \
	%D%/nearest.c %D%/nearest.h \
	%D%/options.c %D%/options.h \
	%D%/plain.c %D%/plain.h \
	%D%/priority.c %D%/priority.h \
	%D%/proctitle.c %D%/proctitle.h \
	%D%/regular.c %D%/regular.h \
	%D%/signals.h \
	%D%/siphash.h \
	%D%/standard.c %D%/standard.h \
	%D%/units.c %D%/units.h
