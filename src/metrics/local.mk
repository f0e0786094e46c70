libserver_a_SOURCES += \
	%D%/figures.c %D%/figures.h \
	%D%/recorder.h \
	%D%/scoreboard.c %D%/scoreboard.h \
	%D%/scoreboard_sum.c
