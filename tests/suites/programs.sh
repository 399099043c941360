#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ordinary programs on a share: everything is done on the share and on the plain file system, and what comes of it must
# be the same, byte for byte.
. "$(dirname "${BASH_SOURCE[0]}")/on_share.sh"

cat >"$scratch/work.sh" <<'WORK'
set -euo pipefail
cd "$1"
say() { printf '%s: %s\n' "$1" "${*:2}"; }

mkdir project && cd project
for i in 1 2 3; do printf 'int f%s(void) { return %s; }\n' $i $i >f$i.c; done
printf 'int f1(void), f2(void), f3(void);\nint main(void) { return f1() + f2() + f3(); }\n' >main.c
printf 'prog: main.o f1.o f2.o f3.o\n\t$(CC) -o $@ $^\n' >Makefile
make -s -j2 CC=gcc && { ./prog || say compiled $?; }
make -q CC=gcc && say make "knows that nothing changed"
cd ..

python3 - <<'PY'
import os
for a in range(100):
    os.makedirs(f"node_modules/p{a}/lib")
    for b in range(100):
        with open(f"node_modules/p{a}/lib/f{b}.js", "w") as f:
            f.write(f"exports.v = {a * b};\n")
PY
say files "$(find node_modules -type f | wc -l)"
tar cf - node_modules | (mkdir unpacked && tar xf - -C unpacked)
say tar "$(cd unpacked && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)"
rsync -a node_modules/ copied/
say rsync "$(rsync -anic node_modules/ copied/ | wc -l) differ"
rm -rf unpacked copied node_modules && say gone "$(ls)"

python3 - <<'PY'
import ctypes, fcntl, mmap, os, select, struct
# A descriptor opened before sees what a mapping writes, and the other way about.
with open("mapped", "w+b") as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 8192) as a, mmap.mmap(f.fileno(), 8192) as b:
        a[0:5] = b"hello"
        print("mapping to mapping:", b[0:5] == b"hello", "to read:", os.pread(f.fileno(), 5, 0))
        os.pwrite(f.fileno(), b"world", 4096)
        print("write to mapping:", a[4096:4101])
        a.flush()
# Locks between processes.
def other(what):
    pid = os.fork()
    if pid == 0:
        f = open("locked", "r+b")
        try:
            what(f)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
f = open("locked", "w+b")
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 100)
print("range lock refused:", other(lambda g: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 105)),
      "beside it:", other(lambda g: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 110)))
fcntl.lockf(f, fcntl.LOCK_UN)
print("after it:", other(lambda g: fcntl.lockf(g, fcntl.LOCK_EX | fcntl.LOCK_NB)))
fcntl.flock(f, fcntl.LOCK_EX)
print("flock refused:", other(lambda g: fcntl.flock(g, fcntl.LOCK_EX | fcntl.LOCK_NB)))
# inotify, a save by rename seen by it, and the old content through the old descriptor.
libc = ctypes.CDLL(None, use_errno=True)
watch = libc.inotify_init()
libc.inotify_add_watch(watch, b".", 0x100 | 0x8 | 0x80 | 0x200)
open("text", "w").write("old\n")
old = open("text")
open("text~", "w").write("new\n")
os.rename("text~", "text")
print("saved:", open("text").read().strip(), "held:", old.read().strip())
os.unlink("text")
events, data = [], os.read(watch, 65536)
while data:
    _, mask, _, size = struct.unpack("iIII", data[:16])
    events.append((hex(mask), data[16:16 + size].rstrip(b"\0").decode()))
    data = data[16 + size:]
print("inotify:", events)
# Sparse files, appending from two processes, unlinked while open.
with open("sparse", "w+b") as s:
    s.seek(1 << 30); s.write(b"end"); s.flush()
    print("sparse:", os.fstat(s.fileno()).st_size, os.pread(s.fileno(), 4, 12345))
pids = []
for mark in b"ab":
    pid = os.fork()
    if pid == 0:
        fd = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for _ in range(500):
            os.write(fd, bytes([mark]) * 31 + b"\n")
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
lines = open("log").read().split("\n")
print("appended:", len(lines), {line[:1] * 31 == line for line in lines if line})
PY

sqlite3 w.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(x);' >/dev/null
for i in 1 2 3 4; do
    (for j in $(seq 25); do sqlite3 -cmd '.timeout 20000' w.db "INSERT INTO t VALUES($i * 1000 + $j);"; done) &
done
wait
say wal "$(sqlite3 w.db 'PRAGMA mmap_size=1000000; SELECT count(*), sum(x) FROM t; PRAGMA integrity_check;' | tr '\n' ' ')"
WORK
on_share bash "$scratch/work.sh" "$share" >"$scratch/share.out" 2>&1 || echo "ended with $?" >>"$scratch/share.out"
on_plain bash "$scratch/work.sh" "$plain" >"$scratch/plain.out" 2>&1 || echo "ended with $?" >>"$scratch/plain.out"
cat "$scratch/plain.out"
if grep -q '^ended with' "$scratch/plain.out"; then
    echo "The control itself failed." >&2
    exit 1
fi
diff "$scratch/plain.out" "$scratch/share.out"
