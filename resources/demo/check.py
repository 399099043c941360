#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges what the demo did to a copy of the sample folder, without trusting the worker.

    check.py BEFORE AFTER          AFTER is BEFORE plus exactly what the report claims: sums right to the cent,
                                   duplicates gone, everything else untouched by byte, mode and time except in name
    check.py --same BEFORE AFTER   AFTER is BEFORE again: names, bytes, modes and times of last change

Prints every difference and exits 1, or says in one line what was compared and exits 0. What the sums must be comes
from the maker of the sample, not from the files. Times of folders are not compared: every change in a folder
moves them.
"""
import csv
import hashlib
import importlib.util
import os
import re
import stat
import sys
import xml.etree.ElementTree as xml
import zipfile

OUTPUTS = {"report.md", "expenses.csv", "expenses.xlsx"}
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Entry:
    def __init__(self, full):
        info = os.lstat(full)
        self.kind = stat.S_IFMT(info.st_mode)
        self.mode = stat.S_IMODE(info.st_mode)
        self.time = info.st_mtime_ns
        if self.kind == stat.S_IFREG:
            with open(full, "rb") as file:
                self.content = hashlib.sha256(file.read()).hexdigest()
            self.size = info.st_size
        else:
            self.content = os.readlink(full) if self.kind == stat.S_IFLNK else ""
            self.size = 0


def entries(root):
    found = {".": Entry(root)}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            full = os.path.join(folder, name)
            found[os.path.relpath(full, root)] = Entry(full)
    return found


def sample_truth():
    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sample", "make-sample.py")
    spec = importlib.util.spec_from_file_location("make_sample", where)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module.truth()


def differences(name, old, new):
    out = []
    if old.kind != new.kind:
        out.append("%s: is another kind of file" % name)
    if old.content != new.content:
        out.append("%s: its content changed" % name)
    if old.mode != new.mode:
        out.append("%s: mode %04o became %04o" % (name, old.mode, new.mode))
    if old.time != new.time and old.kind != stat.S_IFDIR:
        out.append("%s: its time moved from %d to %d ns" % (name, old.time, new.time))
    return out


def check_same(before, after):
    problems = ["%s: is missing" % path for path in sorted(set(before) - set(after))]
    problems += ["%s: was not there before" % path for path in sorted(set(after) - set(before))]
    for path in sorted(set(before) & set(after)):
        problems += differences(path, before[path], after[path])
    return problems


def cents(text):
    whole, _, rest = text.partition(".")
    if not (whole.isdigit() and len(rest) == 2 and rest.isdigit()):
        raise ValueError("not an amount: " + text)
    return int(whole) * 100 + int(rest)


def check_files(before, after, truth):
    """Originals: every content is there once, with its mode and time; nothing else but the outputs is."""
    problems = []
    homes = {}
    for path, entry in after.items():
        if entry.kind == stat.S_IFREG and path not in OUTPUTS:
            homes.setdefault(entry.content, []).append(path)
    used = set()
    for path, entry in sorted(before.items()):
        if entry.kind != stat.S_IFREG:
            problems += differences(path, entry, after[path]) if path in after else [path + ": is missing"]
            continue
        if path in OUTPUTS:
            continue
        if path in truth["duplicates"]:
            if path in after:
                problems.append("%s: a duplicate, still there" % path)
            continue
        now = [path] if path in after else homes.get(entry.content, [])
        if len(now) != 1:
            problems.append("%s: its content is there %d times" % (path, len(now)))
            continue
        used.add(now[0])
        problems += differences(path if now[0] == path else path + " -> " + now[0], entry, after[now[0]])
    for path, entry in sorted(after.items()):
        if entry.kind == stat.S_IFREG and path not in used | OUTPUTS:
            problems.append("%s: nobody asked for it" % path)
        if path not in before and entry.kind != stat.S_IFREG:
            problems.append("%s: nobody asked for it" % path)
    for content, paths in homes.items():
        if len(paths) > 1:
            problems.append("the same bytes are still in: " + ", ".join(paths))
    return problems


def check_table(root, before, after, truth):
    """expenses.csv against what the sample's maker put in: each record once, from the right bytes."""
    with open(os.path.join(root, "expenses.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    problems, total = [], 0
    wanted = []
    for record in truth["records"]:
        wanted.append((before[record["path"]].content, record["date"], record["cents"], record["currency"],
                       record["category"], record["counted"]))
    for row in rows:
        if row["file"] not in after:
            problems.append("expenses.csv names a file that is not there: " + row["file"])
            continue
        counted = row["status"] == "counted"
        key = (after[row["file"]].content, row["date"], cents(row["amount"]), row["currency"], row["category"], counted)
        total += key[2] if counted else 0
        if key in wanted:
            wanted.remove(key)
        else:
            # Of one invoice in two forms either may be the one that counts.
            twin = next((w for w in wanted if w[1:4] == key[1:4]), None)
            if twin is None or not same_invoice(truth, row):
                problems.append("expenses.csv: wrong or unexpected: " + ", ".join(row.values()))
            else:
                wanted.remove(twin)
    problems += ["expenses.csv: missing: %s %d %s" % entry[1:4] for entry in wanted]
    if total != truth["total_cents"]:
        problems.append("expenses.csv adds up to %d cents, right is %d" % (total, truth["total_cents"]))
    return problems


def same_invoice(truth, row):
    like = [r for r in truth["records"] if (r["date"], r["cents"]) == (row["date"], cents(row["amount"]))]
    return len(like) == 2 and len({r["counted"] for r in like}) == 2


def check_book(root, truth):
    """The workbook without a workbook library: cells of its sheets as the files in the archive have them."""
    with zipfile.ZipFile(os.path.join(root, "expenses.xlsx")) as book:
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            strings = xml.fromstring(book.read("xl/sharedStrings.xml"))
            shared = ["".join(part.text or "" for part in item.iter(SHEET + "t")) for item in strings]
        rows = []
        for row in xml.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(SHEET + "row"):
            cells = []
            for cell in row:
                value = cell.find(SHEET + "v")
                text = "" if value is None else value.text
                inline = "".join(part.text or "" for part in cell.iter(SHEET + "t"))
                cells.append(shared[int(text)] if cell.get("t") == "s" else text or inline)
                if cell.find(SHEET + "f") is not None:
                    return ["expenses.xlsx: has a formula"]
            rows.append(cells)
    head = rows[0]
    total = sum(round(float(row[head.index("amount")]) * 100) for row in rows[1:]
                if row[head.index("status")] == "counted")
    problems = []
    if len(rows) - 1 != len(truth["records"]):
        problems.append("expenses.xlsx has %d expenses, right is %d" % (len(rows) - 1, len(truth["records"])))
    if total != truth["total_cents"]:
        problems.append("expenses.xlsx adds up to %d cents, right is %d" % (total, truth["total_cents"]))
    return problems


def check_report(root, after, truth):
    with open(os.path.join(root, "report.md"), encoding="utf-8") as file:
        report = file.read()
    problems = ["report.md: still says TODO"] if "TODO" in report else []
    total = re.search(r"\*\*Total: (\S+) EUR\*\*", report)
    if not total or cents(total.group(1)) != truth["total_cents"]:
        problems.append("report.md: the total is wrong or missing")
    for category, budget in truth["budget_cents"].items():
        spent = sum(r["cents"] for r in truth["records"] if r["counted"] and r["category"] == category)
        line = re.search(r"^\| %s \| (\S+) \| (\S+) \|" % category, report, re.M)
        if not line or (cents(line.group(1)), cents(line.group(2))) != (spent, budget):
            problems.append("report.md: the line of %s is wrong or missing" % category)
    months = re.findall(r"^\| (\d{4}-\d{2}) \| (\S+) \|$", report, re.M)
    if sum(cents(amount) for _, amount in months) != truth["total_cents"]:
        problems.append("report.md: the months do not add up")
    problems += ["report.md: does not say that it could not read " + path for path in truth["unread"]
                 if "- `%s`: " % path not in report]
    problems += ["report.md: does not say that it removed " + path for path in truth["duplicates"]
                 if "- `%s` (a copy of" % path not in report]
    gone = set(truth["duplicates"])
    problems += ["report.md: names a file that is not there: " + path for path in re.findall(r"`([^`]+)`", report)
                 if path not in after and path not in gone]
    return problems


def check_applied(before_root, after_root):
    before, after, truth = entries(before_root), entries(after_root), sample_truth()
    problems = ["%s: is missing" % name for name in sorted(OUTPUTS - set(after))]
    problems += check_files(before, after, truth)
    for name, check in (("expenses.csv", lambda: check_table(after_root, before, after, truth)),
                        ("expenses.xlsx", lambda: check_book(after_root, truth)),
                        ("report.md", lambda: check_report(after_root, after, truth))):
        if name in after:
            try:
                problems += check()
            except (ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
                problems.append("%s: cannot be read: %s" % (name, error))
    return problems, len(before), truth["total_cents"]


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "--same":
        before = entries(arguments[1])
        problems = check_same(before, entries(arguments[2]))
        good = "the same: %d entries, by name, bytes, mode and time" % len(before)
    elif len(arguments) == 2:
        problems, count, total = check_applied(*arguments)
        good = "right: %d entries before, duplicates gone, originals untouched, total %d cents" % (count, total)
    else:
        print("usage: check.py [--same] BEFORE AFTER", file=sys.stderr)
        return 2
    print("\n".join(problems) if problems else good)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
