# The table of `launch/bench step --python`. A line of input is a round of a program: its name, seconds per group and
# log-probabilities, with tabs between them; names of misp's own begin with "misp".
BEGIN { FS = "\t" }
!($1 in rounds) {
    names[++programs] = $1
    if ($1 ~ /^misp/) ours[++precisions] = $1
}
{
    seconds[$1, ++rounds[$1]] = $2
    values[$1] = $3
}

# Of the rounds' seconds, or where `other` is given of what they are times the other's in the same round.
function median(name, other,    n, i, j, x, sorted) {
    n = rounds[name]
    for (i = 1; i <= n; i++) {
        x = seconds[name, i] / (other == "" ? 1 : seconds[other, i])
        for (j = i - 1; j > 0 && sorted[j] > x; j--) sorted[j + 1] = sorted[j]
        sorted[j + 1] = x
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# The largest difference of log-probabilities from those of misp's first precision.
function difference(name,    n, i, a, b, d, most) {
    n = split(values[name], a, " ")
    split(values[ours[1]], b, " ")
    for (i = 1; i <= n; i++) {
        d = a[i] - b[i]
        if (d < 0) d = -d
        if (d > most) most = d
    }
    return most
}

# "misp, bfloat16, ranks: 2" is "misp bfloat16".
function short(name,    words) {
    split(name, words, ", ")
    return words[1] " " words[2]
}

END {
    print "Seconds per group by round, their median, the median of times misp's, log-probabilities' distance:"
    printf "%-34s", ""
    for (i = 1; i <= rounds[names[1]]; i++) printf "%8s", i
    printf "%8s", "median"
    for (p = 1; p <= precisions; p++) printf "%16s", short(ours[p])
    printf "%10s\n", "distance"
    for (k = 1; k <= programs; k++) {
        name = names[k]
        printf "%-34s", name
        for (i = 1; i <= rounds[name]; i++) printf "%8.2f", seconds[name, i]
        printf "%8.2f", median(name)
        for (p = 1; p <= precisions; p++) printf "%16.2f", median(name, ours[p])
        printf "%10.4f\n", difference(name)
        if (name !~ /^misp/ && (best == "" || median(name) < median(best))) best = name
    }
    printf "best of PyTorch: %s, %.2f s", best, median(best)
    for (p = 1; p <= precisions; p++) printf ", %.2f times %s", median(best, ours[p]), short(ours[p])
    print ""
}
