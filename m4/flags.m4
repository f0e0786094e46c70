# APHORISMD_TRY_FLAG(VARIABLE, FLAG, IF-TAKEN, IF-NOT)
# ----------------------------------------------------
# Does a program compile and link, without a warning, with FLAG beside those chosen so far?  Linking matters: clang
# takes some flags only to call them unused there.  The program calls what _FORTIFY_SOURCE replaces.
AC_DEFUN([APHORISMD_TRY_FLAG], [
	AC_MSG_CHECKING([whether $CC takes $2])
	aphorismd_saved_CFLAGS=$CFLAGS aphorismd_saved_CPPFLAGS=$CPPFLAGS aphorismd_saved_LDFLAGS=$LDFLAGS
	CFLAGS="$APHORISMD_CFLAGS $CFLAGS -Werror"
	CPPFLAGS="$APHORISMD_CPPFLAGS $CPPFLAGS"
	LDFLAGS="$APHORISMD_LDFLAGS $LDFLAGS"
	$1="$$1 $2"
	AC_LINK_IFELSE([AC_LANG_SOURCE([[
		#include <string.h>

		int main(int argc, char **argv)
		{
			char copy[16];

			(void)argc;
			memset(copy, 0, sizeof(copy));
			strncpy(copy, argv[0], sizeof(copy) - 1);
			return copy[0] == 0;
		}]])],
		[aphorismd_taken=yes], [aphorismd_taken=no])
	CFLAGS=$aphorismd_saved_CFLAGS CPPFLAGS=$aphorismd_saved_CPPFLAGS LDFLAGS=$aphorismd_saved_LDFLAGS
	AC_MSG_RESULT([$aphorismd_taken])
	AS_IF([test $aphorismd_taken = yes], [$3], [$4])
])

# APHORISMD_FLAGS(VARIABLE, FLAGS, [required])
# --------------------------------------------
# Adds each of FLAGS that works to APHORISMD_VARIABLE; the user's own VARIABLE comes behind it and is left alone.
AC_DEFUN([APHORISMD_FLAGS], [
	for aphorismd_flag in m4_normalize([$2]); do
		APHORISMD_TRY_FLAG([$1], [$aphorismd_flag],
			[APHORISMD_$1="$APHORISMD_$1 $aphorismd_flag"],
			[m4_ifval([$3], [AC_MSG_ERROR([$CC does not take $aphorismd_flag])], [:])])
	done
])

# APHORISMD_FIRST_FLAG(VARIABLE, FLAGS)
# -------------------------------------
# The same, but for the first that works alone.
AC_DEFUN([APHORISMD_FIRST_FLAG], [
	for aphorismd_flag in m4_normalize([$2]); do
		APHORISMD_TRY_FLAG([$1], [$aphorismd_flag],
			[APHORISMD_$1="$APHORISMD_$1 $aphorismd_flag"; break], [:])
	done
])

# APHORISMD_YEAR2038
# ------------------
# Asks for a time_t that goes beyond the year 2038 where the C library can do both, which is on machines of 32 bits.
# To be called after AC_SYS_LARGEFILE.
AC_DEFUN([APHORISMD_YEAR2038], [
	AC_MSG_CHECKING([for times beyond the year 2038])
	aphorismd_wide='#include <time.h>
		extern char wide@<:@sizeof(time_t) > 4 ? 1 : -1@:>@;'
	AC_COMPILE_IFELSE([AC_LANG_SOURCE([$aphorismd_wide])], [AC_MSG_RESULT([yes])], [
		AC_COMPILE_IFELSE([AC_LANG_SOURCE([
			#define _TIME_BITS 64
			$aphorismd_wide])],
			[AC_DEFINE([_TIME_BITS], [64]) AC_MSG_RESULT([with _TIME_BITS])],
			[AC_MSG_RESULT([no])])
	])
])
