# What an installed daemon finds around it.
systemdunitdir = $(prefix)/lib/systemd/system
systemdunit_DATA = %D%/systemd/aphorismd.service %D%/systemd/aphorismd-activated.service
dist_systemdunit_DATA = %D%/systemd/aphorismd.socket

sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = %D%/sysusers.d/aphorismd.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_tmpfiles_DATA = %D%/tmpfiles.d/aphorismd.conf

completionsdir = $(datadir)/bash-completion/completions
dist_completions_DATA = \
	%D%/completion/aphorism \
	%D%/completion/aphorism-bench \
	%D%/completion/aphorismctl \
	%D%/completion/aphorismd

examplesdir = $(docdir)/examples
examples_DATA = %D%/systemd/aphorismd-inetd@.service
dist_examples_DATA = \
	etc/examples/event.conf \
	etc/examples/fork.conf \
	etc/examples/haproxy.cfg \
	etc/examples/iterative.conf \
	etc/examples/prefork.conf \
	etc/examples/thread.conf \
	etc/examples/threadpool.conf \
	%D%/inetd/inetd.conf \
	%D%/inetd/xinetd.conf \
	%D%/systemd/aphorismd-inetd.socket

units = $(systemdunit_DATA) $(examples_DATA)
CLEANFILES += $(units)
$(units): Makefile %D%/systemd/hardening
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(SED) -e 's|[@]sbindir@|$(sbindir)|g' -e 's|[@]sysconfdir@|$(sysconfdir)|g' \
		-e '/^@hardening@/{ r $(top_srcdir)/%D%/systemd/hardening' -e 'd; }' "$(top_srcdir)/$@.in" >$@

EXTRA_DIST += \
	%D%/container \
	%D%/debian \
	%D%/demo \
	%D%/init/aphorismd \
	%D%/make-deb \
	%D%/rpm/aphorismd.spec \
	%D%/systemd/aphorismd.service.in \
	%D%/systemd/aphorismd-activated.service.in \
	%D%/systemd/aphorismd-inetd@.service.in \
	%D%/systemd/hardening

# Debian's packages, from the tarball, into the folder deb.
deb: dist
	@$(SHELL) "$(top_srcdir)/%D%/make-deb" "$(distdir).tar.gz" deb
.PHONY: deb
