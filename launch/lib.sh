# What the scripts of this folder share; sourced, not run. Bash 4.4 or later.
# shellcheck shell=bash

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "these scripts need bash 4.4 or later; this is $BASH_VERSION" >&2
    exit 2
fi

# What a caller may have closed or left out: descriptors that a file would take, a home, the search path's last folders.
[[ -e /dev/fd/0 ]] || exec 0</dev/null
[[ -e /dev/fd/1 ]] || exec 1>/dev/null
[[ -e /dev/fd/2 ]] || exec 2>/dev/null
if [[ -z ${HOME:-} ]]; then unset HOME && HOME=~ && export HOME; fi
export PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/sbin:/sbin
set +o posix
unset CDPATH GREP_OPTIONS POSIXLY_CORRECT

ROOT=$(builtin cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly SCRIPT=${BASH_SOURCE[1]:-${BASH_SOURCE[0]}}

# A standard error that takes nothing more, such as a full disk, ends no script.
say() { printf '%s\n' "$*" >&2 || true; }

# Sourced into somebody's own shell, which the script's end would end: back to its prompt.
if [[ $- == *i* ]]; then
    say "run $SCRIPT, do not source it"
    set +euo pipefail
    kill -INT $$
fi

# Ends the script with status 2: something about the machine or the arguments has to be fixed by the user.
fail() {
    say "${SCRIPT##*/}: $*"
    exit 2
}

# The comment at the head of the calling script, up to the first other line.
help() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$SCRIPT"
    exit 0
}

# A whole number of at least 1, the value of an option.
count() { [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || fail "$1 wants a number from 1 to 999999, not '${2:-}'"; }

# read_options NAMES ARGUMENTS...: the values of options of those names go to `given`, what follows them to `arguments`.
declare -A given=()
arguments=()
read_options() {
    local names=" $1 " name
    shift
    while (($#)); do
        name=$1
        case $name in
            -h | --help) help ;;
            --) shift && break ;;
            -*) ;;
            *) break ;;
        esac
        [[ $names == *" $name "* ]] || fail "unknown option $name; see --help"
        [[ ! -v given[$name] ]] || fail "$name is given twice"
        (($# > 1)) || fail "$name wants a value; see --help"
        check_value "$name" "$2"
        given[$name]=$2
        shift 2
    done
    # shellcheck disable=SC2034
    arguments=("$@")
}

check_value() {
    case $1 in
        -n | --threads | --steps | --groups-per-rank) count "$1" "$2" ;;
        --bind) [[ $2 == core || $2 == none ]] || fail "--bind wants core or none, not '$2'" ;;
        --restarts | --hang-after) [[ $2 =~ ^[0-9]{1,9}$ ]] || fail "$1 wants a number, not '$2'" ;;
        --hostfile) [[ -f $2 && -r $2 ]] || fail "--hostfile wants a file that can be read, not '$2'" ;;
        --interfaces) check_interfaces "$2" ;;
    esac
}

# find_python MODULE: prints a Python of version 3.9 or later that has the module; status 1 where there is none. With
# MISP_PYTHON it is that one or none.
find_python() {
    local python
    for python in "${MISP_PYTHON:-}" python3 python "$ROOT/.build/python/bin/python"; do
        [[ -n $python ]] || continue
        if "$python" -c "import sys, $1; sys.exit(sys.version_info < (3, 9))" >/dev/null 2>&1 </dev/null; then
            printf '%s\n' "$python"
            return 0
        fi
        [[ -z ${MISP_PYTHON:-} ]] || return 1
    done
    return 1
}

# --- What the build needs --------------------------------------------------------------------------------------------

# pkg-config modules and the Debian packages that hold them.
readonly LIBRARIES=(
    ompi-c=libopenmpi-dev openblas=libopenblas-dev libjpeg=libjpeg-dev libpng=libpng-dev libwebp=libwebp-dev
    libwebpdemux=libwebp-dev libcrypto=libssl-dev
)

# Prints the Debian packages of what is missing, a line each.
missing_packages() {
    command -v mpirun >/dev/null || echo openmpi-bin
    if command -v pkg-config >/dev/null; then
        local entry
        for entry in "${LIBRARIES[@]}"; do
            pkg-config --exists "${entry%%=*}" || echo "${entry#*=}"
        done | sort -u
    else
        echo pkg-config
        printf '%s\n' "${LIBRARIES[@]#*=}" | sort -u
    fi
}

# Installs what is missing. Where nothing is, it changes nothing and needs no network.
install_missing() {
    check_swift
    local missing
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        fail "missing: ${missing[*]} (as Debian and Ubuntu name them)
There is no apt-get here to install them with. Install their like yourself:
  Fedora:  dnf install openmpi-devel openblas-devel libjpeg-turbo-devel libpng-devel libwebp-devel openssl-devel pkgconf
           module load mpi
  Arch:    pacman -S openmpi openblas libjpeg-turbo libpng libwebp openssl pkgconf
  macOS:   brew install open-mpi openblas jpeg-turbo libpng webp openssl@3 pkgconf
  cluster: load its modules for Open MPI and OpenBLAS, so that pkg-config finds ompi-c and openblas"
    fi
    say "Installing ${missing[*]}"
    as_root apt-get update -q >&2 </dev/null
    as_root apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 </dev/null
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} == 0)) || fail "still missing after installation: ${missing[*]}"
}

# Runs a command as root without questions from apt; sudo may ask for a password where there is a terminal.
as_root() {
    local settings=(DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a)
    local options=(-o DPkg::Lock::Timeout=120)
    local command=$1
    shift
    if ((EUID == 0)); then
        env "${settings[@]}" "$command" "${options[@]}" "$@"
    elif command -v sudo >/dev/null; then
        local quiet=()
        [[ -t 0 ]] || quiet=(-n)
        sudo "${quiet[@]}" env "${settings[@]}" "$command" "${options[@]}" "$@"
    else
        fail "installing needs root, and there is no sudo; as root: $command $*"
    fi || fail "'$command $*' failed; see above"
}

check_swift() {
    command -v swift >/dev/null || fail "there is no swift on the PATH
Swift 6.1 or later is needed: https://www.swift.org/install (Linux: swiftly, or an archive to unpack)."
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    local major=${version% *} minor=${version#* }
    if [[ -n $version ]] && ((major < 6 || (major == 6 && minor < 1))); then
        fail "this is Swift $major.$minor, but 6.1 or later is needed: https://www.swift.org/install"
    fi
}

# --- Building --------------------------------------------------------------------------------------------------------

# build release|debug [PRODUCT...]: installs what is missing and builds, with progress where that takes a while;
# products are options of swift build, by default the program. Nothing is built with
# MISP_BUILT=1, which scripts that call others set, nor where it cannot be, as in a checkout of somebody else's, or
# without Swift: what is built already has to do there.
build() {
    local configuration=$1
    shift
    (($#)) || set -- --product misp-worker
    if [[ -z ${MISP_BUILT:-} ]] && can_build "$configuration"; then
        install_missing
        [[ -x $(worker "$configuration") ]] || say "Building; the first time takes minutes"
        run_build -c "$configuration" "$@" || fail "the build failed; see above"
    elif [[ ! -x $(worker "$configuration") ]]; then
        fail "there is no $(worker "$configuration"), and it is not to be built here: have the owner of $ROOT run \
'swift build -c $configuration', or unset MISP_BUILT"
    elif [[ -z ${MISP_BUILT:-} && -n $(newer_source "$configuration") ]]; then
        say "${SCRIPT##*/}: running $(worker "$configuration") as it is built, though $(newer_source "$configuration") \
is newer: it cannot be built here"
    fi
}

# run_build OPTIONS...: swift build, and how far it is: a line that is redrawn on a terminal, elsewhere a line every ten
# seconds. Its own words go to a file, and are shown if it fails. On a terminal swift build would give the compiler
# another option than in a pipe, and compile everything again whenever the two take turns.
run_build() {
    local log pid begun=$SECONDS told=0 seconds line status=0
    log=$(mktemp -t misp-build-XXXXXX) || fail "TMPDIR: the folder ${TMPDIR:-/tmp} takes no files"
    (cd -- "$ROOT" && exec swift build "$@") >"$log" 2>&1 </dev/null &
    pid=$!
    trap 'kill "$pid" 2>/dev/null; rm -f "$log"; exit 130' INT TERM HUP
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.5
        seconds=$((SECONDS - begun))
        line=$(sed -n 's/^\(\[[0-9]*\/[0-9]*\] [[:print:]]*\).*/\1/p' "$log" | tail -n 1)
        if [[ -t 2 ]]; then
            if ((seconds > 1)); then printf '\r\033[Kbuilding, %d s  %s' "$seconds" "${line:0:60}" >&2 || true; fi
        elif ((seconds - told >= 10)); then
            told=$seconds
            say "building, $seconds s  $line"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM HUP
    if [[ -t 2 ]]; then printf '\r\033[K' >&2 || true; fi
    ((status == 0)) || cat -- "$log" >&2
    rm -f -- "$log"
    return "$status"
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

worker() { printf '%s\n' "$ROOT/.build/$1/misp-worker"; }

# shellcheck source=launch/ranks.sh
source "$ROOT/launch/ranks.sh"
