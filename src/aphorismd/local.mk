sbin_PROGRAMS += aphorismd
aphorismd_SOURCES = \
	%D%/answer.c %D%/answer.h \
	%D%/commands.c %D%/commands.h \
	%D%/control.c %D%/control.h \
	%D%/daemonize.c %D%/daemonize.h \
	%D%/doctor.c %D%/doctor.h \
	%D%/generation.c %D%/generation.h \
	%D%/generation_deaths.c \
	%D%/generations.c %D%/generations.h \
	%D%/idle.c \
	%D%/inetd.c %D%/inetd.h \
	%D%/inherited.c %D%/inherited.h \
	%D%/listeners.c %D%/listeners.h \
	%D%/loader.c %D%/loader.h \
	%D%/loader_try.c \
	%D%/main.c \
	%D%/metrics_file.c %D%/metrics_file.h \
	%D%/notices.c %D%/notices.h \
	%D%/notify.c %D%/notify.h \
	%D%/options.c %D%/options.h \
	%D%/part.h \
	%D%/pidfile.c %D%/pidfile.h \
	%D%/predecessor.c %D%/predecessor.h \
	%D%/privileges.c %D%/privileges.h \
	%D%/reload.c %D%/reload.h \
	%D%/report.c %D%/report.h \
	%D%/servant.c %D%/servant.h \
	%D%/servant_inspect.c \
	%D%/setup.c %D%/setup.h \
	%D%/snapshot.c %D%/snapshot.h \
	%D%/starter.c %D%/starter.h \
	%D%/status.c %D%/status.h \
	%D%/successor.c \
	%D%/supervisor.c %D%/supervisor.h \
	%D%/unit.c %D%/unit.h \
	%D%/upgrade.c %D%/upgrade.h \
	%D%/upgrade_talk.c %D%/upgrade_talk.h \
	%D%/watch.c \
	%D%/wish.c %D%/wish.h
aphorismd_LDADD = libmodels.a libserver.a libprotocol.a libcommon.a $(LIBCONFIG_LIBS) $(SECCOMP_LIBS) $(LIBURING_LIBS) \
	$(JANSSON_LIBS)
