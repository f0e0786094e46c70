noinst_LIBRARIES += libmodels.a
libmodels_a_SOURCES = \
	%D%/event.c \
	%D%/fork.c \
	%D%/iterative.c \
	%D%/model.c %D%/model.h \
	%D%/prefork.c \
	%D%/thread.c \
	%D%/threadpool.c
