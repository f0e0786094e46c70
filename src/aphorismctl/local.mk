sbin_PROGRAMS += aphorismctl
aphorismctl_SOURCES = \
	%D%/control.c %D%/control.h \
	%D%/json.c %D%/json.h \
	%D%/main.c
aphorismctl_LDADD = libcommon.a
