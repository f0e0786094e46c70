# Completion in fish, of the program that this file is named after.  What there is to choose from, the programs tell,
# each under a name of its own: FILE, MODEL, WORKER...

# the daemon is where an ordinary user's PATH does not look
function __aphorism_run
    set -lx PATH $PATH /usr/local/sbin /usr/sbin
    command $argv 2>/dev/null
end

# the keys of the configuration, with dots and a = behind
function __aphorism_keys
    __aphorism_run aphorismd --dump | awk '
        /^[a-z_]+ = \{/ { group = $1 "."; next }
        /^\}/ { group = ""; next }
        /^[[:space:]]*[a-z_]+ = / { print group $1 "=" }'
end

# __aphorism_argument NAME [OPTION]: what may stand where the help says NAME
function __aphorism_argument
    switch $argv[1]
        case '*HOST*'
            __fish_print_hostnames
        case HOW
            __aphorism_run aphorism-bench run --help | string replace -rf '^HOW: ' '' | string split '|'
        case LEVEL
            __aphorism_run aphorismctl log --help | string replace -rf '^LEVEL: ' '' | string split '|'
        case WORKER
            __aphorism_run aphorismctl workers | awk 'NR > 1 { print $1 }'
        case MODEL
            __aphorism_run aphorismd --list-models | string replace -r ' +' \t
        case KEY=VALUE
            __aphorism_keys
        case LIST
            switch $argv[2]
                case models
                    __fish_append , (__aphorism_argument MODEL | string replace -r '\t.*' '')
                case scenarios
                    __fish_append , (__aphorism_run aphorism-bench compare --list-scenarios | string replace -r ' .*' '')
            end
    end
end

# __aphorism_complete NAME OPTION ARGUMENT-OF-COMPLETE...: as above; files are what fish offers itself
function __aphorism_complete
    switch $argv[1]
        case 'FILE*' SOCKET
            complete $argv[3..] -r -F
        case '?*'
            complete $argv[3..] -x -a "(__aphorism_argument '$argv[1]' '$argv[2]')"
        case '*'
            complete $argv[3..] -f
    end
end

# __aphorism_options PROGRAM COMMAND CONDITION: from the help, where "" is the program's own
function __aphorism_options
    for line in (__aphorism_run $argv[1] (string match -v '' -- $argv[2]) --help)
        set -l row (string match -r '^  [- ](.)[, ] --([a-z-]+)((?: [A-Z][^ ]*)?) *(.*)$' -- $line)
        or continue
        set -l letter -s(string trim $row[2])
        test $letter = -s; and set letter
        __aphorism_complete "$(string trim -- $row[4])" $row[3] -c $argv[1] -n $argv[3] $letter -l $row[3] -d "$row[5]"
    end
end

begin
    set -l program (status basename | string replace .fish '')
    set -l commands
    for line in (__aphorism_run $program --help)
        set -l row (string match -r '^  ([a-z]+)((?: [^ ]+)?)  +(.*)$' -- $line)
        or continue
        set commands $commands $row[2]
        complete -c $program -n "__fish_use_subcommand; or __fish_seen_subcommand_from help" -f -a $row[2] -d "$row[4]"
        if test $row[2] != help
            __aphorism_options $program $row[2] "__fish_seen_subcommand_from $row[2]"
            __aphorism_complete (string trim -- "$row[3]") '' -c $program -n "__fish_seen_subcommand_from $row[2]"
        end
    end
    if set -q commands[1]
        __aphorism_options $program '' "not __fish_seen_subcommand_from $commands"
    else
        __aphorism_options $program '' true
        set -l usage (__aphorism_run $program --help | string replace -rf '.*\[OPTION...\] ?' '')
        __aphorism_complete "$usage[1]" '' -c $program
    end
end
