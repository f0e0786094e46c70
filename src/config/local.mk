libserver_a_SOURCES += \
	%D%/access.c %D%/access.h \
	%D%/config.c %D%/config.h \
	%D%/config_check.c \
	%D%/config_dump.c \
	%D%/config_entry.c \
	%D%/config_keys.c \
	%D%/config_owner.c \
	%D%/config_parts.h \
	%D%/config_scan.c \
	%D%/config_text.c \
	%D%/config_validate.c \
	%D%/config_value.c
