sbin_PROGRAMS += aphorismctl
aphorismctl_SOURCES = \
	%D%/control.c %D%/control.h \
	%D%/json.c %D%/json.h \
	%D%/main.c \
	%D%/rows.c %D%/rows.h \
	%D%/show.c %D%/show.h \
	%D%/top.c %D%/top.h
aphorismctl_CFLAGS = $(AM_CFLAGS) $(NCURSES_CFLAGS)
aphorismctl_LDADD = libcommon.a $(NCURSES_LIBS) -lm
