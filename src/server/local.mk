noinst_LIBRARIES += libserver.a
libserver_a_SOURCES = \
	%D%/access.c %D%/access.h \
	%D%/address.c %D%/address.h \
	%D%/config.c %D%/config.h \
	%D%/config_check.c \
	%D%/config_dump.c \
	%D%/config_keys.c \
	%D%/config_owner.c \
	%D%/config_parts.h \
	%D%/config_scan.c \
	%D%/config_slot.c \
	%D%/config_sound.c \
	%D%/config_text.c \
	%D%/config_value.c \
	%D%/descriptor.c %D%/descriptor.h \
	%D%/driver.c %D%/driver.h \
	%D%/event_connection.c %D%/event_connection.h \
	%D%/event_parked.c %D%/event_parked.h \
	%D%/event_engine.h \
	%D%/event_epoll.c \
	%D%/event_pump.c %D%/event_pump.h \
	%D%/event_ring.c %D%/event_ring.h \
	%D%/event_uring.c %D%/event_uring_parts.h \
	%D%/event_uring_input.c \
	%D%/figures.c %D%/figures.h \
	%D%/listener.c %D%/listener.h %D%/listener_parts.h \
	%D%/listener_file.c \
	%D%/listener_owner.c \
	%D%/meter.h \
	%D%/pump.c %D%/pump.h \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/sandbox_landlock.c \
	%D%/sandbox_parts.h \
	%D%/sandbox_seccomp.c \
	%D%/scoreboard.c %D%/scoreboard.h \
	%D%/scoreboard_sum.c \
	%D%/worker.c %D%/worker.h \
	%D%/worker_accept.c %D%/worker_parts.h \
	%D%/worker_admit.c \
	%D%/worker_seat.c \
	%D%/worker_stop.c
