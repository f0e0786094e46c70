libserver_a_SOURCES += \
	%D%/descriptor.c %D%/descriptor.h \
	%D%/listener.c %D%/listener.h \
	%D%/listener_file.c \
	%D%/listener_owner.c \
	%D%/listener_parts.h
