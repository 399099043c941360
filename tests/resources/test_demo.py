#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The walk-through without a machine: the sample folder, the worker on this computer, and the checker.

    test_demo.py CLASS     runs one class; exits 77 where all of it was skipped
"""
import contextlib
import csv
import importlib.util
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "resources")
MAKER = os.path.join(ROOT, "sample", "make-sample.py")
WORKER = os.path.join(ROOT, "demo", "worker.py")
CHECK = os.path.join(ROOT, "demo", "check.py")
HAVE_PDF = shutil.which("pdftotext") is not None
HAVE_BOOK = importlib.util.find_spec("openpyxl") is not None


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3].replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker, worker, check = load(MAKER), load(WORKER), load(CHECK)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.before = os.path.join(self.folder.name, "before")
        self.after = os.path.join(self.folder.name, "after")

    def make(self):
        for folder in (self.before, self.after):
            self.assertEqual(subprocess.run([sys.executable, MAKER, folder], stdout=subprocess.DEVNULL).returncode, 0)

    def work(self, status=0):
        """As in the machine: the script through standard input, the folder as working directory."""
        with open(WORKER, "rb") as script:
            run = subprocess.run([sys.executable, "-"], stdin=script, cwd=self.after, stdout=subprocess.PIPE,
                                 env=dict(os.environ, PYTHONUTF8="1"))
        self.assertEqual(run.returncode, status, run.stdout.decode())
        return run.stdout.decode().splitlines()

    def put(self, path, text, root=None):
        full = os.path.join(root or self.after, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def get(self, path):
        with open(os.path.join(self.after, path), encoding="utf-8") as file:
            return file.read()

    def rows(self):
        return list(csv.DictReader(io.StringIO(self.get("expenses.csv"))))

    def problems(self):
        return check.check_applied(self.before, self.after)[0]


class Sample(Folder):
    def test_twice_the_same_by_byte_mode_and_time(self):
        self.make()
        self.assertEqual(check.check_same(check.entries(self.before), check.entries(self.after)), [])

    def test_is_a_believable_size(self):
        self.make()
        files = [e for e in check.entries(self.before).values() if e.kind == stat.S_IFREG]
        self.assertTrue(30 <= len(files) <= 60, len(files))
        self.assertLess(sum(e.size for e in files), 500_000)
        self.assertEqual({0o644, 0o600, 0o444}, {e.mode for e in files})

    def test_refuses_a_folder_with_something_in_it(self):
        self.put("mine.txt", "mine")
        run = subprocess.run([sys.executable, MAKER, self.after], stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 1)
        self.assertEqual(os.listdir(self.after), ["mine.txt"])

    def test_invoices_add_up(self):
        for receipt in maker.RECEIPTS:
            self.assertEqual(sum(cents for _, cents in maker.parts_of(receipt)), receipt.cents, receipt.path)

    def test_pictures_have_the_marks_of_their_formats(self):
        made = maker.files()
        for path, (content, _, _) in made.items():
            if path.lower().endswith(".png"):
                self.assertTrue(content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82"), path)
            elif path.lower().endswith(".jpg"):
                self.assertTrue(content.startswith(b"\xff\xd8\xff\xe0") and content.endswith(b"\xff\xd9"), path)

    def test_cross_references_of_pdfs_point_at_objects(self):
        for path, (content, _, _) in maker.files().items():
            if path.endswith(".pdf") and content.endswith(b"%%EOF\n"):
                table = content[int(content.split(b"startxref\n")[1].split(b"\n")[0]):].split(b"\n")
                for number, line in enumerate(table[3:8], 1):
                    self.assertTrue(content[int(line[:10]):].startswith(b"%d 0 obj\n" % number), path)


class Worker(Folder):
    """What needs no tool but python3; PDF and workbook have their own classes."""

    def test_reads_every_text_and_table_to_the_cent(self):
        self.make()
        self.work()
        by_key = {(r["date"], worker.slug(r["vendor"]), r["cents"], r["currency"], r["category"])
                  for r in maker.truth()["records"] if not r["path"].endswith(".pdf")}
        got = {(r["date"], worker.slug(r["vendor"]), check.cents(r["amount"]), r["currency"], r["category"])
               for r in self.rows() if not r["file"].endswith(".pdf")}
        self.assertEqual(got, by_key)

    def test_a_second_run_has_nothing_to_do(self):
        self.make()
        self.assertRegex(self.work()[-1], r"^done +\d+ changes$")
        between = check.entries(self.after)
        self.assertEqual(self.work()[-1], "done       nothing to do")
        self.assertEqual(check.check_same(between, check.entries(self.after)), [])

    def test_originals_keep_bytes_modes_and_times(self):
        self.make()
        self.work()
        truth = maker.truth()
        self.assertEqual(check.check_files(check.entries(self.before), check.entries(self.after), truth), [])

    def test_what_somebody_wrote_in_the_report_stays(self):
        self.make()
        self.work()
        report = self.get("report.md")
        self.assertIn("Is the coffee for the workshop on 18 August catering", report)
        self.assertNotIn("TODO", report)
        self.put("report.md", report + "\nA line of mine.\n")
        self.work()
        self.assertIn("\nA line of mine.\n", self.get("report.md"))

    def test_new_receipts_after_a_first_run(self):
        self.make()
        self.work()
        before = sum(check.cents(r["amount"]) for r in self.rows() if r["status"] == "counted")
        self.put("late.txt", "Bakery Corner\nDate: 2026-09-29\nTotal EUR 3.20\n")
        self.assertIn("renamed    late.txt  to  2026-09-29-bakery-corner-3.20.txt", self.work())
        after = sum(check.cents(r["amount"]) for r in self.rows() if r["status"] == "counted")
        self.assertEqual(after - before, 320)
        self.assertIn("(a copy of `IMG_2231.png`)", self.get("report.md"))  # of the first run

    def test_an_empty_folder_and_no_draft(self):
        os.mkdir(self.after)
        self.work()
        self.assertIn("**Total: 0.00 EUR** from 0 receipts", self.get("report.md"))

    def test_a_table_of_somebody_else_is_not_overwritten(self):
        self.put("expenses.csv", "mine,not yours\n1,2\n")
        self.put("a.txt", "Bakery\nDate: 2026-09-29\nTotal EUR 3.20\n")
        self.work(status=1)
        self.assertEqual(sorted(os.listdir(self.after)), ["a.txt", "expenses.csv"])

    def test_links_and_hidden_files_are_left_alone(self):
        self.put("real.txt", "note")
        self.put(".hidden/a.txt", "Bakery\nDate: 2026-09-29\nTotal EUR 3.20\n")
        os.symlink("real.txt", os.path.join(self.after, "link.txt"))
        self.work()
        self.assertTrue(os.path.islink(os.path.join(self.after, "link.txt")))
        self.assertEqual(os.listdir(os.path.join(self.after, ".hidden")), ["a.txt"])
        self.assertEqual(self.rows(), [])

    def test_a_table_with_one_bad_row_is_not_half_counted(self):
        self.put("t.csv", "date,vendor,amount\n2026-07-01,Rail,1.00\nsome day,Rail,2.00\n")
        self.work()
        self.assertEqual(self.rows(), [])
        self.assertIn("- `t.csv`: ", self.get("report.md"))

    def test_amounts(self):
        for text, cents in (("Total 1.234,50 EUR", 123450), ("1,234.50", 123450), ("1'234.50", 123450), ("12.00", 1200),
                            ("Total EUR 7,05", 705), ("1234.56", 123456), ("VAT 19 %", None), ("19.5", None),
                            ("a 3.00 b 4.00", 400), ("09.07.2026", None)):
            self.assertEqual(worker.cents_in(text), cents, text)

    def test_dates(self):
        for text, date in (("2026-07-09", "2026-07-09"), ("09.07.2026", "2026-07-09"), ("9. Juli 2026", "2026-07-09"),
                           ("12 August 2026", "2026-08-12"), ("Aug 2, 2026", "2026-08-02"), ("31.02.2026", None),
                           ("3. März 2026", "2026-03-03"), ("12 Apples 2026", None)):
            found = worker.date_in(text)
            self.assertEqual(found and found.isoformat(), date, text)

    def test_names(self):
        for text, slug in (("Café Übersee", "cafe-uebersee"), ("Papier & Büro GmbH", "papier-buero-gmbh"),
                           ("../../etc/passwd", "etc-passwd"), ("***", "unknown"), ("a" * 300, "a" * 60)):
            self.assertEqual(worker.slug(text), slug)


@unittest.skipUnless(HAVE_PDF, "there is no pdftotext on this computer")
class WorkerPdf(Folder):
    def test_reads_pdfs_to_the_cent(self):
        self.make()
        self.work()
        total = sum(check.cents(r["amount"]) for r in self.rows() if r["status"] == "counted")
        self.assertEqual(total, maker.truth()["total_cents"])

    def test_scans_and_damaged_files_are_listed(self):
        self.make()
        self.work()
        self.assertIn("- `Büro/scan0001.pdf`: a PDF without text", self.get("report.md"))
        self.assertIn("- `September/half a download.pdf`: a damaged PDF", self.get("report.md"))


@unittest.skipUnless(HAVE_BOOK, "there is no openpyxl on this computer")
class WorkerBook(Folder):
    def test_holds_what_the_table_holds(self):
        import openpyxl
        self.make()
        self.work()
        book = openpyxl.load_workbook(os.path.join(self.after, "expenses.xlsx"))
        cells = [list(row) for row in book["Expenses"].iter_rows(values_only=True)]
        rows = list(csv.reader(io.StringIO(self.get("expenses.csv"))))
        self.assertEqual([[r[0], r[1], "%.2f" % r[3]] for r in cells[1:]], [[r[0], r[1], r[3]] for r in rows[1:]])

    def test_a_receipt_that_looks_like_a_formula_is_text(self):
        import openpyxl
        self.put("a.csv", "date,vendor,amount\n2026-09-29,=1+1,3.20\n")
        self.work()
        cell = openpyxl.load_workbook(os.path.join(self.after, "expenses.xlsx"))["Expenses"]["B2"]
        self.assertEqual((cell.value, cell.data_type), ("=1+1", "s"))


class Check(Folder):
    """The checker must be able to say no."""

    def setUp(self):
        super().setUp()
        self.make()

    def changed(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            status = check.main(["--same", self.before, self.after])
        return status, out.getvalue()

    def test_sees_one_byte_one_mode_one_time_one_name(self):
        self.assertEqual(self.changed()[0], 0)
        path = os.path.join(self.after, "notes.txt")
        info = os.stat(path)
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns + 1))
        self.assertEqual(self.changed(), (1, "notes.txt: its time moved from %d to %d ns\n"
                                          % (info.st_mtime_ns, info.st_mtime_ns + 1)))
        with open(path, "r+b") as file:
            file.write(b"T")
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
        self.assertEqual(self.changed(), (1, "notes.txt: its content changed\n"))
        with open(path, "r+b") as file:
            file.write(b"t")
        os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
        os.chmod(path, 0o640)
        self.assertEqual(self.changed(), (1, "notes.txt: mode 0644 became 0640\n"))
        os.chmod(path, 0o644)
        os.rename(path, path + "x")
        self.assertEqual(self.changed(), (1, "notes.txt: is missing\nnotes.txtx: was not there before\n"))

    def test_an_untouched_folder_is_not_the_work(self):
        problems = self.problems()
        self.assertIn("expenses.csv: is missing", problems)
        self.assertIn("download (1).pdf: a duplicate, still there", problems)
        self.assertIn("report.md: still says TODO", problems)

    def test_sees_a_cent(self):
        self.work()
        before = len(self.problems())
        table = self.get("expenses.csv")
        self.put("expenses.csv", table.replace(",64.80,", ",64.81,"))
        self.assertGreater(len(self.problems()), before)
        self.assertTrue(any("64.81" in problem for problem in self.problems()))

    def test_sees_an_original_that_was_touched_or_lost(self):
        self.work()
        self.put("notes.txt", "other")
        self.assertTrue(any(p.startswith("notes.txt: its content changed") for p in self.problems()))
        os.remove(os.path.join(self.after, "km.csv"))
        self.assertIn("km.csv: its content is there 0 times", self.problems())

    @unittest.skipUnless(HAVE_PDF and HAVE_BOOK, "needs pdftotext and openpyxl")
    def test_the_whole_work_is_right(self):
        self.work()
        self.assertEqual(self.problems(), [])


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    suite = unittest.defaultTestLoader.loadTestsFromName(name, sys.modules[__name__])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if not result.wasSuccessful() or result.testsRun == 0:
        return 1
    return 77 if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
