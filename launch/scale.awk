# Draws scale.csv as SVG: speed-up of strong scaling, and efficiency of weak scaling, over the number of ranks.
# Measured: dots and lines; predicted: dashed; ideal: thin.

function log2(v) { return log(v) / log(2) }
function x(left, v) { return left + 300 * (top > 0 ? log2(v) / top : 0.5) }
function path(points, style) { printf "<polyline points=\"%s\" fill=\"none\" %s/>\n", points, style }
function text(px, py, anchor, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", px, py, anchor, words
}

NR > 1 { n++; ranks[n] = $1; strong[n] = $2; strongPlan[n] = $3; weak[n] = $4; weakPlan[n] = $5 }

END {
    top = log2(ranks[n] > 1 ? ranks[n] : 2)
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 340\" " \
        "font-family=\"sans-serif\" font-size=\"13\">"
    print "<rect width=\"820\" height=\"340\" fill=\"white\"/>"
    text(220, 24, "middle", "Strong scaling: speed-up")
    text(610, 24, "middle", "Weak scaling: efficiency")
    for (e = 0; e <= top + 1e-9; e++) {
        y = 290 - 240 * e / top
        printf "<path d=\"M70 %.1fh300\" stroke=\"#ddd\"/>\n", y
        text(62, y + 4, "end", 2 ^ e)
    }
    for (e = 0; e <= 5; e++) {
        y = 290 - 40 * e
        printf "<path d=\"M460 %.1fh300\" stroke=\"#ddd\"/>\n", y
        text(452, y + 4, "end", 20 * e " %")
    }
    for (i = 1; i <= n; i++) {
        text(x(70, ranks[i]), 310, "middle", ranks[i])
        text(x(460, ranks[i]), 310, "middle", ranks[i])
        s = 290 - 240 * log2(strong[1] * ranks[1] / strong[i]) / top
        p = 290 - 240 * log2(strongPlan[1] * ranks[1] / strongPlan[i]) / top
        w = 290 - 200 * weak[1] / weak[i]
        q = 290 - 200 * weakPlan[1] / weakPlan[i]
        a = a sprintf("%.1f,%.1f ", x(70, ranks[i]), s)
        b = b sprintf("%.1f,%.1f ", x(70, ranks[i]), p)
        c = c sprintf("%.1f,%.1f ", x(460, ranks[i]), w)
        d = d sprintf("%.1f,%.1f ", x(460, ranks[i]), q)
        dots = dots sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#1f5fa8\"/>\n", x(70, ranks[i]), s)
        dots = dots sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#1f5fa8\"/>\n", x(460, ranks[i]), w)
    }
    path(sprintf("70,290 370,50"), "stroke=\"#999\"")
    path(sprintf("460,90 760,90"), "stroke=\"#999\"")
    path(b, "stroke=\"#c2571a\" stroke-width=\"2\" stroke-dasharray=\"6 4\"")
    path(d, "stroke=\"#c2571a\" stroke-width=\"2\" stroke-dasharray=\"6 4\"")
    path(a, "stroke=\"#1f5fa8\" stroke-width=\"2\"")
    path(c, "stroke=\"#1f5fa8\" stroke-width=\"2\"")
    printf "%s", dots
    text(220, 332, "middle", "ranks")
    text(610, 332, "middle", "ranks")
    print "<path d=\"M300 36h24\" stroke=\"#1f5fa8\" stroke-width=\"2\"/>"
    text(330, 40, "start", "measured")
    print "<path d=\"M410 36h24\" stroke=\"#c2571a\" stroke-width=\"2\" stroke-dasharray=\"6 4\"/>"
    text(440, 40, "start", "plan")
    print "</svg>"
}
