#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git's own test suite with its trash folders on a share, and the same on the plain file system.
#   git.sh [--resume] [PATTERN…]   which scripts (shell patterns in git's t/); without: the chosen ones
#   git.sh [--resume] whole        t0 to t7, without those that serve or fetch over a network
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"
. "$room/both.sh"
varying='/[^ ]*/run[.][A-Za-z0-9]+/[^ /]+' # where it ran

apt_source git
make -C "$source_dir" -j2 CC="$cc" CFLAGS="-O0 -w" NO_CURL=1 NO_OPENSSL=1 NO_EXPAT=1 NO_GETTEXT=1 NO_TCLTK=1 \
    NO_PYTHON=1 all >"$suites/git-build.log" 2>&1 || { tail "$suites/git-build.log" >&2; exit 1; }
cd "$source_dir/t"
case "${1:-}" in
whole) set -- 't[0-7]*.sh' ;;
# The index's races, references, hooks, work trees, rebase and commit, what packs and collects, clones, the untracked
# cache (which trusts the times of folders).
'') set -- t0010-racy-git.sh t1403-show-ref.sh t1800-hook.sh t2021-checkout-overwrite.sh t2400-worktree-add.sh \
    t2403-worktree-move.sh t3400-rebase.sh t5304-prune.sh t5604-clone-reference.sh t6500-gc.sh t6501-freshen-objects.sh \
    t7063-status-untracked-cache.sh t7503-pre-commit-and-pre-merge-commit-hooks.sh ;;
esac
# shellcheck disable=SC2086 # patterns
mapfile -t scripts < <(printf '%s\n' $* | grep -Ev 'svn|p4|cvs|http|daemon')

cat >"$scratch/each.sh" <<'EACH'
exec timeout 900 "./$1" --root="$2"
EACH
export TEST_NO_MALLOC_CHECK=1 GIT_SKIP_TESTS=${GIT_SKIP_TESTS:-}
for script in "${scripts[@]}"; do
    both "$script" bash "$scratch/each.sh" "$script"
done
tell "${scripts[@]}"
