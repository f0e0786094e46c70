/*
 * pump.h - the blocking pump, between a socket and a conversation.
 */
#ifndef WORKER_PUMP_H
#define WORKER_PUMP_H

#include "worker/worker.h"

/*
 * Serves a connection to its end with that pair of the worker's buffers, counted in that set of the worker's counters;
 * to close it is the caller's.  Blocks; bounded by the time-outs of the configuration and, once a stop has begun, by
 * the end of the drain.
 */
void pump_converse(struct connection *, uint32_t buffers, uint32_t counter_set);

#endif
