# SPDX-License-Identifier: Apache-2.0
# Sourced by the suites whose tests are other projects'. Each script runs on a fresh share, and on the plain file system
# unless all of it passed: what passes there has to pass on the share, and what is skipped or not reached did not pass.
# Results are kept, a file for each script and place; `--resume` as the first argument goes on from what is there, so that
# a long run may be cut off and continued.
results=$suites/results-$(basename "$0" .sh)
if [ "${1:-}" = --resume ]; then
    shift
else
    rm -rf "$results"
fi
mkdir -p "$results"

# both NAME COMMAND…: the command writes TAP and gets the folder to work in as a further argument.
both() {
    local name=$1 where part=$results/part.$$
    shift
    for where in share plain; do
        if [ ! -e "$results/$name.$where" ]; then
            fresh
            local status=0 begun=$SECONDS
            "on_$where" "$@" "${!where}" </dev/null >"$part" 2>&1 || status=$?
            printf '# %s ended with %s after %s s\n' "$name" "$status" $((SECONDS - begun)) >>"$part"
            mv "$part" "$results/$name.$where"
        fi
        if tail -n 1 "$results/$name.$where" | grep -q ' ended with 0 ' &&
            ! grep -qaE '^not ok|^ok .*# (skip|SKIP)' "$results/$name.$where"; then
            break
        fi
    done
}

listed() { # listed PLACE AWK-CONDITION: "SCRIPT: TEST", as often as there are tests of that name. `varying`, a regular
# expression of the suite's: what of a name is another one in each run.
    local name
    for name in "${names[@]}"; do
        [ ! -e "$results/$name.$1" ] || awk -v script="$name" -v varying="${varying:-}" "$2"' {
            sub(/^(not )?ok [0-9]+ *-? */, ""); sub(/^(not )?ok - /, "")
            if (varying != "") gsub(varying, "."); print script ": " $0 }' "$results/$name.$1"
    done | LC_ALL=C sort
}

# tell NAME…: of these scripts, which tests pass on the plain file system and not on the share.
tell() {
    names=("$@")
    local where only
    for where in share plain; do
        listed $where '/^ok/ && !/# (skip|SKIP)/' >"$scratch/$where.passed"
        listed $where '/^not ok/ && !/# TODO/' >"$scratch/$where.failed"
        printf '%s: %s tests passed, %s failed\n' "$where" "$(wc -l <"$scratch/$where.passed")" \
            "$(wc -l <"$scratch/$where.failed")"
    done
    [ -s "$scratch/share.passed" ] || { echo "Nothing ran." >&2; exit 1; }
    LC_ALL=C comm -12 "$scratch/share.failed" "$scratch/plain.failed" | sed 's/^/fails on both: /'
    LC_ALL=C comm -13 "$scratch/share.passed" "$scratch/plain.passed" >"$scratch/only"
    grep -xFf "$room/explained.txt" "$scratch/only" | sed 's/^/explained in README.md: /' || true
    only=$(grep -vxFf "$room/explained.txt" "$scratch/only" || true)
    if [ -n "$only" ]; then
        printf 'Passes on the plain file system and not on the share:\n%s\n' "$only"
        printf 'What these scripts said is in %s\n' "$results"
        exit 1
    fi
}
