libserver_a_SOURCES += \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/sandbox_landlock.c \
	%D%/sandbox_parts.h \
	%D%/sandbox_seccomp.c
