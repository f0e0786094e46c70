/*
 * folder.h - the folder of a file, found without being led elsewhere.
 *
 * A path means what those make of it who can rename folders on the way, or put links there.  So who does more than to
 * read finds the folder first, and then names the file in there, by the functions whose names end in "at".
 */
#ifndef COMMON_FOLDER_H
#define COMMON_FOLDER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct folder {
	int fd;                           /* O_PATH: for the *at() functions and fchdir(2) */
	const char *name;                 /* of the file in there: the end of the path that was given */
	bool fixed;                       /* nobody but us and root can have the folder's path lead elsewhere */
	bool kept;                        /* nobody but us and root can move or replace what is ours in it */
};

/*
 * Finds the folder of a file, which may be missing itself.  A link on the way is followed if it is root's or our own,
 * or leads to a folder of its owner's.  False with errno, of another link EACCES; to be closed otherwise.  Waits for
 * nothing but a file system that hangs.
 */
bool folder_open(struct folder *, const char *path);

/* Leaves errno alone. */
void folder_close(struct folder *);

/*
 * Opens what has the name, whatever it is, to be looked at and compared (O_PATH), and does not follow it.  Returns a
 * descriptor, or -1 with errno.
 */
int folder_open_file(const struct folder *, struct stat *);

/* Removes what has the name if it is that very file; else false with errno. */
bool folder_remove(const struct folder *, dev_t device, ino_t inode);

#endif
