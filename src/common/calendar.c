/*
 * calendar.c - the time of day as text, in the local zone.
 */
#include "common/calendar.h"

#include <string.h>
#include <time.h>

#include "common/clock.h"

void calendar_open(void)
{
	tzset();
}

void calendar_write(char text[CALENDAR_TEXT], uint64_t wall_us)
{
	time_t wall_s = (time_t)(wall_us / CLOCK_S);
	char line[32] = "";
	struct tm local;

	/* neither looks whether the zone has changed, as localtime, ctime and strftime do */
	asctime_r(localtime_r(&wall_s, &local), line);
	memcpy(text, line, CALENDAR_TEXT);
}
