bin_PROGRAMS += aphorism-bench
aphorism_bench_SOURCES = \
	%D%/advice.c %D%/advice.h \
	%D%/capture.c %D%/capture.h \
	%D%/cell.h \
	%D%/child.c %D%/child.h \
	%D%/column.c %D%/column.h \
	%D%/compare.c %D%/compare.h \
	%D%/contestant.c %D%/contestant.h \
	%D%/csv.c %D%/csv.h \
	%D%/explain.c %D%/explain.h \
	%D%/fields.c %D%/fields.h \
	%D%/html.c %D%/html.h \
	%D%/interrupt.c %D%/interrupt.h \
	%D%/json.c %D%/json.h \
	%D%/json_text.c %D%/json_text.h \
	%D%/last.c %D%/last.h \
	%D%/load.c %D%/load.h %D%/load_parts.h \
	%D%/load_client.c \
	%D%/load_receive.c \
	%D%/load_result.c \
	%D%/load_schedule.c %D%/load_schedule.h \
	%D%/load_tape.c %D%/load_tape.h \
	%D%/load_thread.c \
	%D%/load_timers.c %D%/load_timers.h \
	%D%/main.c \
	%D%/options.c %D%/options.h \
	%D%/out.c %D%/out.h \
	%D%/picture.c %D%/picture.h \
	%D%/plots.c %D%/plots.h \
	%D%/progress.c %D%/progress.h \
	%D%/publish.c %D%/publish.h \
	%D%/report.c %D%/report.h \
	%D%/rounds.c %D%/rounds.h \
	%D%/run.c %D%/run.h \
	%D%/scenario.c %D%/scenario.h \
	%D%/show.c %D%/show.h \
	%D%/table.c %D%/table.h \
	%D%/tree.c %D%/tree.h \
	%D%/trial.c %D%/trial.h \
	%D%/verdict.c %D%/verdict.h \
	%D%/view.c %D%/view.h
aphorism_bench_LDADD = libprotocol.a libcommon.a $(JANSSON_LIBS) -lm
