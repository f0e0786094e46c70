/*
 * commands.h - what aphorismctl asks for.
 */
#ifndef APHORISMD_COMMANDS_H
#define APHORISMD_COMMANDS_H

/* Does and answers what a client of the control socket wants, or keeps it: see control.h. */
void commands_obey(unsigned client, const char *command);

#endif
