# SPDX-License-Identifier: Apache-2.0
# Sourced at the end of a suite: what fails in $scratch/share.out and not in $scratch/plain.out.
failures() { # of a TAP listing with "== SCRIPT" lines, without those that are known to be broken
    awk '/^== /{script=$2} /^not ok/ && !/# TODO/{sub(/^not ok [0-9]+ -? */,""); print script ": " $0}
         /^FATAL|^error/{print script ": " $0}' "$1" | sort -u
}
cp "$scratch/share.out" "$suites/last-share.out"
cp "$scratch/plain.out" "$suites/last-plain.out"
for where in share plain; do
    failures "$scratch/$where.out" >"$scratch/$where.failed"
    printf '%s: %s scripts, %s tests ran, %s failed\n' "$where" "$(grep -c '^== ' "$scratch/$where.out")" \
        "$(grep -cE '^(not )?ok' "$scratch/$where.out")" "$(wc -l <"$scratch/$where.failed")"
done
ran_share=$(grep -cE '^(not )?ok' "$scratch/share.out" || true)
[ "$ran_share" -gt 0 ] || { echo "nothing ran" >&2; exit 1; }
only=$(comm -23 "$scratch/share.failed" "$scratch/plain.failed" | grep -vxFf "$room/explained.txt" || true)
if [ -n "$only" ]; then
    printf 'Fails on the share and not on the plain file system:\n%s\n' "$only"
    exit 1
fi
