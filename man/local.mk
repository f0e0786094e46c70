dist_man_MANS = \
	%D%/aphorism-bench.1 \
	%D%/aphorism.1 \
	%D%/aphorismctl.8 \
	%D%/aphorismd-models.7 \
	%D%/aphorismd.8 \
	%D%/aphorismd.conf.5 \
	%D%/aphorisms.5

# The pages as they stand are right for --sysconfdir=/etc; installed ones name the real place.
install-data-hook:
	@for page in $(dist_man_MANS); do \
		to="$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; \
		test ! -e "$$to" || $(SED) 's|/etc/aphorismd|$(etcdir)|g' "$(top_srcdir)/$$page" >"$$to" || exit 1; \
	done
