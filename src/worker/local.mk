libserver_a_SOURCES += \
	%D%/driver.c %D%/driver.h \
	%D%/pump.c %D%/pump.h \
	%D%/worker.c %D%/worker.h \
	%D%/worker_accept.c \
	%D%/worker_admit.c \
	%D%/worker_parts.h \
	%D%/worker_slot.c \
	%D%/worker_stop.c
