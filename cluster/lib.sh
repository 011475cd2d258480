# What the tests of this folder share; sourced after launch/lib.sh, not run.
# shellcheck shell=bash

CLUSTER=$ROOT/cluster
# Of cluster/netns, for the scripts that source this.
# shellcheck disable=SC2034
readonly SUBNET=10.99.0.0/24

# Ends with status 77, which test runners take for skipped, where there can be no cluster.
need_hosts() {
    "$CLUSTER/netns" can || {
        say "skipped: hosts on one machine need root and network namespaces"
        exit 77
    }
    export OMPI_MCA_plm_rsh_agent=$CLUSTER/rsh OMPI_MCA_mpi_yield_when_idle=1
}

# A cluster of so many hosts and a folder, both gone when the script ends. There is one at a time on a machine.
make_cluster() {
    local lock
    exec {lock}>"${TMPDIR:-/tmp}/misp-netns.lock"
    flock -w 600 "$lock" || fail "another test has the hosts of this machine"
    folder=$(mktemp -d "${TMPDIR:-/tmp}/misp-cluster-XXXXXX")
    trap '"$CLUSTER/netns" down; rm -rf "$folder"' EXIT
    "$CLUSTER/netns" up "$@"
}

# The processes of the run into a folder, one a line: its ranks alone.
ranks_of() {
    local file
    for file in /proc/[0-9]*/cmdline; do
        { tr '\0' ' ' <"$file"; echo; } 2>/dev/null | grep -q "^[^ ]*/misp-worker train .*output=$1 " || continue
        file=${file#/proc/}
        echo "${file%/cmdline}"
    done
}

# What a run leaves that does not depend on the clock or on the sharing of the work.
comparable() {
    sed -E 's/"(time\/[a-z]+|tokens_per_second|mfu|balance\/efficiency)":[^,}]*,?//g' "$1/metrics.jsonl"
    cat "$1/adapter/adapter_model.safetensors"
    if [[ -f $1/eval.jsonl ]]; then cat "$1/eval.jsonl"; fi
}

same_bits() { cmp -s <(comparable "$1") <(comparable "$2"); }

# Whether the losses and gradient norms of two runs agree to a relative 1e-4 at each step.
agree_to_rounding() {
    paste <(numbers "$1") <(numbers "$2") | awk '
        function far(a, b) { return (a > b ? a - b : b - a) > 1e-4 * (b > 0 ? b : -b) }
        NF != 4 || far($1, $3) || far($2, $4) { wrong = 1 }
        END { exit wrong || NR == 0 }'
}

# Loss and gradient norm, a line per step.
numbers() {
    paste <(grep -o '"loss":[^,}]*' "$1/metrics.jsonl" | cut -d: -f2) \
        <(grep -o '"grad_norm":[^,}]*' "$1/metrics.jsonl" | cut -d: -f2)
}
