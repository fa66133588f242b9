# SPDX-License-Identifier: Apache-2.0
#
# Turns samples into figures: tables on standard output, JSON lines into the file `json`, and for
# bench/plot, in the folder `out`, GROUP.N.dat with the medians of GROUP's rows of one unit. Reads
# bench/goals.tsv, then samples.tsv (group, row, unit, contender, round, value; see scripts/bench).
# Exits 1 with -v gate=1 when a count misses its goal.
#
# A figure is the median of its rounds, with quartiles. A ratio is taken within each round, Twinloop
# over the peer, and the median and quartiles are those of the ratios.

BEGIN {
    FS = "\t"
    OURS = "twinloop"
    TITLE["echo"] = "Echo over TCP: the server's processor time per message"
    TITLE["visits"] = "Connections of one message each: the server's processor time"
    TITLE["counts"] = "Counts per echoed message: what repeats exactly"
    TITLE["memory"] = "Memory of the server per connection"
    TITLE["overload"] = "Overload: 64 connections, each with 16 x 16 KiB on their way, kernel buffers of 16 KiB"
    TITLE["datagram"] = "Datagrams: server CPU, 32 of 64 B under way"
    TITLE["loop"] = "The loop"
    TITLE["sim"] = "The simulator"
    TITLE["fuzz"] = "Fuzzing"
    TITLE["trace"] = "Recording and replay"
}

/^#/ || NF < 6 { next }

FILENAME ~ /goals/ {
    goals++
    goal_group[goals] = $1; goal_row[goals] = $2; goal_of[goals] = $3
    goal_text[goals] = $4; goal_kind[goals] = $5; goal_source[goals] = $6
    next
}

{ add($1, $2, $3, $4, $5, $6) }

function add(group, row, unit, who, round, value,    key) {
    if (!(group in group_rows)) group_order[++groups] = group
    if (!((group, row) in row_at)) {
        row_at[group, row] = ++group_rows[group]
        row_name[group, group_rows[group]] = row
        row_unit[group, row] = unit
    }
    has_who[group, who] = 1
    key = group SUBSEP row SUBSEP who
    if (!((key, round) in value_of)) round_of[key, ++count[key]] = round
    value_of[key, round] = value
}

# The contenders of each group, in the order given by -v contenders (names separated by colons).
function order_contenders(    g, n, i, name) {
    n = split(contenders, name, ":")
    for (g = 1; g <= groups; g++)
        for (i = 1; i <= n; i++)
            if ((group_order[g], name[i]) in has_who)
                who_name[group_order[g], ++group_whos[group_order[g]]] = name[i]
}

# Sorts v[1..n] in place.
function sort(v, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = v[i]
        for (j = i - 1; j >= 1 && v[j] > x; j--) v[j + 1] = v[j]
        v[j + 1] = x
    }
}

# The point a fraction q of the way through sorted v[1..n].
function quantile(v, n, q,    at, low) {
    at = 1 + (n - 1) * q
    low = int(at)
    return low >= n ? v[n] : v[low] + (at - low) * (v[low + 1] - v[low])
}

# Puts the quartiles of contender's values, or of ratios to peer, into stat; how many there were.
function summarize(group, row, who, peer,    key, other, n, i, round, v) {
    key = group SUBSEP row SUBSEP who
    other = group SUBSEP row SUBSEP peer
    for (i = 1; i <= count[key]; i++) {
        round = round_of[key, i]
        if (peer == "")
            v[++n] = value_of[key, round] + 0
        else if ((other, round) in value_of && value_of[other, round] > 0)
            v[++n] = value_of[key, round] / value_of[other, round]
    }
    if (n == 0) return 0
    sort(v, n)
    stat["q1"] = quantile(v, n, 0.25)
    stat["median"] = quantile(v, n, 0.5)
    stat["q3"] = quantile(v, n, 0.75)
    return n
}

# The geometric mean over the rows, per round.
function add_geometric_mean(    r, w, i, row, who, key, round, sum, rows) {
    for (w = 1; w <= group_whos["echo"]; w++) {
        who = who_name["echo", w]
        split("", sum); split("", rows)
        for (r = 1; r <= group_rows["echo"]; r++) {
            row = row_name["echo", r]
            key = "echo" SUBSEP row SUBSEP who
            for (i = 1; i <= count[key]; i++) {
                round = round_of[key, i]
                sum[round] += log(value_of[key, round]); rows[round]++
            }
        }
        for (round in sum) mean[w, round] = exp(sum[round] / rows[round])
    }
    for (w = 1; w <= group_whos["echo"]; w++)
        for (round = 1; (w, round) in mean; round++)
            add("echo", "echo, geometric mean", "ns/message", \
                who_name["echo", w], round, mean[w, round])
}

# Three digits, or all there are in front of the point.
function digits(x) {
    if (x == 0) return "0"
    if (x < 0) return "-" digits(-x)
    if (x >= 100) return sprintf("%.0f", x)
    if (x >= 10) return sprintf("%.1f", x)
    return x >= 0.1 ? sprintf("%.2f", x) : sprintf("%.4f", x)
}

function quoted(text) { gsub(/["\\]/, "\\\\&", text); return "\"" text "\"" }

function write_json(group, row, peer,    n, line) {
    n = summarize(group, row, OURS, "")
    line = sprintf("{\"group\":%s,\"name\":%s,\"unit\":%s,\"value\":%.6g,\"q1\":%.6g,\"q3\":%.6g," \
        "\"rounds\":%d", quoted(group), quoted(row), quoted(row_unit[group, row]), \
        stat["median"], stat["q1"], stat["q3"], n)
    if (peer == "") {
        print line ",\"peer\":null,\"peer_value\":null,\"ratio\":null}" >json
        return
    }
    summarize(group, row, peer, "")
    line = line sprintf(",\"peer\":%s,\"peer_value\":%.6g,\"peer_q1\":%.6g,\"peer_q3\":%.6g", \
        quoted(peer), stat["median"], stat["q1"], stat["q3"])
    if (summarize(group, row, OURS, peer) == 0) { print line ",\"ratio\":null}" >json; return }
    printf "%s,\"ratio\":%.4f,\"ratio_q1\":%.4f,\"ratio_q3\":%.4f}\n", line, stat["median"], \
        stat["q1"], stat["q3"] >json
}

# A cell: our figure, or a peer's with the ratio of ours to it.
function cell(group, row, who,    text) {
    if (summarize(group, row, who, "") == 0) return "-"
    text = digits(stat["median"])
    if (who != OURS && summarize(group, row, OURS, who) > 0)
        text = text sprintf(" (%.2f)", stat["median"])
    else if (who == OURS && group_whos[group] == 1 && stat["q1"] != stat["q3"])
        text = text " [" digits(stat["q1"]) " to " digits(stat["q3"]) "]"
    return text
}

function dashes(n,    text) {
    while (n-- > 0) text = text "-"
    return text
}

# Prints a Markdown table from table[row, column], padded so that it reads well as it is.
function print_table(rows, columns,    r, c, width, line) {
    for (c = 1; c <= columns; c++) {
        width[c] = 3
        for (r = 0; r <= rows; r++)
            if (length(table[r, c]) > width[c]) width[c] = length(table[r, c])
    }
    for (r = 0; r <= rows; r++) {
        line = "|"
        for (c = 1; c <= columns; c++) line = line sprintf(" %-" width[c] "s |", table[r, c])
        print line
        if (r > 0) continue
        line = "|"
        for (c = 1; c <= columns; c++) line = line " " dashes(width[c]) " |"
        print line
    }
    print ""
}

function print_group(group,    r, w, row, columns) {
    split("", table)
    table[0, 1] = "row"; table[0, 2] = "unit"
    columns = 2 + group_whos[group]
    for (w = 1; w <= group_whos[group]; w++) table[0, 2 + w] = who_name[group, w]
    for (r = 1; r <= group_rows[group]; r++) {
        row = row_name[group, r]
        table[r, 1] = row; table[r, 2] = row_unit[group, row]
        for (w = 1; w <= group_whos[group]; w++)
            table[r, 2 + w] = cell(group, row, who_name[group, w])
    }
    print "### " TITLE[group] "\n"
    print_table(group_rows[group], columns)
}

# Processor times of echoes are plotted as multiples of raw epoll's, the rest as it is.
function write_plots(group,    r, w, row, unit, file, files, file_of, value) {
    for (r = 1; r <= group_rows[group]; r++) {
        row = row_name[group, r]
        unit = row_unit[group, row]
        if (group == "echo") unit = "times raw epoll"
        file = file_of[unit]
        if (file == "") {
            file = file_of[unit] = out "/" group "." (++files) ".dat"
            printf "%s", unit >file
            for (w = 1; w <= group_whos[group]; w++) printf "\t%s", who_name[group, w] >file
            printf "\n" >file
        }
        printf "%s", row >file
        for (w = 1; w <= group_whos[group]; w++) {
            value = summarize(group, row, who_name[group, w], group == "echo" ? "raw epoll" : "")
            printf "\t%s", value ? stat["median"] : "?" >file
        }
        printf "\n" >file
    }
}

# Whether goal g is reached by what is in stat.
function reached(g,    limit, best) {
    limit = substr(goal_text[g], 4) + 0
    if (goal_text[g] ~ /^>/)
        return (goal_kind[g] == "count" ? stat["median"] : stat["q3"]) >= limit - 1e-9
    return (goal_kind[g] == "count" ? stat["median"] : stat["q1"]) <= limit + 1e-9
}

function print_goals(    g, n, of, row) {
    split("", table)
    split("goal|against|wanted|measured|quartiles|rounds|verdict|why", head, "|")
    for (n = 1; n <= 8; n++) table[0, n] = head[n]
    row = 0
    for (g = 1; g <= goals; g++) {
        of = goal_of[g] == "value" ? "" : goal_of[g]
        if (!(goal_group[g] in group_rows)) continue
        row++
        table[row, 1] = goal_row[g]; table[row, 2] = of; table[row, 3] = goal_text[g]
        table[row, 8] = goal_source[g]
        n = summarize(goal_group[g], goal_row[g], OURS, of)
        if (n == 0) { table[row, 7] = "not measured"; continue }
        table[row, 4] = digits(stat["median"])
        table[row, 5] = n > 1 ? digits(stat["q1"]) " to " digits(stat["q3"]) : ""
        table[row, 6] = n
        table[row, 7] = reached(g) ? "reached" : "MISSED"
        if (!reached(g) && goal_kind[g] == "count") failed = 1
    }
    print "### Goals\n"
    print_table(row, 8)
}

END {
    order_contenders()
    if ("echo" in group_rows) add_geometric_mean()
    for (i = 1; i <= groups; i++) {
        print_group(group_order[i])
        write_plots(group_order[i])
        for (r = 1; r <= group_rows[group_order[i]]; r++) {
            peers = 0
            for (w = 1; w <= group_whos[group_order[i]]; w++) {
                peer = who_name[group_order[i], w]
                if (peer == OURS || !summarize(group_order[i], row_name[group_order[i], r], peer, ""))
                    continue
                write_json(group_order[i], row_name[group_order[i], r], peer)
                peers++
            }
            if (peers == 0) write_json(group_order[i], row_name[group_order[i], r], "")
        }
    }
    print_goals()
    exit gate && failed
}
