bin_PROGRAMS += aphorism
aphorism_SOURCES = \
	%D%/client.c %D%/client.h \
	%D%/editor.c %D%/editor.h \
	%D%/interactive.c %D%/interactive.h \
	%D%/main.c \
	%D%/questions.c %D%/questions.h \
	%D%/show.c %D%/show.h
aphorism_CFLAGS = $(AM_CFLAGS) $(LIBEDIT_CFLAGS)
aphorism_LDADD = libprotocol.a libcommon.a $(LIBEDIT_LIBS)
