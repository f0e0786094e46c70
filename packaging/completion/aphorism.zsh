#compdef aphorism aphorism-bench aphorismctl aphorismd
# Completion in zsh.  What there is to choose from, the programs tell, each under a name of its own: FILE, MODEL, WORKER...

# the daemon is where an ordinary user's path does not look
_aphorism_daemon() {
	if [[ $program == *aphorismd ]]; then
		$program "$@" 2>/dev/null
	else
		PATH=$PATH:/usr/local/sbin:/usr/sbin aphorismd "$@" 2>/dev/null
	fi
}

# _aphorism_argument NAME [OPTION]: what may stand where the help says NAME
_aphorism_argument() {
	local -a found
	case $1 in
	FILE*|SOCKET) _files ;;
	*HOST*) _hosts ;;
	COMMAND) _describe command listed ;;
	HOW|LEVEL) compadd ${(s:|:)${${(M)${(f)help}:#$1: *}#*: }} ;;
	WORKER) compadd ${(f)"$($program workers 2>/dev/null | awk 'NR > 1 { print $1 }')"} ;;
	MODEL) compadd ${${(f)"$(_aphorism_daemon --list-models)"}%% *} ;;
	LIST)
		case $2 in
		--models) found=(${${(f)"$(_aphorism_daemon --list-models)"}%% *}) ;;
		--scenarios) found=(${${(f)"$($program compare --list-scenarios 2>/dev/null)"}%% *}) ;;
		esac
		(( $#found )) && _values -s , $1 $found
		;;
	KEY=VALUE)
		compadd -S '' ${(f)"$(_aphorism_daemon --dump | awk '
			/^[a-z_]+ = \{/ { group = $1 "."; next }
			/^\}/ { group = ""; next }
			/^[[:space:]]*[a-z_]+ = / { print group $1 "=" }')"}
		;;
	esac
}

_aphorism() {
	local program=${(Q)words[1]} help word line name argument text
	local -a listed specs match mbegin mend

	help=$($program --help 2>/dev/null)
	for line in ${(f)help}; do
		[[ $line =~ '^  ([a-z]+)( [^ ]+)?  +([^ ].*)$' ]] && listed+=("$match[1]:$match[3]")
	done
	for word in $words[2,CURRENT-1]; do
		if [[ $word != help && -n ${listed[(r)$word:*]} ]]; then
			help=$($program $word --help 2>/dev/null)
			break
		fi
	done
	for line in ${(f)help}; do
		[[ $line =~ '^  (-.,|   ) (--[a-z-]+)( [A-Z][^ ]*)?( +(.*))?$' ]] || continue
		name=$match[2] argument=${match[3]# } text=${${${match[5]//\[/\\[}//\]/\\]}//:/\\:}
		for word in ${${match[1]/,/+}// } $name=; do
			if [[ -n $argument ]]; then
				specs+=("*${word}[$text]:$argument: _aphorism_argument $argument $name")
			else
				specs+=("*${word%[+=]}[$text]")
			fi
		done
	done
	argument=${${help%%$'\n'*}#*\[OPTION...\]}
	_arguments -s $specs "*:${argument:- }: _aphorism_argument ${(q)argument# }"
}

_aphorism "$@"
