#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# list-programs.sh TREE: every content in TREE that a program can be started from or brought into one: what is executable, and
# what is ELF. On standard output, a line for each content: its SHA-256, a mark and its first name, with tabs between. Mark: "code" of
# a program that makes code in memory while it runs, by one of its names in makes-code.list, else "-". The same tree gives the same bytes.
set -euo pipefail
export LC_ALL=C
here="$(cd "$(dirname "$0")" && pwd)"
cd "$1"

{
  find . -xdev -type f -perm /0111 -print0
  # Shared objects need not be executable to be brought into a program. More than those whose first bytes are ELF's is no harm.
  find . -xdev -type f ! -perm /0111 -size +3c -print0 | { xargs -0 -r grep -lZaz -m 1 $'^\x7fELF' || [[ $? -eq 123 ]]; }
} | sort -z -u | xargs -0 -r sha256sum -b -z |
  # sha256sum -z: the digits, " *", the name and a NUL; of the name what would break a line, or is not ASCII, becomes a question mark.
  tr '\t\n\0\200-\377' '??\n[?*]' | awk -v list="$here/makes-code.list" '
    BEGIN {
      while ((got = (getline line < list)) > 0) {
        if (line == "" || line ~ /^#/) continue
        gsub(/[.+]/, "\\\\&", line)
        gsub(/\*/, "[^/]*", line)
        makers = makers (makers == "" ? "" : "|") line
      }
      if (got < 0) { print "makes-code.list cannot be read" > "/dev/stderr"; exit failed = 1 }
      makers = "^(" makers ")$"
    }
    {
      hash = substr($0, 1, 64)
      name = substr($0, 68) # without "."
      if (name ~ makers) code[hash] = 1
      if (!(hash in first)) { first[hash] = name; order[++count] = hash }
    }
    END {
      if (failed) exit 1
      for (i = 1; i <= count; i++) print order[i] "\t" (order[i] in code ? "code" : "-") "\t" first[order[i]]
    }'
