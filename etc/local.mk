# What an administrator edits: an existing file is never overwritten, and only an unchanged one is removed.
etc_files = \
	%D%/aphorismd.conf \
	%D%/lancelot.aphorisms \
	%D%/zen.aphorisms
etcdir = $(sysconfdir)/aphorismd
EXTRA_DIST += $(etc_files)

install-data-local:
	@$(MKDIR_P) "$(DESTDIR)$(etcdir)"
	@for file in $(etc_files); do \
		to="$(DESTDIR)$(etcdir)/$${file##*/}"; \
		if test -e "$$to"; then \
			echo " keeping $$to"; \
		else \
			echo " $(INSTALL_DATA) $$file $$to"; \
			$(INSTALL_DATA) "$(top_srcdir)/$$file" "$$to" || exit 1; \
		fi; \
	done

uninstall-local:
	@for file in $(etc_files); do \
		to="$(DESTDIR)$(etcdir)/$${file##*/}"; \
		if cmp -s "$(top_srcdir)/$$file" "$$to"; then rm -f "$$to"; fi; \
	done
	@rmdir "$(DESTDIR)$(etcdir)" 2>/dev/null || :
