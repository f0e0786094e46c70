noinst_LIBRARIES += libprotocol.a
libprotocol_a_SOURCES = \
	%D%/aphorism.c \
	%D%/conversation.c %D%/conversation.h \
	%D%/echo.c \
	%D%/message.c \
	%D%/protocol.c %D%/protocol.h \
	%D%/proxy.c %D%/proxy.h \
	%D%/table.c %D%/table.h \
	%D%/timestamp.c
