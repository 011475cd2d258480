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

# How this script was called, to be typed again, and what stands before the names of its like: launch/local and launch/
# in a checkout, misp-local and misp- where they are installed. The program takes from the environment what stands
# before its own commands; the script that the user has called says it, not those that it calls.
name_commands() {
    local name=${SCRIPT##*/} own file
    TYPED=$SCRIPT
    if [[ $(type -P -- "$name") -ef $SCRIPT ]]; then TYPED=$name; fi
    file=$(readlink -f -- "$SCRIPT")
    own=${file##*/}
    case $name in
        "$own") LAUNCH=${TYPED%"$own"} ;;
        "misp-$own") LAUNCH=${TYPED%"$own"} ;;
        *) LAUNCH=$ROOT/launch/ ;;
    esac
    TYPED=$(shell_word "$TYPED") LAUNCH=$(shell_word "$LAUNCH")
    if [[ -z ${MISP_LAUNCH:-} ]]; then
        OUTERMOST=1
        export MISP_LAUNCH=$LAUNCH MISP_COMMAND="${LAUNCH}local --"
    fi
}

shell_word() { [[ -z $1 ]] || printf '%q' "$1"; }

# The comment at the head of the calling script, up to the first other line, with commands as they are typed here.
help() {
    local text
    text=$(sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$SCRIPT")
    printf '%s\n' "${text//launch\//"$LAUNCH"}"
    exit 0
}

# A whole number of at least 1, the value of an option.
count() { [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || fail "$1 wants a number from 1 to 999999, not '${2:-}'"; }

# read_options NAMES ARGUMENTS...: the values of options of those names go to `given`, what follows them to `arguments`.
declare -A given=()
arguments=()
OUTERMOST=''
read_options() {
    local names=" $1 " name typed=$TYPED
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
        typed+=" $name $(shell_word "$2")"
        shift 2
    done
    TYPED=$typed
    if [[ -n $OUTERMOST ]]; then MISP_COMMAND="$TYPED --"; fi
    # shellcheck disable=SC2034
    arguments=("$@")
}

# What follows the options: without a command the program would start its demonstration.
need_command() {
    ((${#arguments[@]})) || fail "say what to run, such as $TYPED -- train --config run.yaml; ${LAUNCH}demo is the \
demonstration"
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
    libwebpdemux=libwebp-dev libcrypto=libssl-dev libcurl=libcurl4-openssl-dev
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
  Fedora:  dnf install openmpi-devel openblas-devel libjpeg-turbo-devel libpng-devel libwebp-devel openssl-devel
           dnf install libcurl-devel pkgconf
           module load mpi
  Arch:    pacman -S openmpi openblas libjpeg-turbo libpng libwebp openssl curl pkgconf
  macOS:   brew install open-mpi openblas jpeg-turbo libpng webp openssl@3 curl pkgconf
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

# shellcheck source=launch/building.sh
source "$ROOT/launch/building.sh"
# shellcheck source=launch/ranks.sh
source "$ROOT/launch/ranks.sh"

name_commands
