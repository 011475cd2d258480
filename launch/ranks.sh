# Starting ranks and ending them, for lib.sh, which sources this.
# shellcheck shell=bash

# --- Cores -----------------------------------------------------------------------------------------------------------

# The cores that the caller gave to this process, by taskset or a scheduler: such as 0-3,8. Empty where it is not known.
given_cores() { awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status 2>/dev/null || true; }

# Whether those are some of this machine's only.
has_some_cores() {
    [[ -r /sys/devices/system/cpu/online ]] || return 1
    local mine
    mine=$(given_cores)
    [[ -n $mine && $mine != "$(</sys/devices/system/cpu/online)" ]]
}

# Cores this process may use: physical ones, in its affinity mask, within the container's share of time.
usable_cores() {
    local cores physical quota period
    cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
    physical=$(lscpu -p=CPU,CORE,SOCKET 2>/dev/null | awk -F, -v given="$(given_cores)" '
        BEGIN {
            ranges = split(given, range, ",")
            for (i = 1; i <= ranges; i++) {
                ends = split(range[i], end, "-")
                for (cpu = end[1] + 0; cpu <= end[ends] + 0; cpu++) mine[cpu]
            }
        }
        !/^#/ && (ranges == 0 || $1 + 0 in mine) && !seen[$2, $3]++ { cores++ }
        END { print cores + 0 }' || true)
    if ((physical > 0 && physical < cores)); then cores=$physical; fi
    if has_quota; then
        read -r quota period </sys/fs/cgroup/cpu.max
        quota=$(((quota + period - 1) / period))
        if ((quota < cores)); then cores=$quota; fi
    fi
    echo "$cores"
}

# Whether a container limits time rather than cores.
has_quota() { [[ -r /sys/fs/cgroup/cpu.max && $(</sys/fs/cgroup/cpu.max) != max* ]]; }

# Which binding suits: a core for each thread where there are enough and nobody else pins ranks; else none, as two
# runs that each bind to the first cores would share them while others lie idle.
binding() {
    local ranks=$1 threads=$2
    if ((ranks * threads <= $(usable_cores))) && ! has_quota && ! has_some_cores && [[ $(uname) == Linux ]] \
        && ! pgrep -x 'mpirun|orterun|prterun|prte' >/dev/null 2>&1; then
        echo core
    else
        echo none
    fi
}

# --- This machine ----------------------------------------------------------------------------------------------------

need_mpirun() {
    command -v mpirun >/dev/null \
        || fail "there is no mpirun on the PATH: install Open MPI (Debian: openmpi-bin), or load its module"
}

# A run that would fill the machine with processes is a slip of the pen.
check_ranks() {
    local most=$((64 * $(usable_cores)))
    if ((most < 256)); then most=256; fi
    (($1 <= most)) || fail "-n $1 is more than this machine takes: at most $most ranks for its $(usable_cores) cores"
}

# Settings of every run, for THREADS threads a rank. What the user has set already stays.
thread_settings() {
    export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$1} OMP_NUM_THREADS=${OMP_NUM_THREADS:-$1}
    export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=no}
    # Copies through shared memory rather than by process_vm_readv, which containers forbid.
    export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}
    if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
}

# Settings for ranks on this machine alone.
local_settings() {
    local ranks=$1 threads=$2
    thread_settings "$threads"
    # Shared memory only, no network.
    export OMPI_MCA_pml=${OMPI_MCA_pml:-ob1} OMPI_MCA_btl=${OMPI_MCA_btl:-self,vader}
    # A scheduler's allocation or a site's default hosts would spread the ranks over other machines.
    export OMPI_MCA_ras=${OMPI_MCA_ras:-^slurm,gridengine,tm,lsf,loadleveler,alps} OMPI_MCA_orte_default_hostfile=none
    export PRTE_MCA_ras=${PRTE_MCA_ras:-^slurm,gridengine,pbs,lsf,flux} PRTE_MCA_prte_default_hostfile=none
    # Nothing is started by ssh, but where there is none mpirun would not start.
    export OMPI_MCA_plm_rsh_agent=${OMPI_MCA_plm_rsh_agent:-ssh : rsh}:false
    # Ranks that spin while they wait would keep others from their core.
    if ((ranks * threads > $(usable_cores))); then
        export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-1}
    fi
}

# Launchers keep files in TMPDIR and say little where they cannot.
check_tmpdir() {
    local folder=${TMPDIR:-/tmp} probe='' why='cannot be written'
    if [[ ! -d $folder ]]; then
        why='does not exist'
    elif probe=$(mktemp -d "$folder/misp-XXXXXX" 2>/dev/null); then
        if head -c 1048576 /dev/zero >"$probe/probe" 2>/dev/null; then why=''; else why='is full'; fi
        rm -rf "$probe"
    fi
    [[ -z $why ]] || fail "TMPDIR: the folder $folder $why: set TMPDIR to one that can be written"
    # The ranks may have another current folder.
    if [[ -n ${TMPDIR:-} ]]; then TMPDIR=$(builtin cd -- "$TMPDIR" && pwd) && export TMPDIR; fi
}

# A folder for what the ranks share, gone after the run even if they were killed. Each rank wants some MiB for messages;
# where /dev/shm has less, as in many containers, files take its place.
share_memory() {
    local folder=/dev/shm
    check_tmpdir
    SHARED=''
    if (($(free_mebibytes /dev/shm) >= 16 * $1)); then SHARED=$(mktemp -d /dev/shm/misp-XXXXXX 2>/dev/null) || true; fi
    if [[ -z $SHARED ]]; then
        folder=${TMPDIR:-/tmp}
        (($(free_mebibytes "$folder") >= 16 * $1)) || fail "TMPDIR: the folder $folder has less than the $((16 * $1)) \
MiB that $1 ranks share, and so has /dev/shm: set TMPDIR to one that has"
        SHARED=$(mktemp -d "$folder/misp-XXXXXX")
    fi
    trap 'rm -rf "$SHARED"' EXIT
    export OMPI_MCA_btl_vader_backing_directory=$SHARED OMPI_MCA_osc_sm_backing_directory=$SHARED
}

free_mebibytes() { df -Pm "$1" 2>/dev/null | awk 'NR == 2 { free = $4 } END { print free + 0 }'; }

# run_ranks RANKS THREADS BINDING COMMAND...: runs the command on so many ranks of this machine; the run's status.
run_ranks() {
    local ranks=$1 threads=$2 bind=$3
    shift 3
    need_mpirun
    check_ranks "$ranks"
    local_settings "$ranks" "$threads"
    share_memory "$ranks"
    local options
    local_options "$threads" "$bind"
    run_handing_on_signals mpirun -n "$ranks" "${options[@]}" "$@"
}

# local_options THREADS BINDING: sets `options` to those of mpirun for ranks on this machine. mpirun counts cores from
# the machine's first; where the caller gave others, ranks are left to the system, which keeps them there.
local_options() {
    options=(--map-by ":OVERSUBSCRIBE" --bind-to none)
    [[ $2 == core ]] || return 0
    if has_some_cores; then
        say "ranks stay within the given cores, $(given_cores), and are not bound to one each"
    elif (($1 == 1)); then
        options=(--map-by ":OVERSUBSCRIBE" --bind-to core:overload-allowed)
    else
        options=(--map-by "slot:PE=$1" --bind-to core)
    fi
}

# --- Many hosts ------------------------------------------------------------------------------------------------------

# Settings for ranks on the hosts that standard input names: host_settings THREADS BINDING INTERFACES; sets
# `options` to those of mpirun. A host that is cut off is to be noticed in half a minute, on both sides, rather
# than after minutes or never.
host_settings() {
    local threads=$1 bind=$2 name launcher
    need_mpirun
    check_tmpdir
    thread_settings "$threads"
    export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-10}
    export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-5}
    export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}
    use_interfaces "$3" own_addresses
    # What was set here holds for ranks elsewhere, to which ssh brings nothing of this environment.
    options=(-x MISP_ANNOUNCE)
    for name in LD_LIBRARY_PATH SWIFT_BACKTRACE "${!OPENBLAS_@}" "${!OMP_@}" "${!MISP_@}"; do
        if [[ -n ${!name:-} && $name != MISP_ANNOUNCE ]]; then options+=(-x "$name"); fi
    done
    # An Open MPI of a module's is not found by ssh.
    launcher=$(command -v mpirun)
    case $launcher in
        /usr/bin/mpirun | /bin/mpirun | *' '*) ;;
        */bin/mpirun) options+=(--prefix "${launcher%/bin/mpirun}") ;;
    esac
    if [[ $bind == none ]]; then
        options+=(--map-by slot --bind-to none)
    else
        options+=(--map-by "slot:PE=$threads" --bind-to core)
    fi
}

# Names as of `ip link`, or networks such as 10.0.0.0/24.
check_interfaces() {
    local name here=0
    local -a names
    [[ $1 =~ ^[[:alnum:]][[:alnum:]._:/-]*(,[[:alnum:]][[:alnum:]._:/-]*)*$ ]] \
        || fail "--interfaces wants names or networks such as eth0,10.0.0.0/24, not '$1'"
    IFS=, read -ra names <<<"$1"
    for name in "${names[@]}"; do
        if [[ $name == */* || ! -d /sys/class/net || -e /sys/class/net/$name ]]; then here=1; fi
    done
    ((here)) || fail "--interfaces $1: there is no such network here; there are $(ls -m /sys/class/net)"
}

# use_interfaces LIST ADDRESSES: the networks of a run. None is guessed where hosts have several: without a list those
# are left out on which hosts have the same address. The command ADDRESSES prints those of all hosts.
use_interfaces() {
    local found
    if [[ -n $1 ]]; then
        export OMPI_MCA_btl_tcp_if_include=$1 OMPI_MCA_oob_tcp_if_include=$1
        return
    fi
    [[ -z ${OMPI_MCA_btl_tcp_if_include:-}${OMPI_MCA_btl_tcp_if_exclude:-} ]] || return 0
    found=$("$2" 2>/dev/null | repeated_addresses) || true
    [[ -n $found ]] || return 0
    say "left out of the connections, as several hosts have the same address there: ${found//$'\n'/, }; --interfaces \
LIST says which network to use"
    # 31, as Open MPI takes 32 for all addresses there are.
    found=$(sed 's/.* //; s/$/\/31/' <<<"$found" | paste -sd, -)
    export OMPI_MCA_btl_tcp_if_exclude=127.0.0.1/8,sppp,$found OMPI_MCA_oob_tcp_if_exclude=$found
}

# For a shell on a host: a line for each of its addresses, with what tells it from other hosts, and the interface.
# shellcheck disable=SC2016
readonly ADDRESSES='PATH=$PATH:/usr/sbin:/sbin; id=$(cat /proc/sys/kernel/random/boot_id)$(readlink /proc/self/ns/net);\
ip -o -4 addr show up | while read -r _ name _ address _; do echo "$id $name ${address%%/*}"; done'

# Prints the addresses of the hosts that standard input names, a line each.
own_addresses() {
    local host agent i asked=0
    read -ra agent <<<"${OMPI_MCA_plm_rsh_agent:-ssh -o BatchMode=yes -o ConnectTimeout=10}"
    # Of several that may be there Open MPI takes the first.
    for ((i = 1; i < ${#agent[@]}; i++)); do [[ ${agent[i]} != : ]] || agent=("${agent[@]::i}"); done
    while read -r host _; do
        if [[ $host == localhost || $host == "$(uname -n)" ]]; then
            sh -c "$ADDRESSES"
        else
            timeout 15 "${agent[@]}" "$host" "sh -c '$ADDRESSES'"
        fi </dev/null 2>/dev/null &
        ((++asked % 64)) || wait
    done
    wait
}

# Of lines of host, interface and address: the interfaces whose address several hosts have, `docker0 172.17.0.1`. None
# where a host would be left without any.
repeated_addresses() {
    sort -u | awk '
        $3 ~ /^127\./ || NF != 3 { next }
        { name[$3] = $2; hosts[$3]++; own[$1] = own[$1] " " $3 }
        END {
            for (host in own) {
                count = split(own[host], list, " "); left = 0
                for (i = 1; i <= count; i++) left += hosts[list[i]] == 1
                if (!left) exit
            }
            for (address in hosts) if (hosts[address] > 1) print name[address], address
        }' | sort
}

# --- Signals ---------------------------------------------------------------------------------------------------------

# Runs a launcher, without its epitaphs; the run's status. It reads nothing: the caller's standard input is not that of
# the run.
run_handing_on_signals() {
    # Not $$, which in a subshell is the script's, whose signals are not trapped here.
    local errors filter status=0 shell=$BASHPID
    RUN='' STARTED='' ASKED='' INSISTED='' TIMER=''
    hand_on_signals
    exec {errors}> >(without_epitaphs "$shell" >&2)
    filter=$!
    # In a session of its own, so that a terminal's Ctrl-C reaches this script alone.
    MISP_ANNOUNCE=1 setsid "$@" </dev/null 2>&"$errors" &
    RUN=$!
    exec {errors}>&-
    if [[ -n $ASKED ]]; then kill -USR1 "$RUN" 2>/dev/null || true; fi
    # A trapped signal interrupts `wait`; once the run has ended it gives the run's status as often as asked.
    wait "$RUN" || true
    while kill -0 "$RUN" 2>/dev/null; do wait "$RUN" || true; done
    wait "$RUN" || status=$?
    if [[ -n $TIMER ]]; then kill "$TIMER" 2>/dev/null || true; fi
    # Agents that hang would be left behind.
    if [[ -n $ASKED && (-z $STARTED || -n $INSISTED) ]]; then kill_run; fi
    wait "$filter" || true
    # Nothing was done, whatever the launcher says of it.
    if [[ -n $ASKED && -z $STARTED && $status != [23] ]]; then
        say "ended before the first rank had started"
        status=143
    fi
    return "$status"
}

# Ranks are told to end by SIGUSR1, which mpirun hands on as it is; on SIGTERM it would kill them after a second. A
# second SIGTERM or Ctrl-C does that; Ctrl-C a second later, as a signal kills an mpirun that is just ending. A launcher
# that has started no rank has nobody to hand anything on to, and may hang: it is ended after some seconds.
hand_on_signals() {
    trap 'STARTED=1; if [[ -n $ASKED ]]; then pass USR1; fi' USR2
    trap 'if [[ -n $ASKED ]]; then insist; else ask; fi' TERM HUP
    trap ask USR1
    trap 'if [[ -n $ASKED ]]; then sleep 1; insist; else
        say; say "ending, with a checkpoint where there is training; Ctrl-C again ends at once"; ask; fi' INT
    trap 'if [[ -n $INSISTED ]]; then kill_run; elif [[ -z $STARTED ]]; then insist; fi' ALRM
}

pass() { [[ -z $RUN ]] || kill -s "$1" "$RUN" 2>/dev/null || true; }

ask() {
    pass USR1
    if [[ -z $ASKED ]]; then after 5; fi
    ASKED=1
}

insist() {
    pass TERM
    ASKED=1 INSISTED=1
    after 8
}

# This shell gets SIGALRM after so many seconds.
after() {
    local shell=$BASHPID
    if [[ -n $TIMER ]]; then kill "$TIMER" 2>/dev/null || true; fi
    (sleep "$1" && kill -ALRM "$shell") </dev/null >/dev/null 2>&1 &
    TIMER=$!
}

# Everything of the run's session: ranks and agents have process groups of their own.
kill_run() { pkill -KILL -s "$RUN" 2>/dev/null || kill -KILL -- "-$RUN" 2>/dev/null || true; }

# Copies lines, without the boxes in which Open MPI says that a rank ended with an error: the rank has said why. Other
# boxes, such as that a rank died of a signal, pass. The line by which the first rank says that it is there becomes a
# signal to the script. Whatever becomes of the caller's standard error, the run's is read to its end.
without_epitaphs() {
    trap '' INT TERM HUP USR1 USR2 ALRM PIPE
    local line box='' within=0
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line =~ ^-{70,}$ ]]; then
            if ((within)); then
                [[ $box =~ (Primary job +terminated|exited with non-zero status|MPI_ABORT was invoked) ]] \
                    || printf '%s%s\n' "$box" "$line" || true
                within=0
            else
                within=1 box=$line$'\n'
            fi
        elif ((within)); then
            box+=$line$'\n'
        elif [[ $line == 'misp: the first rank has started' ]]; then
            kill -USR2 "$1" || true
        elif [[ $line != 'mpirun: Forwarding signal '* ]]; then
            printf '%s\n' "$line" || true
        fi
    done
    if ((within)); then printf '%s' "$box" || true; fi
} 2>/dev/null
