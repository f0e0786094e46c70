# shellcheck shell=bash
# Completion in bash for aphorism(1), aphorism-bench(1), aphorismctl(8) and aphorismd(8).  -*- bash -*-
# What there is to choose from, the programs tell, each under a name of its own: FILE, MODEL, WORKER...

# _aphorism_options: of a --help; an option a line, its letter first, its argument last
_aphorism_options() {
	sed -nE 's/^  (-.,|   ) (--[a-z-]+)( [A-Z][^ ]*)?( .*)?$/\1 \2\3/p' <<<"$help" | tr -d ,
}

_aphorism_commands() {
	sed -nE '/^Commands:$/,/^$/s/^  ([a-z]+).*/\1/p' <<<"$help"
}

# the daemon is where an ordinary user's PATH does not look
_aphorism_daemon() {
	case $program in
	*/aphorismd) "$program" "$@" 2>/dev/null ;;
	*) PATH=$PATH:/usr/local/sbin:/usr/sbin aphorismd "$@" 2>/dev/null ;;
	esac
}

_aphorism_models() {
	_aphorism_daemon --list-models | cut -d ' ' -f 1
}

# the keys of the configuration, with dots and a = behind
_aphorism_keys() {
	_aphorism_daemon --dump | awk '
		/^[a-z_]+ = \{/ { group = $1 "."; next }
		/^\}/ { group = ""; next }
		/^[[:space:]]*[a-z_]+ = / { print group $1 "=" }'
}

# In bash's words --option=VALUE is three, and KEY=VALUE too, whose key keeps its =
_aphorism_words() {
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	else
		return
	fi
	case $prev in
	--*) ;;
	*) prev=$prev= ;;
	esac
}

# _aphorism_offer CHOICE...
_aphorism_offer() {
	mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}

# _aphorism_list CHOICE...: one more element of a list that goes by commas
_aphorism_list() {
	local begun=
	case $cur in
	*,*) begun=${cur%,*}, ;;
	esac
	mapfile -t COMPREPLY < <(compgen -P "$begun" -W "$*" -- "${cur##*,}")
	compopt -o nospace 2>/dev/null
}

# _aphorism_argument NAME: what may stand where the help says NAME
# shellcheck disable=SC2046 # words
_aphorism_argument() {
	case $1 in
	FILE* | SOCKET)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		;;
	*HOST*) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
	MODEL) _aphorism_offer $(_aphorism_models) ;;
	COMMAND) _aphorism_offer $(_aphorism_commands) ;;
	WORKER) _aphorism_offer $("$program" workers 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	HOW | LEVEL) _aphorism_offer $(sed -n "s/^$1: //p" <<<"$help" | tr '|' ' ') ;;
	KEY=VALUE)
		_aphorism_offer $(_aphorism_keys)
		compopt -o nospace 2>/dev/null
		;;
	LIST)
		case $prev in
		--models) _aphorism_list $(_aphorism_models) ;;
		--scenarios) _aphorism_list $("$program" compare --list-scenarios 2>/dev/null | cut -d ' ' -f 1) ;;
		esac
		;;
	esac
}

_aphorism() {
	local program=$1 cur prev help argument word

	COMPREPLY=()
	_aphorism_words
	help=$("$program" --help 2>/dev/null)
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		if [ "$word" != help ] && _aphorism_commands | grep -qxF -e "$word"; then
			help=$("$program" "$word" --help 2>/dev/null)
			break
		fi
	done
	argument=$(_aphorism_options | awk -v option="$prev" '
		($1 == option || $2 == option) && $NF ~ /^[A-Z]/ { print $NF }')
	case $prev in
	model=) argument=MODEL ;;
	*=) argument=FILE ;;
	esac
	case $argument$cur in
	'' | [!-]*) argument=${argument:-$(sed -nE '1s/.*\[OPTION\.\.\.\] ?//p' <<<"$help")} ;;
	esac
	if [ "$argument" ]; then
		_aphorism_argument "$argument"
	else
		# shellcheck disable=SC2046 # words
		_aphorism_offer $(_aphorism_options | grep -oE -e '--?[[:alnum:]][[:alnum:]-]*')
	fi
}

complete -F _aphorism aphorism aphorism-bench aphorismctl aphorismd
