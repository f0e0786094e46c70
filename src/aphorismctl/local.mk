sbin_PROGRAMS += aphorismctl
aphorismctl_SOURCES = \
	%D%/control.c %D%/control.h \
	%D%/json.c %D%/json.h \
	%D%/main.c \
	%D%/rows.c %D%/rows.h \
	%D%/show.c %D%/show.h
aphorismctl_LDADD = libcommon.a
