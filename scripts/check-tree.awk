# SPDX-License-Identifier: Apache-2.0
#
# The rules of the tree that can be read off one source file: see scripts/check-tree. Prints
# `file:line: what is wrong: what to do`, and exits 1 if it printed anything. Any POSIX awk.

function report(line, text) {
    print FILENAME ":" line ": " text
    found = 1
}

# A line without its comments and the insides of its literals; in_comment lives across lines.
function code_of(s,    out, i, c) {
    out = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (in_comment) {
            if (c == "*" && substr(s, i + 1, 1) == "/") { in_comment = 0; i++ }
        } else if (c == "/" && substr(s, i + 1, 1) == "*") {
            in_comment = 1; i++; out = out " "
        } else if (c == "/" && substr(s, i + 1, 1) == "/") {
            break
        } else if (c == "\"" || c == "'") {
            out = out c c
            for (i++; i <= length(s) && substr(s, i, 1) != c; i++)
                if (substr(s, i, 1) == "\\") i++
        } else {
            out = out c
        }
    }
    return out
}

BEGIN {
    OS_HEADER = "<((sys/(epoll|eventfd|signalfd|timerfd|wait|random|time|poll|socket))|unistd|time" \
        "|signal|pthread|poll|spawn|fcntl)\\.h>"
    BACKEND = "[<\"](twinloop/)?(real|sim|trace|explore|tool|world|fuzz|cmocka)(/|\\.h)"
    WORLD = "is_sim([^a-z]|$)|is_simulat|in_simulation|sim_mode|is_replay|is_recording"
    BANNED = "(^|[^A-Za-z0-9_.>])" \
        "(sleep|usleep|nanosleep|clock_gettime|gettimeofday|time|rand|random|getrandom) *\\("
    MARKS = "(^|[^A-Za-z0-9_])(TO" "DO|FIX" "ME|XX" "X|HA" "CK)([^A-Za-z0-9_]|$)"
}

FNR == 1 {
    in_comment = essay = body = allowed = 0
    opening = 1
    ext = FILENAME
    sub(/^.*\./, "", ext)
    source = (ext ~ /^([chS]|def)$/)
    c_code = (ext ~ /^[ch]$/)
    core = (FILENAME ~ /^src\/core\//)
    measured = c_code && FILENAME ~ /^(src|include|examples|tests)\//
    timeless = (FILENAME ~ /^(src\/(core|sim|trace|explore)|tests|examples)\//)
    # What defines these functions, and what plays the library that calls them.
    if (FILENAME ~ /^(src\/sim\/guard|tests\/(test_guard|guest\/))/) timeless = 0
    worldless = (FILENAME ~ /^(src\/core|include|examples)\//)
    essay_min = (FILENAME ~ /^(src|include)\//) ? 2 : 1
}

$0 ~ MARKS { report(FNR, "an unfinished mark: finish it, or say in prose what is left out") }

# --- sources: .c .h .S .def ----------------------------------------------------------------------

!source { next }

FNR == 1 && !/SPDX-License-Identifier: Apache-2\.0/ {
    report(FNR, "no licence: begin with /* SPDX-License-Identifier: Apache-2.0 */")
}
/\t/ { report(FNR, "a tab: indent with spaces") }
length($0) > 100 { report(FNR, length($0) " columns: at most 100") }

# --- C: .c .h ------------------------------------------------------------------------------------

!c_code { next }

{
    inside = in_comment
    code = code_of($0)
    blank = (code !~ /[^ ]/)
    here = ($0 ~ /check: allowed,/)
    excused = here || allowed
    allowed = here || (allowed && inside && blank)
}

# The essay is the comment between the licence and the first line of code.
opening && blank && FNR > 1 && (inside || /\/\*/) { essay++ }
opening && !blank {
    opening = 0
    if (essay < essay_min)
        report(FNR, "no essay: open with a block comment that says what this file owns, who " \
            "calls it and how long its objects live")
}

core && $0 ~ "^ *# *include *" OS_HEADER {
    report(FNR, "the core includes a header of the system: ask the kernel (twinloop/kernel.h)")
}
core && $0 ~ "^ *# *include *" BACKEND {
    report(FNR, "the core includes a backend: go through the kernel (twinloop/kernel.h)")
}
worldless && !excused && code ~ WORLD {
    report(FNR, "code asks which world it is in: let the answers of the kernel differ instead")
}
timeless && !excused && match(code, BANNED) {
    name = substr(code, RSTART, RLENGTH)
    gsub(/[^a-z_]/, "", name)
    report(FNR, "calls " name "(): take time and chance from the loop or the kernel, or give the " \
        "reason in /* check: allowed, REASON */ here or one line above")
}

# A function's body runs from a { in column 0 to a } in column 0.
measured && !body && /^[A-Za-z_].*\(/ {
    name_of = $0
    sub(/\(.*/, "", name_of)
    sub(/^.*[ *]/, "", name_of)
}
measured && /^\{/ { body = FNR }
measured && /^\}/ && body {
    if (FNR - body + 1 > 70)
        report(body, name_of "() has " (FNR - body + 1) " lines: at most 70, move a step out")
    body = 0
}
measured && FNR == 601 { report(FNR, "more than 600 lines: split the file by concept") }

END { exit found }
