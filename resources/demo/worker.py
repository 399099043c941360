#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tidies a folder of receipts and finishes the expense report in it. This is the agent's part of `carrel demo`:
it runs inside the machine, in the shared folder, as `python3 -`.

It knows formats, not the folder: receipts as text, PDF (through pdftotext) or tables; dates and sums as German and
English receipts print them. It removes exact duplicates, gives receipts names of the form date-vendor-amount,
writes expenses.csv and expenses.xlsx, and fills in what the report leaves open. What it does not understand
stays as it is, and the report lists it. A second run finds nothing to do.
"""
import collections
import csv
import datetime
import hashlib
import io
import os
import re
import subprocess
import sys
import unicodedata

REPORT, DRAFT, TABLE, BOOK = "report.md", "report-draft.md", "expenses.csv", "expenses.xlsx"
OUTPUTS = {REPORT, DRAFT, TABLE, BOOK}
HEADINGS = ["date", "vendor", "category", "amount", "currency", "status", "file"]
HOME_CURRENCY = "EUR"
MAX_TEXT = 1 << 20  # a receipt is a page or two

Record = collections.namedtuple("Record", "date vendor cents currency number path row")
changed = 0


def say(text):
    print(text, flush=True)


def did(text):
    global changed
    changed += 1
    say(text)


# --- reading receipts -------------------------------------------------------------------------------------

MONTHS = {name: at // 2 + 1 for at, name in enumerate(
    "jan januar feb februar mar märz apr april may mai jun juni jul juli aug august sep september oct oktober nov "
    "november dec dezember".split())}
ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
DOT_DATE = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
DAY_FIRST = re.compile(r"\b(\d{1,2})\.? ([A-Za-zä]{3,9})\.? (\d{4})\b")
MONTH_FIRST = re.compile(r"\b([A-Za-z]{3,9}) (\d{1,2}), (\d{4})\b")
SUM_WORD = re.compile(r"^\W*(grand total|total amount|total due|amount due|total|gesamtbetrag|gesamtsumme|summe|"
                      r"rechnungsbetrag|endbetrag|zu zahlen)\b", re.I)
AMOUNT = re.compile(r"(?<![\d.,'])\d{1,3}(?:[.,' ]\d{3})*[.,]\d{2}(?![\d.,])|(?<![\d.,'])\d+[.,]\d{2}(?![\d.,])")
CURRENCY = re.compile(r"\b(EUR|CHF|USD|GBP)\b|([€$£])")
SIGNS = {"€": "EUR", "$": "USD", "£": "GBP"}
NUMBER = re.compile(r"\b(?:invoice no\.?|invoice number|rechnungsnummer|rechnungs-nr\.?|receipt no\.?|beleg)[ :#]*"
                    r"([\w][\w/-]*)", re.I)
NOT_A_VENDOR = re.compile(r"^\W*(receipt|invoice|rechnung|quittung|beleg|bon)\W*$", re.I)


def date_in(line):
    found = []
    for pattern, order in ((ISO_DATE, (1, 2, 3)), (DOT_DATE, (3, 2, 1)), (DAY_FIRST, (3, 2, 1)), (MONTH_FIRST, (3, 1, 2))):
        for match in pattern.finditer(line):
            year, month, day = (match.group(part) for part in order)
            if not month.isdigit():
                month = MONTHS.get(month.lower(), MONTHS.get(month.lower()[:3], 0))
            try:
                found.append((match.start(), datetime.date(int(year), int(month), int(day))))
            except ValueError:
                pass
    return min(found)[1] if found else None


def cents_in(text):
    """The last amount of a line, in cents; whatever signs separate thousands."""
    amounts = AMOUNT.findall(text)
    if not amounts:
        return None
    digits = re.sub(r"\D", "", amounts[-1])
    return int(digits)


def currency_in(text):
    match = CURRENCY.search(text)
    return (match.group(1) or SIGNS[match.group(2)]) if match else None


def receipt_from(text, path):
    """One receipt, or None: without a date, a sum and somebody who was paid it is something else."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    vendor = next((line.strip(" *=-#") for line in lines if not NOT_A_VENDOR.match(line)), "")
    dated = [line for line in lines if re.search(r"\b\w*(date|datum)\b", line, re.I)] + lines
    date = next(filter(None, map(date_in, dated)), None)
    sums = [line for line in lines if SUM_WORD.match(line) and cents_in(line) is not None]
    if not vendor or date is None or not sums or not re.search(r"[^\W\d]{2}", vendor):
        return None
    if vendor.isupper():  # as tills print
        vendor = vendor.title()
    number = NUMBER.search(text)
    currency = currency_in(sums[-1]) or currency_in(text) or HOME_CURRENCY
    return Record(date, vendor, cents_in(sums[-1]), currency, number.group(1) if number else "", path, 0)


COLUMNS = {"date": ("date", "datum"), "vendor": ("merchant", "vendor", "händler", "payee", "description", "empfänger"),
           "amount": ("amount", "betrag", "sum", "total"), "currency": ("currency", "währung")}


def records_from_table(text, path):
    """Every row of a table with columns for date, vendor and amount, or None if it is another table or a row of it
    cannot be read: half a table would be a wrong sum."""
    head = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=head.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    at = {what: next((names.index(word) for word in words if word in names), None) for what, words in COLUMNS.items()}
    if None in (at["date"], at["vendor"], at["amount"]):
        return None
    records = []
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            return None
        date, cents = date_in(row[at["date"]]), cents_in(row[at["amount"]])
        currency = row[at["currency"]].strip() if at["currency"] is not None else HOME_CURRENCY
        if date is None or cents is None or not row[at["vendor"]].strip():
            return None
        records.append(Record(date, row[at["vendor"]].strip(), cents, currency, "", path, line))
    return records or None


def text_of_pdf(path):
    try:
        run = subprocess.run(["pdftotext", "-layout", "-enc", "UTF-8", path, "-"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return None, "there is no pdftotext here"
    if run.returncode != 0:
        return None, "a damaged PDF"
    text = run.stdout[:MAX_TEXT].decode("utf-8", "replace")
    return (text, "") if text.strip() else (None, "a PDF without text: a scan?")


def read_file(path, where):
    """(records, why there are none)"""
    ending = os.path.splitext(path)[1].lower()
    if ending in (".png", ".jpg", ".jpeg", ".heic"):
        return None, "a picture: somebody must read it"
    if ending == ".pdf":
        text, why = text_of_pdf(where)
    elif ending in (".txt", ".csv", ".md", ""):
        with open(where, "rb") as file:
            data = file.read(MAX_TEXT)
        text, why = data.decode("utf-8", "replace"), ""
        if not text.strip():
            return None, "empty"
    else:
        return None, "an unknown kind of file"
    if text is None:
        return None, why
    if ending == ".csv":
        records = records_from_table(text, path)
        return records, "a table, but not of expenses"
    receipt = receipt_from(text, path)
    return ([receipt] if receipt else None), "no date, sum and vendor found"


# --- tidying ----------------------------------------------------------------------------------------------

def all_files(root):
    """Paths below the folder, in a fixed order. Hidden files, links and what this program writes are left out."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if not name.startswith(".") and path not in OUTPUTS and not os.path.islink(os.path.join(folder, name)):
                found.append(path)
    return sorted(found)


SCHEME = re.compile(r"^\d{4}-\d{2}-\d{2}-.+-\d+\.\d{2}(-[a-z]{3})?(-\d+)?$")
LIKE_A_COPY = re.compile(r"\bcopy\b|\bkopie\b|\(\d+\)", re.I)


def remove_duplicates(root, paths):
    """Of files with the same bytes the best named one stays."""
    same = collections.defaultdict(list)
    for path in paths:
        with open(os.path.join(root, path), "rb") as file:
            data = file.read()
        if data:
            same[hashlib.sha256(data).digest()].append(path)
    removed = {}
    for group in same.values():
        def rank(path):
            stem = os.path.splitext(os.path.basename(path))[0]
            return (not SCHEME.match(stem), bool(LIKE_A_COPY.search(stem)), path.count(os.sep), len(path), path)
        keep, *rest = sorted(group, key=rank)
        for path in rest:
            os.remove(os.path.join(root, path))
            removed[path] = keep
            did("removed    %s  (the same bytes as %s)" % (path, keep))
    return removed


def slug(text):
    for sign, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("&", " ")):
        text = text.lower().replace(sign, letters)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:60].strip("-") or "unknown"


def money(cents):
    return "%d.%02d" % divmod(cents, 100)


def good_stem(record):
    stem = "%s-%s-%s" % (record.date.isoformat(), slug(record.vendor), money(record.cents))
    return stem if record.currency == HOME_CURRENCY else stem + "-" + record.currency.lower()


def rename_receipt(root, record):
    folder, name = os.path.split(record.path)
    stem, ending = os.path.splitext(name)
    wanted = good_stem(record)
    if re.fullmatch(re.escape(wanted) + r"(-\d+)?", stem):
        return record.path
    for attempt in range(1, 1000):
        new = os.path.join(folder, wanted + ("-%d" % attempt if attempt > 1 else "") + ending.lower())
        if not os.path.lexists(os.path.join(root, new)):
            os.rename(os.path.join(root, record.path), os.path.join(root, new))
            did("renamed    %s  to  %s" % (record.path, os.path.basename(new)))
            return new
    return record.path


# --- judging ----------------------------------------------------------------------------------------------

CATEGORIES = (  # first that fits
    ("Software", r"software|hosting|licen[cs]e|cloud|subscription"),
    ("Training", r"conference|workshop|course|training|seminar|buchhandlung|bookshop|kongress"),
    ("Office", r"papier|büro|office|toner|druck|copy ?shop|stationery|schreib"),
    ("Lodging", r"hotel|pension|hostel|lodging|übernachtung"),
    ("Meals", r"restaurant|gasthaus|gasthof|café|cafe|bistro|kiosk|bakery|bäckerei|catering"),
    ("Travel", r"taxi|rail|bahn|zug|train|park|tankstelle|fuel|bus|flight|airline|ride"),
)


def category_of(vendor):
    return next((name for name, words in CATEGORIES if re.search(words, vendor, re.I)), "Other")


def judge(records, period):
    """[(record, status)]; only "counted" goes into the sum."""
    judged, invoices = [], {}
    for record in sorted(records, key=lambda r: (r.date, slug(r.vendor), r.cents, r.number, r.path, r.row)):
        key = (slug(record.vendor), record.date, record.cents, record.currency, record.number)
        if period and not period[0] <= record.date <= period[1]:
            status = "outside the period"
        elif record.number and key in invoices:
            status = "same invoice as " + invoices[key]
        elif record.currency != HOME_CURRENCY:
            status = "other currency"
        else:
            status = "counted"
        invoices.setdefault(key, record.path)
        judged.append((record, status))
    return judged


def doubtful(judged):
    """Counted, but a person should look: everything the same, and nothing that tells the receipts apart."""
    seen, found = {}, []
    for record, status in judged:
        key = (slug(record.vendor), record.date, record.cents)
        if status == "counted" and key in seen:
            found.append((seen[key], record.path))
        elif status == "counted":
            seen[key] = record.path
    return found


def budget_of(root):
    try:
        with open(os.path.join(root, "budget.csv"), encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {row["category"]: cents_in(row["budget"]) or 0 for row in rows}
    except (OSError, KeyError, UnicodeDecodeError):
        return {}


# --- writing ----------------------------------------------------------------------------------------------

def write_if_new(root, name, data):
    path = os.path.join(root, name)
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return
    except FileNotFoundError:
        pass
    with open(path, "wb") as file:
        file.write(data)
    did("wrote      %s  (%d bytes)" % (name, len(data)))


def table_rows(judged):
    return [[r.date.isoformat(), r.vendor, category_of(r.vendor), money(r.cents), r.currency, status, r.path]
            for r, status in judged]


def write_table(root, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADINGS)
    writer.writerows(rows)
    write_if_new(root, TABLE, out.getvalue().encode("utf-8"))


def write_book(root, rows, by_category, total):
    """The same as a workbook. Its bytes hold the time of writing, so its cells decide whether there is news."""
    try:
        import openpyxl
    except ImportError:
        say("skipped    %s  (there is no openpyxl here)" % BOOK)
        return
    expenses = [HEADINGS] + [row[:3] + [float(row[3])] + row[4:] for row in rows]
    summary = [["category", "amount"]] + [[name, cents / 100] for name, cents in by_category] + [["Total", total / 100]]
    path = os.path.join(root, BOOK)
    if os.path.exists(path):
        old = openpyxl.load_workbook(path)
        cells = [[list(row) for row in old[name].iter_rows(values_only=True)] if name in old.sheetnames else None
                 for name in ("Expenses", "Summary")]
        if cells == [expenses, summary]:
            return
    book = openpyxl.Workbook()
    for sheet, content, column in ((book.active, expenses, "D"), (book.create_sheet(), summary, "B")):
        sheet.title = "Expenses" if content is expenses else "Summary"
        for row in content:
            sheet.append(row)
        for cell in sheet[column][1:]:
            cell.number_format = "0.00"
        for cell in sheet[1]:
            cell.font = openpyxl.styles.Font(bold=True)
        # A cell that begins with "=" would be a formula: receipts are text.
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str):
                    cell.data_type = "s"
        for letter, width in zip("ABCDEFG", (12, 30, 12, 11, 9, 24, 60)):
            sheet.column_dimensions[letter].width = width
    book.save(path)
    did("wrote      %s  (%d expenses)" % (BOOK, len(rows)))


def quoted(path):
    return "`" + path + "`"


def markdown_table(headings, rows):
    cells = [[cell.replace("|", "\\|") for cell in row] for row in [headings] + rows]
    rule = ["---"] + ["---:"] * (len(headings) - 1)
    return ["| " + " | ".join(row) + " |" for row in [cells[0], rule] + cells[1:]]


def sections(judged, unread, budget, tidied):
    """What goes into the report: {heading word: lines}"""
    counted = [r for r, status in judged if status == "counted"]
    total = sum(r.cents for r in counted)
    months, kinds = collections.Counter(), collections.Counter()
    for r in counted:
        months[r.date.strftime("%Y-%m")] += r.cents
        kinds[category_of(r.vendor)] += r.cents
    planned = sum(budget.values())
    summary = ["**Total: %s %s** from %d receipts and bookings." % (money(total), HOME_CURRENCY, len(counted))]
    if budget:
        rest = planned - total
        summary.append("The budget was %s %s: %s %s." % (money(planned), HOME_CURRENCY, money(abs(rest)),
                                                        "are left" if rest >= 0 else "too much was spent"))
    by_category = sorted(set(kinds) | set(budget))
    table = [[name, money(kinds[name]), money(budget.get(name, 0)), ("-" if kinds[name] > budget.get(name, 0) else "")
              + money(abs(budget.get(name, 0) - kinds[name]))] for name in by_category]
    questions = []
    for r, status in judged:
        if status == "outside the period":
            questions.append("- %s is dated %s, outside the period: not counted (%s %s)."
                             % (quoted(r.path), r.date.isoformat(), money(r.cents), r.currency))
        elif status == "other currency":
            questions.append("- %s is %s %s: not counted, which rate applies?" % (quoted(r.path), money(r.cents), r.currency))
        elif status != "counted":
            questions.append("- %s is the %s: counted once." % (quoted(r.path), status.replace("as ", "as `", 1) + "`"))
    questions += ["- %s and %s have the same date, vendor and amount: both counted, are they two?"
                  % (quoted(first), quoted(second)) for first, second in doubtful(judged)]
    return collections.OrderedDict([
        ("summary", summary),
        ("month", markdown_table(["Month", HOME_CURRENCY], [[m, money(months[m])] for m in sorted(months)])),
        ("category", markdown_table(["Category", "Spent", "Budget", "Left"], table)),
        ("question", questions or ["- Nothing else."]),
        ("not read", ["- %s: %s" % (quoted(path), why) for path, why in unread] or ["- Nothing: every file was read."]),
        ("tidied", tidied or ["- Nothing."]),
    ]), [(name, kinds[name]) for name in by_category], total


TITLES = {"summary": "Summary", "month": "By month", "category": "By category", "question": "Questions",
          "not read": "Files not read", "tidied": "Duplicates removed"}


def block(key, lines):
    return ["<!-- %s: filled in from the receipts -->" % key] + lines + ["<!-- end -->"]


def blocks_in(report):
    """The report's own blocks from an earlier run: {key: lines}"""
    pattern = r"^<!-- ([a-z ]+): filled in from the receipts -->\n(.*?)^<!-- end -->$"
    return {key: text.splitlines() for key, text in re.findall(pattern, report, re.M | re.S)}


def fill_in(report, filled):
    """Puts each block where it was, else where the section says TODO, else at the end. Everything else that
    somebody wrote stays."""
    for key, lines in filled.items():
        new = "\n".join(block(key, lines))
        old = re.compile(r"^<!-- %s: filled in from the receipts -->\n.*?^<!-- end -->$" % re.escape(key), re.M | re.S)
        todo = re.compile(r"(^#+ [^\n]*%s[^\n]*\n(?:(?!#)[^\n]*\n)*?)(?:- )?TODO[^\n]*$" % re.escape(key), re.M | re.I)
        if old.search(report):
            report = old.sub(lambda _, text=new: text, report, count=1)
        elif todo.search(report):
            report = todo.sub(lambda match, text=new: match.group(1) + text, report, count=1)
        else:
            report = report.rstrip("\n") + "\n\n## %s\n\n%s\n" % (TITLES[key], new)
    return re.sub(r"^Status: draft$", "Status: complete, waiting for review", report, flags=re.M)


def read_report(root):
    for name in (REPORT, DRAFT):
        try:
            with open(os.path.join(root, name), encoding="utf-8", newline="") as file:
                return file.read()
        except FileNotFoundError:
            pass
    return "# Expenses\n"


def period_of(report):
    line = next((line for line in report.splitlines() if re.match(r"\W*(period|zeitraum)\b", line, re.I)), "")
    dates = [datetime.date(*map(int, match)) for match in ISO_DATE.findall(line)]
    return (dates[0], dates[1]) if len(dates) == 2 else None


def ours_to_write(root):
    """A table of that name that somebody else made is not overwritten."""
    try:
        with open(os.path.join(root, TABLE), encoding="utf-8") as file:
            return file.readline().strip() == ",".join(HEADINGS)
    except FileNotFoundError:
        return True
    except UnicodeDecodeError:
        return False


def main(root):
    if not ours_to_write(root):
        say("%s is there already and is not mine: nothing was done" % TABLE)
        return 1
    paths = all_files(root)
    say("looked at  %d files" % len(paths))
    removed = remove_duplicates(root, paths)
    records, unread, now_called = [], [], {}
    for path in paths:
        if path in removed or path == "budget.csv":
            continue
        found, why = read_file(path, os.path.join(root, path))
        if found is None:
            say("left alone %s  (%s)" % (path, why))
            unread.append((path, why))
            continue
        say("read       %s  (%s)" % (path, "; ".join("%s %s" % (money(r.cents), r.currency) for r in found)))
        if not found[0].row:
            found = [found[0]._replace(path=rename_receipt(root, found[0]))]
            now_called[path] = found[0].path
        records += found
    report = read_report(root)
    judged = judge(records, period_of(report))
    names = {record.path for record in records}
    tidied = [line for line in blocks_in(report).get("tidied", []) if line != "- Nothing."]
    tidied += ["- %s (a copy of %s)" % (quoted(old), quoted(now_called.get(kept, kept)))
               for old, kept in sorted(removed.items())]
    filled, by_category, total = sections(judged, unread, budget_of(root), tidied)
    rows = table_rows(judged)
    write_table(root, rows)
    write_book(root, rows, by_category, total)
    write_if_new(root, REPORT, fill_in(report, filled).encode("utf-8"))
    say("total      %s %s, %d files of expenses, %d files left alone" % (money(total), HOME_CURRENCY, len(names), len(unread)))
    say("done       %d changes" % changed if changed else "done       nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
