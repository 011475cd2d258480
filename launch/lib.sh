# What the scripts of this folder share; sourced, not run. Bash 4.4 or later.
# shellcheck shell=bash

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "these scripts need bash 4.4 or later; this is $BASH_VERSION" >&2
    exit 2
fi

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

# Ends the script with status 2: something about the machine or the arguments has to be mended by the user.
fail() {
    say "$(basename "$0"): $*"
    exit 2
}

# The comment at the head of the calling script, up to the first other line.
help() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
}

# A whole number of at least 1, the value of an option.
count() { [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "$1 wants a number of at least 1, not '${2:-}'"; }

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

# Installs what is missing. Where nothing is, it changes nothing and needs no network. With MISP_BUILT=1, which scripts
# that call others set, nothing is installed or built.
install_missing() {
    [[ -z ${MISP_BUILT:-} ]] || return 0
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
    as_root apt-get update -q >&2
    as_root apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
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

# build release|debug [options of swift build]: the first time with progress, as it takes minutes; then without a word.
build() {
    local configuration=$1 quiet=()
    shift
    [[ -z ${MISP_BUILT:-} ]] || return 0
    if [[ -x $(worker "$configuration") ]]; then quiet=(--quiet); else say "Building; the first time takes minutes"; fi
    (cd "$ROOT" && swift build -c "$configuration" "${quiet[@]}" "$@") >&2 || fail "the build failed; see above"
}

# For launchers to many hosts, some of which have no Swift: what is built already will do there.
build_where_swift_is() {
    command -v swift >/dev/null || [[ ! -x $(worker release) ]] || return 0
    install_missing
    build release --product misp-worker
}

worker() { echo "$ROOT/.build/$1/misp-worker"; }

# --- Running ranks ---------------------------------------------------------------------------------------------------

# Cores this process may use: physical ones, in its affinity mask, within the container's share of time.
usable_cores() {
    local cores physical quota period
    cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
    physical=$( (lscpu -p=CORE,SOCKET 2>/dev/null || true) | grep -vc '^#' || true)
    if ((physical > 0)); then
        physical=$(lscpu -p=CORE,SOCKET | grep -v '^#' | sort -u | wc -l)
        ((physical < cores)) && cores=$physical
    fi
    if has_quota; then
        read -r quota period </sys/fs/cgroup/cpu.max
        quota=$(((quota + period - 1) / period))
        ((quota < cores)) && cores=$quota
    fi
    echo "$cores"
}

# Whether a container limits time rather than cores.
has_quota() { [[ -r /sys/fs/cgroup/cpu.max && $(</sys/fs/cgroup/cpu.max) != max* ]]; }

# Which binding suits: a core for each thread where there are enough and nobody else pins ranks; else none, as two
# runs that each bind to the first cores would share them while others lie idle.
binding() {
    local ranks=$1 threads=$2
    if ((ranks * threads <= $(usable_cores))) && ! has_quota && [[ $(uname) == Linux ]] \
        && ! pgrep -x 'mpirun|orterun|prterun|prte' >/dev/null 2>&1; then
        echo core
    else
        echo none
    fi
}

# Settings for ranks on this machine alone. What the user has set already stays.
local_settings() {
    local ranks=$1 threads=$2
    export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$threads} OMP_NUM_THREADS=${OMP_NUM_THREADS:-$threads}
    export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=no}
    # Shared memory only, no network. Copies through it rather than through process_vm_readv, which containers forbid.
    export OMPI_MCA_pml=${OMPI_MCA_pml:-ob1} OMPI_MCA_btl=${OMPI_MCA_btl:-self,vader}
    export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}
    # Ranks that spin while they wait would keep others from their core.
    if ((ranks * threads > $(usable_cores))); then
        export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-1}
    fi
    if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
}

# A folder for what the ranks share, gone after the run even if they were killed. Each rank wants some MiB for messages;
# where /dev/shm has less, as in many containers, files take its place.
share_memory() {
    local folder=/dev/shm
    (($(free_mebibytes /dev/shm) >= 16 * $1)) || folder=${TMPDIR:-/tmp}
    SHARED=$(mktemp -d "$folder/misp-XXXXXX")
    trap 'rm -rf "$SHARED"' EXIT
    export OMPI_MCA_btl_vader_backing_directory=$SHARED OMPI_MCA_osc_sm_backing_directory=$SHARED
}

free_mebibytes() { df -Pm "$1" 2>/dev/null | awk 'NR == 2 { free = $4 } END { print free + 0 }'; }

# run_ranks RANKS THREADS BINDING COMMAND...: runs the command on so many ranks of this machine; the run's status.
run_ranks() {
    local ranks=$1 threads=$2 bind=$3
    shift 3
    local_settings "$ranks" "$threads"
    share_memory "$ranks"
    local options
    local_options "$threads" "$bind"
    run_handing_on_signals mpirun -n "$ranks" "${options[@]}" "$@"
}

# local_options THREADS BINDING: sets `options` to those of mpirun for ranks on this machine.
local_options() {
    options=(--map-by ":OVERSUBSCRIBE" --bind-to none)
    if [[ $2 == core ]]; then
        options=(--map-by ":OVERSUBSCRIBE" --bind-to core:overload-allowed)
        (($1 == 1)) || options=(--map-by "slot:PE=$1" --bind-to core)
    fi
}

# Settings for ranks on many hosts: host_settings THREADS BINDING INTERFACES; sets `options` to those of mpirun. A host
# that is cut off is to be noticed in half a minute, on both sides, rather than after minutes or never.
host_settings() {
    local threads=$1 bind=$2 interfaces=$3
    export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$threads} OMP_NUM_THREADS=${OMP_NUM_THREADS:-$threads}
    export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=no}
    export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-10}
    export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-5}
    export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}
    export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}
    if [[ -n $interfaces ]]; then
        export OMPI_MCA_btl_tcp_if_include=$interfaces OMPI_MCA_oob_tcp_if_include=$interfaces
    fi
    if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
    options=(-x OPENBLAS_NUM_THREADS -x OMP_NUM_THREADS -x SWIFT_BACKTRACE)
    if [[ $bind == none ]]; then
        options+=(--map-by slot --bind-to none)
    else
        options+=(--map-by "slot:PE=$threads" --bind-to core)
    fi
}

# Runs a launcher, without its epitaphs; the run's status.
run_handing_on_signals() {
    local errors filter run status=0
    exec {errors}> >(without_epitaphs >&2)
    filter=$!
    # In a session of its own, so that a terminal's Ctrl-C reaches this script alone.
    setsid "$@" <&0 2>&"$errors" &
    run=$!
    exec {errors}>&-
    hand_on_signals "$run"
    # A trapped signal interrupts `wait`; once the run has ended it gives the run's status as often as asked.
    wait "$run" || true
    while kill -0 "$run" 2>/dev/null; do wait "$run" || true; done
    wait "$run" || status=$?
    wait "$filter" || true
    return "$status"
}

# Ranks are told to end by SIGUSR1, which mpirun hands on as it is; on SIGTERM it would kill them after a second. A
# second SIGTERM or Ctrl-C does that; Ctrl-C a second later, as a signal kills an mpirun that is just ending.
hand_on_signals() {
    local run=$1
    # shellcheck disable=SC2064
    {
        trap "kill -USR1 $run 2>/dev/null; trap 'kill -TERM $run 2>/dev/null' TERM HUP" TERM HUP
        trap "kill -USR1 $run 2>/dev/null" USR1
        trap "say; say 'ending, with a checkpoint where there is training; Ctrl-C again ends at once'
            kill -USR1 $run 2>/dev/null; trap 'sleep 1; kill -TERM $run 2>/dev/null' INT" INT
    }
}

# Copies lines, without the boxes in which Open MPI says that a rank ended with an error: the rank has said why. Other
# boxes, such as that a rank died of a signal, pass.
without_epitaphs() {
    trap '' INT TERM HUP USR1
    local line box='' within=0
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line =~ ^-{70,}$ ]]; then
            if ((within)); then
                [[ $box =~ (Primary job +terminated|exited with non-zero status|MPI_ABORT was invoked) ]] \
                    || printf '%s%s\n' "$box" "$line"
                within=0
            else
                within=1 box=$line$'\n'
            fi
        elif ((within)); then
            box+=$line$'\n'
        elif [[ $line != 'mpirun: Forwarding signal '* ]]; then
            printf '%s\n' "$line"
        fi
    done
    if ((within)); then printf '%s' "$box"; fi
}
