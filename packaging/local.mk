# What an installed daemon finds around it.
systemdunitdir = $(prefix)/lib/systemd/system
systemdunit_DATA = %D%/systemd/aphorismd.service %D%/systemd/aphorismd-activated.service
dist_systemdunit_DATA = %D%/systemd/aphorismd.socket

sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = %D%/sysusers.d/aphorismd.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_tmpfiles_DATA = %D%/tmpfiles.d/aphorismd.conf

# A shell looks for a file of the program's name: one for each shell serves under all of them.
bashcompletionsdir = $(datadir)/bash-completion/completions
bashcompletions_DATA = \
	%D%/completion/bash/aphorism \
	%D%/completion/bash/aphorism-bench \
	%D%/completion/bash/aphorismctl \
	%D%/completion/bash/aphorismd
fishcompletionsdir = $(datadir)/fish/vendor_completions.d
fishcompletions_DATA = \
	%D%/completion/fish/aphorism.fish \
	%D%/completion/fish/aphorism-bench.fish \
	%D%/completion/fish/aphorismctl.fish \
	%D%/completion/fish/aphorismd.fish
zshcompletionsdir = $(datadir)/zsh/site-functions
zshcompletions_DATA = \
	%D%/completion/zsh/_aphorism \
	%D%/completion/zsh/_aphorism-bench \
	%D%/completion/zsh/_aphorismctl \
	%D%/completion/zsh/_aphorismd
completions = $(bashcompletions_DATA) $(fishcompletions_DATA) $(zshcompletions_DATA)
CLEANFILES += $(completions)
$(completions): Makefile %D%/completion/aphorism.bash %D%/completion/aphorism.fish %D%/completion/aphorism.zsh
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)from='$(@D)'; cp "$(top_srcdir)/%D%/completion/aphorism.$${from##*/}" $@

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
	%D%/completion/aphorism.bash \
	%D%/completion/aphorism.fish \
	%D%/completion/aphorism.zsh \
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
