#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a small, believable folder of somebody's expenses for `carrel demo`: receipts as text, tables and PDF,
photos, a half-finished report, duplicates, bad names. Nothing but the standard library.

    make-sample.py FOLDER     makes it; FOLDER must be new or empty
    make-sample.py --truth    what a careful reader finds in it, as JSON

The same bytes, modes and times on every computer: nothing is compressed, because the output of a compressor
depends on its version. All names are made up.
"""
import datetime
import json
import os
import struct
import sys
import zlib

# --- files small enough to write by hand -------------------------------------------------------------------


def pdf(lines, size=11):
    """One A4 page of left-aligned text (PDF 32000-1:2008). WinAnsiEncoding, so German umlauts are fine."""
    drawn = []
    for line in lines:
        text = line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        drawn.append(b"(" + text + b") Tj T*")
    content = b"BT /F1 %d Tf %d TL 56 780 Td\n" % (size, size + 4) + b"\n".join(drawn) + b"\nET\n"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>"
    return _pdf_file(content, b"/Font << /F1 5 0 R >>", font)


def pdf_of_image(width, height, grey):
    """One page that holds nothing but a picture, as a scanner makes it: there is no text to extract."""
    image = (b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray"
             b" /BitsPerComponent 8 /Length %d >>\nstream\n" % (width, height, len(grey))) + grey + b"\nendstream"
    return _pdf_file(b"q 480 0 0 640 56 120 cm /I1 Do Q\n", b"/XObject << /I1 5 0 R >>", image)


def _pdf_file(content, resources, fifth):
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << "
        + resources + b" >> >>",
        b"<< /Length %d >>\nstream\n" % len(content) + content + b"endstream",
        fifth,
    ]
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def png(width, height, grey):
    """Eight-bit grey (PNG specification, third edition)."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + grey[y * width:(y + 1) * width] for y in range(height))
    if len(rows) > 65535:
        raise ValueError("one stored block holds 65,535 bytes")
    stored = (b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
              + struct.pack(">I", zlib.adler32(rows)))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", stored) + chunk(b"IEND", b""))


def jpeg(blocks_wide, blocks_high, grey):
    """Baseline JPEG (ITU-T T.81) of flat 8x8 blocks, one grey value each: only DC coefficients, so that the
    coder fits on a page."""
    def segment(marker, data):
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data

    # DC: category n has the code n in four bits (12 codes). AC: only "end of block", the code 0 in one bit.
    dc_table = b"\x00" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12))
    ac_table = b"\x10" + bytes([1] + [0] * 15) + b"\x00"
    bits = []
    before = 0
    for value in grey:
        now = value - 128  # a flat block's DC coefficient is 8 (v - 128); the quantizer below divides by 8
        step, before = now - before, now
        category = abs(step).bit_length()
        bits.append(format(category, "04b"))
        if category:
            bits.append(format(step if step > 0 else step + (1 << category) - 1, "0%db" % category))
        bits.append("0")
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    scan = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    frame = struct.pack(">BHHB", 8, blocks_high * 8, blocks_wide * 8, 1) + b"\x01\x11\x00"
    return (b"\xff\xd8" + segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
            + segment(0xDB, b"\x00" + b"\x08" * 64) + segment(0xC0, frame) + segment(0xC4, dc_table)
            + segment(0xC4, ac_table) + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + scan + b"\xff\xd9")


def till_slip(width, height, seed):
    """Grey values that look like a photographed slip of paper: light, with dark lines of uneven length."""
    grey = bytearray()
    for y in range(height):
        line, in_line = divmod(y, 4)
        length = (seed * 7 + line * line * 13 + line * 5) % (width * 3 // 4) + width // 8
        for x in range(width):
            inked = in_line == 1 and width // 10 < x < length and (x * 5 + line * 3 + seed) % 7 > 1
            grey.append(60 + (x + line) % 30 if inked else 222 + (x * 3 + y * 5 + seed) % 20)
    return bytes(grey)


# --- what is in the folder --------------------------------------------------------------------------------

EUR = "EUR"
PERIOD = ("2026-07-01", "2026-09-30")


class Receipt:
    """What one receipt says. `counted`: it belongs into the sum of the quarter in euros."""

    def __init__(self, path, vendor, date, cents, category, layout, number="", currency=EUR, counted=True,
                 mode=0o644, mtime=None, items=()):
        self.path, self.vendor, self.date, self.cents = path, vendor, date, cents
        self.category, self.layout, self.number, self.currency = category, layout, number, currency
        self.counted, self.mode, self.mtime, self.items = counted, mode, mtime, items

    def truth(self):
        return {"path": self.path, "vendor": self.vendor, "date": self.date, "cents": self.cents,
                "currency": self.currency, "category": self.category, "counted": self.counted}


def plain(cents):
    return "%d.%02d" % divmod(cents, 100)


def german(cents):
    whole, rest = divmod(cents, 100)
    return "{:,}".format(whole).replace(",", ".") + ",%02d" % rest


def parts_of(receipt):
    """Two or three positions that add up to the sum, unless the receipt names its own."""
    if receipt.items:
        return receipt.items
    first = receipt.cents * 7 // 10
    return (("Position 1", first), ("Position 2", receipt.cents - first))


def english_invoice(r):
    year, month, day = r.date.split("-")
    months = ("January February March April May June July August September October November December").split()
    net = r.cents * 100 // 119
    return [r.vendor, "Musterweg 4, 88131 Musterstadt", "", "INVOICE", "", "Invoice No.: " + r.number,
            "Invoice date: %d %s %s" % (int(day), months[int(month) - 1], year), "Payment due: within 14 days", "",
            *["%-34s %10s" % (text, plain(cents)) for text, cents in parts_of(r)], "",
            "%-34s %10s" % ("Subtotal excl. VAT", plain(net)), "%-34s %10s" % ("VAT 19%", plain(r.cents - net)),
            "%-30s %s %10s" % ("Total", r.currency, plain(r.cents)), "", "Thank you for your stay with us."]


def german_invoice(r):
    year, month, day = r.date.split("-")
    net = r.cents * 100 // 119
    return [r.vendor, "Am Markt 12 · 12345 Musterstadt", "", "Rechnung", "", "Rechnungsnummer: " + r.number,
            "Rechnungsdatum: %s.%s.%s" % (day, month, year), "",
            *["%-32s %12s EUR" % (text, german(cents)) for text, cents in parts_of(r)], "",
            "%-32s %12s EUR" % ("Zwischensumme netto", german(net)),
            "%-32s %12s EUR" % ("MwSt. 19 %", german(r.cents - net)),
            "%-32s %12s EUR" % ("Gesamtbetrag", german(r.cents)), "", "Vielen Dank für Ihren Einkauf!"]


def till(r):
    year, month, day = r.date.split("-")
    return ["*** " + r.vendor.upper() + " ***", "", "%s.%s.%s   18:22   Beleg %s" % (day, month, year, r.number or "7"),
            *["%-20s %8s" % (text, german(cents)) for text, cents in parts_of(r)], "-" * 30,
            "%-16s EUR %8s" % ("SUMME", german(r.cents)), "%-20s %8s" % ("Karte", german(r.cents)), "",
            "Es bediente Sie: Kasse 2"]


def taxi(r):
    sign = {"EUR": "€", "CHF": "CHF", "USD": "$"}[r.currency]
    return ["RECEIPT", r.vendor, "Date: " + r.date, "Ride   centre - main station",
            "Total: %s %s" % (sign, plain(r.cents)), "Paid by card"]


LAYOUTS = {"invoice": english_invoice, "rechnung": german_invoice, "till": till, "taxi": taxi}

RECEIPTS = [
    Receipt("Untitled.txt", "City Taxi Cooperative", "2026-07-07", 2340, "Travel", "taxi", mtime="1980-01-01"),
    Receipt("receipt final FINAL.txt", "Gasthaus zur Linde", "2026-07-09", 6480, "Meals", "till", "0381",
            items=(("Tagesteller 2x", 3180), ("Apfelschorle 4x", 1800), ("Kaffee 4x", 1500))),
    Receipt("Café Übersee Rechnung.txt", "Café Übersee", "2026-08-18", 4175, "Meals", "rechnung", "CÜ-2026-118",
            items=(("Seminargetränke", 2925), ("Gebäck", 1250))),
    Receipt("2026-08-03-buchhandlung-am-markt-38.90.txt", "Buchhandlung am Markt", "2026-08-03", 3890, "Training",
            "till", "1172"),
    Receipt("download.pdf", "Nordwind Software", "2026-07-15", 11900, "Software", "invoice", "NW-88121",
            items=(("Drawing licence, one year", 11900),)),
    Receipt("Rechnung_4482.pdf", "Papier & Büro Handels GmbH", "2026-07-21", 123450, "Office", "rechnung", "4482",
            items=(("Höhenverstellbarer Tisch", 98900), ("Schreibtischlampe", 24550))),
    Receipt("invoice.pdf", "Conference Centre East", "2026-09-16", 45000, "Training", "invoice", "CCE-2026-0916",
            items=(("Workshop, two days", 39000), ("Course book", 6000))),
    Receipt("July/Hotel Seeblick bill.txt", "Hotel Seeblick", "2026-07-09", 21200, "Lodging", "invoice", "2026-0713",
            items=(("2 nights, single room", 17800), ("Breakfast 2 x 14.50", 2900), ("City tax", 500))),
    Receipt("July/parking.TXT", "Parkhaus am Dom", "2026-07-08", 1450, "Travel", "till", "99", mode=0o600),
    Receipt("July/2026-07-30-tankstelle-west-58.21.txt", "Tankstelle West", "2026-07-30", 5821, "Travel", "till", "5521"),
    Receipt("July/belegXX.txt", "Bistro Gleis 3", "2026-07-08", 1290, "Meals", "till", "17"),
    Receipt("August/taxi1.txt", "City Taxi Cooperative", "2026-08-12", 1860, "Travel", "taxi"),
    Receipt("August/taxi2.txt", "City Taxi Cooperative", "2026-08-13", 1860, "Travel", "taxi"),
    Receipt("August/hotel.pdf", "Hotel Drei Kronen", "2026-08-14", 35640, "Lodging", "invoice", "DK-5567",
            items=(("3 nights, single room", 32340), ("Breakfast", 3300))),
    Receipt("August/Bewirtung Kunde.txt", "Restaurant Sonnenhof", "2026-08-13", 14820, "Meals", "till", "2207"),
    Receipt("August/receipt.txt", "Museum Café", "2026-08-14", 980, "Meals", "till", "310", mode=0o444),
    Receipt("Büro/Neues Textdokument.txt", "Papier & Büro Handels GmbH", "2026-09-02", 4599, "Office", "rechnung", "4590",
            items=(("Druckerpapier 5x", 2999), ("Stifte", 1600))),
    Receipt("Büro/Toner.pdf", "Druckwelt Versand", "2026-09-10", 8995, "Office", "rechnung", "DW-77120"),
    Receipt("Büro/hosting august.pdf", "Datenhafen Hosting", "2026-08-31", 2380, "Software", "invoice", "DH-0831"),
    Receipt("Büro/hosting september.pdf", "Datenhafen Hosting", "2026-09-30", 2380, "Software", "invoice", "DH-0930"),
    Receipt("September/Rg 18.9..txt", "Copyshop Südstadt", "2026-09-18", 2765, "Office", "rechnung", "CS-311"),
    Receipt("September/mittag.txt", "Gasthaus zur Linde", "2026-09-22", 3350, "Meals", "till", "0977"),
    Receipt("September/mittag nochmal.txt", "Gasthaus zur Linde", "2026-09-22", 3350, "Meals", "till", "0978"),
    # Another currency: there is no rate in the folder, so it cannot be in the sum.
    Receipt("Reise Zürich/Hotel Zürich.txt", "Hotel Limmatblick", "2026-09-04", 18000, "Lodging", "invoice", "HL-204",
            currency="CHF", counted=False),
    # Dates that cannot be right for this quarter: one from last year, one from a clock gone wrong.
    Receipt("old stuff/Bahnhof Kiosk.txt", "Kiosk am Bahnhof", "2025-07-11", 640, "Meals", "till", "4",
            counted=False),
    Receipt("September/Taxi Messe.txt", "Messe Taxi", "2062-09-17", 2910, "Travel", "taxi", counted=False),
    # The same invoice once more, as the hotel sent it by mail: it must be counted once.
    Receipt("July/scan_hotel.pdf", "Hotel Seeblick", "2026-07-09", 21200, "Lodging", "invoice", "2026-0713",
            counted=False, items=(("2 nights, single room", 17800), ("Breakfast 2 x 14.50", 2900), ("City tax", 500))),
]

# Bookings that come as one table: date, merchant, cents.
TABLES = {
    "July/rail bookings.csv": (",", [("2026-07-06", "Regional Rail", 3980), ("2026-07-10", "Regional Rail", 3980),
                                     ("2026-07-28", "Regional Rail", 1240)]),
    "August/kartenumsatz_fahrten.csv": (";", [("2026-08-11", "Fernzug AG", 8990), ("2026-08-15", "Fernzug AG", 7450),
                                              ("2026-08-20", "Straßenbahn Musterstadt", 320)]),
}

DUPLICATES = {  # a copy: what it is a copy of
    "Copy of receipt final FINAL.txt": "receipt final FINAL.txt",
    "old stuff/receipt final FINAL (2).txt": "receipt final FINAL.txt",
    "download (1).pdf": "download.pdf",
    "August/hotel - Kopie.pdf": "August/hotel.pdf",
    "old stuff/IMG_2231 (1).png": "IMG_2231.png",
}

BUDGET = [("Lodging", 60000), ("Meals", 30000), ("Office", 100000), ("Software", 20000), ("Training", 50000),
          ("Travel", 40000)]

REPORT = """\
# Travel and office expenses, third quarter 2026

Period: 2026-07-01 to 2026-09-30
Department: Field service North
Status: draft

Everything below comes from the receipts in this folder. The budget is in budget.csv.

## Summary

TODO: total, and how it compares with the budget

## By month

TODO

## By category

TODO (one table, budget beside it)

## Questions for accounting

- Is the coffee for the workshop on 18 August catering or a meal?
- TODO: whatever else does not add up
"""

NOTES = """\
to do before the quarter closes
- print missing receipts
- ask accounting about the Zurich trip, which rate do they use?
- table was 3 cm too long, exchanged, no extra cost
"""

MILEAGE = "date;from;to;km\n2026-07-14;Musterstadt;Neudorf;42\n2026-08-25;Musterstadt;Altdorf;31\n"


def as_text(receipt):
    return "\n".join(LAYOUTS[receipt.layout](receipt)) + "\n"


def table_text(separator, rows):
    if separator == ",":
        head, amount = "date,merchant,amount,currency", plain
    else:
        head, amount = "Datum;Händler;Betrag;Währung", german
    turned = [(date if separator == "," else ".".join(reversed(date.split("-"))), merchant, amount(cents), EUR)
              for date, merchant, cents in rows]
    return "\n".join([head] + [separator.join(row) for row in turned]) + "\n"


def files():
    """path: (content, mode, the day it was last changed)"""
    made = {}
    for receipt in RECEIPTS:
        if receipt.path.lower().endswith(".pdf"):
            content = pdf(LAYOUTS[receipt.layout](receipt))
        else:
            content = as_text(receipt).encode("utf-8")
        day = receipt.mtime or (receipt.date if receipt.counted else "2026-09-21")
        made[receipt.path] = (content, receipt.mode, day)
    for path, (separator, rows) in TABLES.items():
        made[path] = (table_text(separator, rows).encode("utf-8"), 0o644, rows[-1][0])
    budget = "category,budget\n" + "".join("%s,%s\n" % (name, plain(cents)) for name, cents in BUDGET)
    made["budget.csv"] = (budget.encode(), 0o644, "2026-06-29")
    made["report.md"] = (REPORT.encode(), 0o644, "2026-09-24")
    made["notes.txt"] = (NOTES.encode(), 0o644, "2026-09-23")
    made["km.csv"] = (MILEAGE.encode(), 0o644, "2026-08-25")
    made["old stuff/empty.txt"] = (b"", 0o644, "2026-07-02")
    made["IMG_2231.png"] = (png(96, 160, till_slip(96, 160, 1)), 0o644, "2026-07-19")
    made["scan 3 (1).png"] = (png(120, 160, till_slip(120, 160, 5)), 0o644, "2026-08-29")
    made["photo 17.08. 19-02.jpg"] = (jpeg(48, 64, till_slip(48, 64, 3)), 0o644, "2026-08-17")
    made["August/IMG_2290.JPG"] = (jpeg(64, 48, till_slip(64, 48, 8)), 0o644, "2026-08-13")
    made["Büro/scan0001.pdf"] = (pdf_of_image(48, 64, till_slip(48, 64, 2)), 0o644, "2026-09-11")
    made["September/half a download.pdf"] = (made["invoice.pdf"][0][:300], 0o644, "2026-09-16")
    for copy, original in DUPLICATES.items():
        made[copy] = (made[original][0], 0o644, "2026-09-21")
    return made


def truth():
    """What a careful reader finds in the folder: what check.py and the tests compare with."""
    records = [receipt.truth() for receipt in RECEIPTS]
    for path, (_, rows) in TABLES.items():
        records += [{"path": path, "vendor": merchant, "date": date, "cents": cents, "currency": EUR,
                     "category": "Travel", "counted": True} for date, merchant, cents in rows]
    unread = ["notes.txt", "km.csv", "old stuff/empty.txt", "IMG_2231.png", "scan 3 (1).png",
              "photo 17.08. 19-02.jpg", "August/IMG_2290.JPG", "Büro/scan0001.pdf", "September/half a download.pdf"]
    return {"records": records, "duplicates": dict(DUPLICATES), "unread": unread, "period": list(PERIOD),
            "budget_cents": dict(BUDGET),
            "total_cents": sum(record["cents"] for record in records if record["counted"])}


def moment(day, order):
    """In UTC, nine in the morning and a bit, so that no two files look alike; with a part of a second."""
    date = datetime.datetime.fromisoformat(day).replace(hour=9, tzinfo=datetime.timezone.utc)
    return (int(date.timestamp()) + 61 * order) * 10**9 + 123456789


def make(folder):
    made = files()
    for order, path in enumerate(sorted(made)):
        content, mode, day = made[path]
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "xb") as out:
            out.write(content)
        os.chmod(full, mode)
        stamp = moment(day, order)
        os.utime(full, ns=(stamp, stamp))
    for order, (where, _, _) in enumerate(sorted(os.walk(folder))):
        os.chmod(where, 0o755)
        os.utime(where, ns=(moment("2026-09-24", order), moment("2026-09-24", order)))
    return len(made)


def main(arguments):
    if arguments == ["--truth"]:
        print(json.dumps(truth(), ensure_ascii=False, indent=1))
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: make-sample.py FOLDER | --truth", file=sys.stderr)
        return 2
    folder = arguments[0]
    if os.path.isdir(folder) and os.listdir(folder):
        print("make-sample.py: the folder is not empty: " + folder, file=sys.stderr)
        return 1
    os.makedirs(folder, exist_ok=True)
    print("%d files in %s" % (make(folder), folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
