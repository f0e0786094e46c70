bin_PROGRAMS += aphorism
aphorism_SOURCES = \
	%D%/exchange.c %D%/exchange.h \
	%D%/main.c \
	%D%/questions.c %D%/questions.h \
	%D%/show.c %D%/show.h
aphorism_LDADD = libprotocol.a libcommon.a
