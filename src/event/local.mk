libserver_a_SOURCES += \
	%D%/event_connection.c %D%/event_connection.h \
	%D%/event_due.c %D%/event_due.h \
	%D%/event_parked.c %D%/event_parked.h \
	%D%/event_pump.c %D%/event_pump.h \
	%D%/engine/event_engine.c %D%/engine/event_engine.h \
	%D%/engine/event_epoll.c \
	%D%/engine/event_ring.c %D%/engine/event_ring.h \
	%D%/engine/event_uring.c \
	%D%/engine/event_uring_input.c \
	%D%/engine/event_uring_parts.h
