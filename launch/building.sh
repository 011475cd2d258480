# Building the program with what it needs, for lib.sh, which sources this.
# shellcheck shell=bash

# Whether these scripts are installed, in PREFIX/libexec/misp/launch beside PREFIX/bin; else they are a checkout's.
installed() { [[ $ROOT == */libexec/misp && ! -e $ROOT/Package.swift ]]; }

worker() {
    if installed; then
        printf '%s\n' "${ROOT%/libexec/misp}/bin/misp-worker"
    else
        printf '%s\n' "$ROOT/.build/$1/misp-worker"
    fi
}

# build release|debug [PRODUCT...]: installs what is missing and builds, with progress; where nothing has changed,
# without a word. Products are options of swift build, by default the program. Nothing is built where the scripts are
# installed, with MISP_BUILT=1, which scripts that call others set, nor where it cannot be, as in a checkout of somebody
# else's, or without Swift: what is built already has to do there.
build() {
    local configuration=$1
    shift
    (($#)) || set -- --product misp-worker
    if installed; then
        [[ -x $(worker "$configuration") ]] || fail "there is no $(worker "$configuration"): install it again"
    elif [[ -z ${MISP_BUILT:-} ]] && can_build "$configuration"; then
        install_missing
        swift_build -c "$configuration" "$@"
    elif [[ ! -x $(worker "$configuration") ]]; then
        fail "there is no $(worker "$configuration"), and it is not to be built here: have the owner of $ROOT run \
$ROOT/launch/build, or unset MISP_BUILT"
    elif [[ -z ${MISP_BUILT:-} && -n $(newer_source "$configuration") ]]; then
        say "${SCRIPT##*/}: running $(worker "$configuration") as it is built, though $(newer_source "$configuration") \
is newer: it cannot be built here"
    fi
}

# Whether this checkout may be written, and there is Swift; where nothing is built yet, whoever lacks Swift is told so.
can_build() {
    [[ -w $ROOT && (! -e $ROOT/.build || -w $ROOT/.build) ]] || return 1
    command -v swift >/dev/null || [[ ! -x $(worker "$1") ]]
}

# A source that was changed after the program was built; empty where there is none.
newer_source() {
    find "$ROOT/Package.swift" "$ROOT/Sources" -type f -newer "$(worker "$1")" -print -quit 2>/dev/null || true
}

# swift_build OPTIONS...: through a pipe, always: on a terminal swift build gives every compiler another option, for
# colours, and would build all anew whenever a terminal and a pipe take turns.
swift_build() {
    (cd -- "$ROOT" && exec swift build "$@") 2>&1 </dev/null | show_building >&2 || fail "the build failed; see above"
}

# Copies what swift build says, but for its progress. Of that it tells which step of how many it is at and since when:
# on a terminal in one line, which is written over, elsewhere in a line every eight seconds. A build that has nothing to
# do is over before.
show_building() {
    trap '' PIPE
    local line='' piece status state='' began=$SECONDS told=-1 compiled='' complete=''
    while :; do
        piece='' status=0
        IFS= read -r -t 1 piece || status=$?
        line+=$piece
        if ((status <= 128)); then
            if ((status == 0)) || [[ -n $line ]]; then pass_on "$line"; fi
            line=''
        fi
        ((status == 0 || status > 128)) || break
        tell_progress
    done
    if [[ -t 1 && $told != -1 ]]; then printf '\r\e[K'; fi
    if [[ -n $compiled && -n $complete ]]; then echo "built in $(elapsed)"; fi
} 2>/dev/null

# pass_on LINE: of swift build. What is no progress is an error or a warning, and passes whole.
# The name of a step is left out: swift build gives that of the last one it has spoken of, not of the one that takes
# long.
pass_on() {
    local step='^\[([0-9]+/[0-9]+)\] ([^ ]+)'
    case $1 in
        '['[0-9]*/[0-9]*']'*)
            [[ $1 =~ $step ]] || return 0
            case ${BASH_REMATCH[2]} in
                Write* | Planning*) ;;
                *) state="step ${BASH_REMATCH[1]/\// of }, " compiled=1 ;;
            esac
            ;;
        Fetching* | Updating* | Computing* | 'Creating working copy'*) state="${1%% for *}, " ;;
        'Build complete'* | 'Build of product'*) complete=1 ;;
        Fetched* | Updated* | Computed* | 'Working copy'* | Building*) ;;
        *"warning: the use of \`mktemp' is dangerous"*) ;; # Of Foundation's own, where it is linked in.
        *)
            if [[ -t 1 && $told != -1 ]]; then printf '\r\e[K'; fi
            printf '%s\n' "$1"
            ;;
    esac
}

# Uses the variables of show_building.
tell_progress() {
    local now=$((SECONDS - began))
    if [[ -t 1 ]]; then
        ((now > 0 && now != told)) || return 0
        printf '\r\e[Kbuilding: %s%s' "${state:0:60}" "$(elapsed)"
    elif [[ -n $compiled && $told == -1 ]]; then
        echo "building: $state$(elapsed); the first time takes minutes"
    elif ((now >= told + 8)); then
        echo "building: $state$(elapsed)"
    else
        return 0
    fi
    told=$now
}

elapsed() { printf '%d:%02d' $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)); }
