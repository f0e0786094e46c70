/*
 * check.h - takes the place of Check's header, so that tests/unit/pump.h drives a conversation here too.
 */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include "fuzz.h"

#define ck_abort_msg(...) (fprintf(stderr, __VA_ARGS__), abort())
#define ck_assert_int_eq(a, b) REQUIRE((a) == (b))
#define ck_assert_ptr_eq(a, b) REQUIRE((a) == (b))
#define ck_assert_uint_eq(a, b) REQUIRE((a) == (b))
#define ck_assert_uint_le(a, b) REQUIRE((a) <= (b))
#define ck_assert_uint_lt(a, b) REQUIRE((a) < (b))
#define ck_assert_uint_gt(a, b) REQUIRE((a) > (b))

#endif
