/*
 * event_engine.c - the rows of the table of engines.
 */
#include "event/engine/event_engine.h"

#define ROW(name, word) &event_##name,

/* what "auto" is first */
const struct event_engine *const event_engines[] = { &event_epoll, EVENT_ENGINES(ROW) NULL };
