sbin_PROGRAMS += aphorismd
aphorismd_SOURCES = \
	%D%/answer.c %D%/answer.h \
	%D%/control.c %D%/control.h \
	%D%/daemonize.c %D%/daemonize.h \
	%D%/doctor.c %D%/doctor.h \
	%D%/generation.c %D%/generation.h %D%/generation_parts.h \
	%D%/generation_deaths.c \
	%D%/generation_ready.c \
	%D%/image.c %D%/image.h \
	%D%/inetd.c %D%/inetd.h \
	%D%/inherited.c %D%/inherited.h \
	%D%/loader.c %D%/loader.h \
	%D%/loader_covered.c \
	%D%/loader_try.c \
	%D%/main.c \
	%D%/notify.c %D%/notify.h \
	%D%/options.c %D%/options.h \
	%D%/pidfile.c %D%/pidfile.h \
	%D%/privileges.c %D%/privileges.h \
	%D%/servant.c %D%/servant.h \
	%D%/servant_look.c \
	%D%/starter.c %D%/starter.h \
	%D%/supervisor.c %D%/supervisor.h %D%/supervisor_parts.h \
	%D%/supervisor_commands.c \
	%D%/supervisor_heir.c \
	%D%/supervisor_idle.c \
	%D%/supervisor_listeners.c \
	%D%/supervisor_metrics.c \
	%D%/supervisor_queues.c \
	%D%/supervisor_reload.c \
	%D%/supervisor_setup.c \
	%D%/supervisor_status.c \
	%D%/supervisor_told.c \
	%D%/supervisor_upgrade.c \
	%D%/unit.c %D%/unit.h
aphorismd_LDADD = libmodels.a libserver.a libprotocol.a libcommon.a $(LIBCONFIG_LIBS) $(SECCOMP_LIBS) $(LIBURING_LIBS) \
	$(JANSSON_LIBS)
