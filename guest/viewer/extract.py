#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the text out of an office document or a PDF: extract.py KIND MAX_BYTES SECONDS <document >text

Runs in a disposable viewer machine without network, disk or shares, as an account that owns nothing (viewer_spawner.h):
what a hostile document makes of it harms nobody. It is bounded all the same: in time (SECONDS), in memory (limits of
its process), in what it unpacks, and in what it writes (a little more than MAX_BYTES, by which the host sees that
there was more). The text is UTF-8, lines that a person can read and a line diff compare: a line for a paragraph, for a
row of a table or sheet (cells divided by tabs); what is no running text stands in brackets.

How it ends is all that it says besides the text: one of the numbers below, which the host has words for
(app/viewer/extraction.cpp). What it has no number for counts as a crash.
"""
import io
import os
import posixpath
import re
import signal
import sys
import zipfile
import zlib
from xml.parsers import expat

DONE, ENCRYPTED, DAMAGED, OTHER_KIND, TOO_SLOW, TOO_LARGE, NO_MEMORY = 0, 10, 11, 12, 13, 14, 15

MAX_UNPACKED = 256 * 1024 * 1024  # of all parts of one document that are read
MAX_STRINGS = 2_000_000           # of a workbook
MAX_GAP = 50                      # empty cells that are written out as tabs
PIECE = 64 * 1024

NAMESPACES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main": "s",
    "http://purl.oclc.org/ooxml/spreadsheetml/main": "s",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": "r",
    "http://purl.oclc.org/ooxml/officeDocument/relationships": "r",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.openxmlformats.org/package/2006/relationships": "rel",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://www.w3.org/1999/xlink": "xlink",
    "http://www.w3.org/XML/1998/namespace": "xml",
}
OPEN_DOCUMENT = "urn:oasis:names:tc:opendocument:xmlns:"


class Refused(Exception):
    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Out:
    """Lines to standard output. Ends the program when there is enough of them."""

    CONTROLS = {c: " " for c in range(0x20) if c not in (0x09, 0x0A)} | {0x7F: " "}

    def __init__(self, limit):
        self.left = limit + 4096
        self.blank = True  # the last line was: two in a row say no more than one

    def line(self, text):
        text = text.translate(self.CONTROLS).rstrip()
        if not text and self.blank:
            return
        self.blank = not text
        data = text.encode("utf-8", "replace") + b"\n"
        sys.stdout.buffer.write(data[: self.left])
        self.left -= len(data)
        if self.left <= 0:
            raise Refused(DONE)


def plain_name(name):
    """'w:p' for a name of a namespace that is known, '' for any other."""
    space, _, local = name.rpartition("|")
    if space.startswith(OPEN_DOCUMENT):
        return space[len(OPEN_DOCUMENT):].split(":")[0] + ":" + local
    prefix = NAMESPACES.get(space, "" if space else None)
    return local if prefix is None else prefix + ":" + local if prefix else ""


class Handler:
    """Base of what reads one XML part: start(name, attributes), end(name), text(data)."""

    def __init__(self):
        self.path = []

    def start(self, name, at): ...
    def end(self, name): ...
    def text(self, data): ...

    def parent(self):
        return self.path[-1] if self.path else ""

    def read(self, stream):
        names = {}

        def short(name):
            if name not in names:
                if len(names) > 10_000:
                    raise Refused(DAMAGED)
                names[name] = plain_name(name)
            return names[name]

        def on_start(name, attributes):
            self.start(short(name), {short(key): value for key, value in attributes.items()})
            self.path.append(short(name))

        def on_end(name):
            self.path.pop()
            self.end(short(name))

        def no_entities(*_):
            raise Refused(DAMAGED)  # no office program writes them

        parser = expat.ParserCreate(namespace_separator="|")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = on_start, on_end
        parser.CharacterDataHandler = self.text
        parser.EntityDeclHandler = no_entities
        while piece := stream.read(PIECE):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
        return self


class Package:
    """The parts of a zipped document, with a bound on what is unpacked of all of them together."""

    def __init__(self, data):
        if data[:4] == b"\xd0\xcf\x11\xe0":  # where OOXML is encrypted it lies in a file of the older kind
            raise Refused(ENCRYPTED if "EncryptedPackage".encode("utf-16-le") in data else OTHER_KIND)
        if data[:2] != b"PK":
            raise Refused(OTHER_KIND)
        self.zip = zipfile.ZipFile(io.BytesIO(data))
        self.names = self.zip.namelist()
        self.left = MAX_UNPACKED
        if len(set(self.names)) != len(self.names):
            raise Refused(DAMAGED)  # two parts of one name: which of them would be shown is anybody's guess
        if any(part.flag_bits & 1 for part in self.zip.infolist()):
            raise Refused(ENCRYPTED)

    def has(self, name):
        return name in self.names

    def read_into(self, name, handler):
        with self.zip.open(name) as part:
            package = self

            class Counted:
                def read(self, size):
                    piece = part.read(size)
                    package.left -= len(piece)
                    if package.left < 0:
                        raise Refused(TOO_LARGE)
                    return piece

            return handler.read(Counted())

    def matching(self, pattern):
        def key(name):
            return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
        return sorted((name for name in self.names if re.fullmatch(pattern, name)), key=key)


class Relations(Handler):
    """Of an OOXML part: id → (target, external)."""

    def __init__(self):
        super().__init__()
        self.targets = {}

    def start(self, name, at):
        if name == "rel:Relationship":
            self.targets[at.get("Id", "")] = (at.get("Target", ""), at.get("TargetMode") == "External")

    @classmethod
    def of(cls, package, part):
        folder, base = posixpath.split(part)
        name = posixpath.join(folder, "_rels", base + ".rels")
        return package.read_into(name, cls()).targets if package.has(name) else {}


def joined(cells):
    while cells and not cells[-1]:
        cells.pop()
    return "\t".join(cells)


class Word(Handler):
    """word/document.xml and its like."""

    MARKS = {"w:ins": "[inserted: ", "w:del": "[deleted: ", "w:moveFrom": "[moved away: ", "w:moveTo": "[moved here: "}
    PROPERTIES = {"w:rPr", "w:pPr", "w:trPr", "w:tcPr", "w:numPr", "w:tblPr", "w:sectPr"}
    SMALL = {"w:br": "\n", "w:cr": "\n", "w:tab": "\t", "w:noBreakHyphen": "-", "w:sym": "[symbol]", "w:drawing": "[picture]",
             "w:pict": "[picture]", "w:object": "[object]"}
    HARMLESS = {"PAGE", "NUMPAGES", "PAGEREF", "REF", "NOTEREF", "TOC", "SEQ", "STYLEREF", "DATE", "TIME", "TITLE", "AUTHOR",
                "FILENAME", "SECTION", "SECTIONPAGES", "LISTNUM", "XE", "TC"}
    NOTES = {"w:footnote": "note", "w:endnote": "end note", "w:comment": "comment"}
    REFERENCES = {"w:footnoteReference": "note", "w:endnoteReference": "end note", "w:commentReference": "comment"}

    def __init__(self, out, relations):
        super().__init__()
        self.out = out
        self.relations = relations
        self.skipped = 0
        self.paragraphs = []  # of texts, one within the other where there are text boxes
        self.tables = []      # each a list of cells; a cell is a list of paragraphs
        self.links = []
        self.field = []
        self.prefix = ""

    def put(self, text):
        if self.paragraphs:
            self.paragraphs[-1].append(text)

    def start(self, name, at):
        if self.skipped or name == "mc:Fallback":  # says again what stands beside it
            self.skipped += 1
        elif name == "w:p":
            self.paragraphs.append([])
        elif name == "w:tbl":
            self.tables.append([])
        elif name == "w:tr" and self.tables:
            self.tables[-1] = []
        elif name == "w:tc" and self.tables:
            self.tables[-1].append([])
        elif name in self.MARKS and self.parent() not in self.PROPERTIES:
            self.put(self.MARKS[name])
        elif name in self.SMALL and self.parent() == "w:r":
            self.put(self.SMALL[name])
        elif name in self.REFERENCES:
            self.put(f"[{self.REFERENCES[name]} {at.get('w:id', '')}]")
        elif name == "w:hyperlink":
            self.links.append(self.relations.get(at.get("r:id", ""), ("", False))[0])
        elif name == "w:fldSimple":
            self.tell_field(at.get("w:instr", ""))
        elif name == "w:fldChar":
            self.tell_field("".join(self.field))
            self.field = []
        elif name in self.NOTES:
            by = f", by {at['w:author']}" if "w:author" in at else ""
            self.prefix = f"[{self.NOTES[name]} {at.get('w:id', '')}{by}] "

    def tell_field(self, instruction):
        words = instruction.split()
        if words and words[0].upper() not in self.HARMLESS:
            self.put("{" + " ".join(words) + "} ")

    def text(self, data):
        if self.skipped:
            return
        if self.parent() in ("w:t", "w:delText", "m:t"):
            self.put(data)
        elif self.parent() == "w:instrText":
            self.field.append(data)

    def end(self, name):
        if self.skipped:
            self.skipped -= 1
        elif name == "w:p" and self.paragraphs:
            self.paragraph("".join(self.paragraphs.pop()))
        elif name == "w:tr" and self.tables:
            cells = [" / ".join(filter(None, cell)) for cell in self.tables[-1]]
            if len(self.tables) > 1 and self.tables[-2]:
                self.tables[-2][-1].append(" | ".join(cells))
            else:
                self.out.line(self.prefix + joined(cells))
        elif name == "w:tbl" and self.tables:
            self.tables.pop()
        elif name in self.MARKS and self.parent() not in self.PROPERTIES:
            self.put("]")
        elif name == "w:hyperlink" and self.links:
            if target := self.links.pop():
                self.put(f" <{target}>")

    def paragraph(self, text):
        if self.tables and self.tables[-1]:
            self.tables[-1][-1].append(text.replace("\n", " / ").replace("\t", " "))
            return
        for line in text.split("\n"):
            self.out.line(self.prefix + line if line else "")


def docx(package, out):
    main = "word/document.xml"
    package.read_into(main, Word(out, Relations.of(package, main)))
    for title, pattern in (("header", r"word/header\d*\.xml"), ("footer", r"word/footer\d*\.xml"),
                           ("notes", r"word/footnotes\.xml"), ("end notes", r"word/endnotes\.xml"),
                           ("comments", r"word/comments\.xml")):
        for name in package.matching(pattern):
            body = Collected(out.left)
            package.read_into(name, Word(body, Relations.of(package, name)))
            body.tell(title, out)


class Collected:
    """Lines that get a title if there are any."""

    def __init__(self, limit):
        self.lines = []
        self.left = limit

    def line(self, text):
        self.left -= len(text)
        if text.strip() and self.left > 0:
            self.lines.append(text)

    def tell(self, title, out):
        if any(re.sub(r"^\[[^]]*\]\s*", "", line) for line in self.lines):
            out.line(f"--- {title} ---")
            for line in self.lines:
                out.line(line)


class Strings(Handler):
    def __init__(self):
        super().__init__()
        self.all = []
        self.parts = []

    def start(self, name, at):
        if name == "s:si":
            self.parts = []

    def text(self, data):
        if self.parent() == "s:t" and "s:rPh" not in self.path:
            self.parts.append(data)

    def end(self, name):
        if name == "s:si":
            self.all.append("".join(self.parts))
            if len(self.all) > MAX_STRINGS:
                raise Refused(TOO_LARGE)


class Styles(Handler):
    """Which cell styles show a number as a date or a time."""

    def __init__(self):
        super().__init__()
        self.dates = set(range(14, 23)) | set(range(45, 48)) | set(range(27, 37)) | set(range(50, 59))
        self.of_style = []

    def start(self, name, at):
        if name == "s:numFmt":
            code = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", at.get("formatCode", "")).lower()
            if re.search(r"[ymdhs]", code) and "general" not in code:
                self.dates.add(int(at.get("numFmtId", "0")))
        elif name == "s:xf" and self.parent() == "s:cellXfs":
            self.of_style.append(int(at.get("numFmtId", "0")) in self.dates)


class Workbook(Handler):
    def __init__(self):
        super().__init__()
        self.sheets = []
        self.from_1904 = False
        self.names = []
        self.name = None

    def start(self, name, at):
        if name == "s:sheet":
            self.sheets.append((at.get("name", ""), at.get("r:id", ""), at.get("state", "visible")))
        elif name == "s:workbookPr":
            self.from_1904 = at.get("date1904", "0") in ("1", "true")
        elif name == "s:definedName":
            self.name = [at.get("name", ""), ""]

    def text(self, data):
        if self.name and self.parent() == "s:definedName":
            self.name[1] += data

    def end(self, name):
        if name == "s:definedName" and self.name:
            if not self.name[0].startswith("_xlnm."):
                self.names.append(f"{self.name[0]} = {self.name[1]}")
            self.name = None


def column_of(reference):
    number = 0
    for letter in reference:
        if not letter.isalpha() or not letter.isascii():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number


def date_text(days, from_1904):
    import datetime
    start = datetime.datetime(1904, 1, 1) if from_1904 else datetime.datetime(1899, 12, 30)
    moment = start + datetime.timedelta(seconds=round(days * 86400))
    if days < 1 and not from_1904:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d" if moment.hour == moment.minute == moment.second == 0 else "%Y-%m-%d %H:%M:%S")


class Sheet(Handler):
    def __init__(self, out, strings, styles, from_1904):
        super().__init__()
        self.out, self.strings, self.styles, self.from_1904 = out, strings, styles, from_1904
        self.cells, self.column = [], 0
        self.at, self.value, self.formula = {}, [], []

    def start(self, name, at):
        if name == "s:row":
            self.cells, self.column = [], 0
        elif name == "s:c":
            self.at, self.value, self.formula = at, [], None
        elif name == "s:f":
            self.formula = []
            if at.get("t") == "shared" and "ref" not in at:
                self.formula = ["(as in the cells beside it)"]

    def text(self, data):
        if self.parent() == "s:v" or (self.parent() == "s:t" and "s:rPh" not in self.path):
            self.value.append(data)
        elif self.parent() == "s:f" and self.formula is not None:
            self.formula.append(data)

    def end(self, name):
        if name == "s:c":
            text = self.cell_text().replace("\t", " ").replace("\n", " / ")
            column = column_of(self.at.get("r", "")) or self.column + 1
            gap = column - self.column - 1
            if gap > MAX_GAP:
                text = f"({self.at['r']}) {text}"
            self.cells += [""] * max(0, min(gap, MAX_GAP)) + [text]
            self.column = column
        elif name == "s:row" and any(self.cells):
            self.out.line(joined(self.cells))

    def cell_text(self):
        text, kind = "".join(self.value), self.at.get("t", "n")
        if kind == "s" and text:
            text = self.strings[int(text)]
        elif kind == "b":
            text = "TRUE" if text == "1" else "FALSE"
        elif kind == "n" and text and self.is_date():
            try:
                text = date_text(float(text), self.from_1904)
            except (OverflowError, ValueError):
                pass
        return text if self.formula is None else f"{text} [={''.join(self.formula)}]".strip()

    def is_date(self):
        style = int(self.at.get("s", "0"))
        return style < len(self.styles) and self.styles[style]


class Comments(Handler):
    """xl/comments1.xml"""

    def __init__(self, out):
        super().__init__()
        self.out, self.authors, self.parts, self.where = out, [], [], ""

    def start(self, name, at):
        if name == "s:author":
            self.authors.append("")
        elif name == "s:comment":
            by = int(at.get("authorId", "0"))
            self.where = f"[at {at.get('ref', '')}, by {self.authors[by] if by < len(self.authors) else ''}] "
            self.parts = []

    def text(self, data):
        if self.parent() == "s:author":
            self.authors[-1] += data
        elif self.parent() == "s:t":
            self.parts.append(data)

    def end(self, name):
        if name == "s:comment":
            self.out.line(self.where + "".join(self.parts).replace("\n", " / "))


def xlsx(package, out):
    main = "xl/workbook.xml"
    book = package.read_into(main, Workbook())
    relations = Relations.of(package, main)
    strings = package.read_into("xl/sharedStrings.xml", Strings()).all if package.has("xl/sharedStrings.xml") else []
    styles = package.read_into("xl/styles.xml", Styles()).of_style if package.has("xl/styles.xml") else []
    for title, relation, state in book.sheets:
        target = relations.get(relation, ("", False))[0]
        name = target.lstrip("/") if target.startswith("/") else posixpath.normpath("xl/" + target)
        out.line(f"--- sheet {title}{'' if state == 'visible' else ' (hidden)'} ---")
        if package.has(name) and "/worksheets/" in name:
            package.read_into(name, Sheet(out, strings, styles, book.from_1904))
        else:
            out.line("[no cells: a chart, or something else]")
    for name in package.matching(r"xl/comments\d*\.xml"):
        body = Collected(out.left)
        package.read_into(name, Comments(body))
        body.tell("comments", out)
    names = Collected(out.left)
    for line in book.names:
        names.line(line)
    for name in package.matching(r"xl/externalLinks/_rels/.*\.rels"):
        for target, external in package.read_into(name, Relations()).targets.values():
            if external:
                names.line(f"linked file: {target}")
    names.tell("names and links", out)


class OpenDocument(Handler):
    """content.xml and styles.xml of text documents and of spreadsheets."""

    CAPTURES = {"office:annotation", "text:note-body", "text:deletion"}
    SILENT = {"text:note-citation", "dc:date", "office:forms", "text:sequence-decls", "office:automatic-styles",
              "table:label-ranges"}

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.silent = 0
        self.paragraphs = []
        self.captures = []  # lines of notes, comments, deleted text: they go into the paragraph around them
        self.rows = []      # of tables: cells, each (paragraphs, attributes)
        self.links, self.author = [], ""
        self.region, self.regions, self.deleted = "", {}, {}

    def put(self, text):
        if self.paragraphs:
            self.paragraphs[-1].append(text)

    def start(self, name, at):
        if self.silent or name in self.SILENT:
            self.silent += 1
        elif name in ("text:p", "text:h"):
            self.paragraphs.append([])
        elif name in self.CAPTURES:
            self.captures.append([])
            self.author = ""
        elif name == "text:s":
            self.put(" " * min(int(at.get("text:c", "1")), 1000))
        elif name == "text:tab":
            self.put("\t")
        elif name == "text:line-break":
            self.put("\n")
        elif name == "text:a":
            self.links.append(at.get("xlink:href", ""))
        elif name in ("draw:image", "draw:object", "draw:object-ole"):
            self.put("[picture]" if name == "draw:image" else "[object]")
        elif name == "text:changed-region":
            self.region = at.get("xml:id", at.get("text:id", ""))
        elif name in ("text:insertion", "text:format-change") and "text:changed-region" in self.path:
            self.regions[self.region] = name
        elif name == "text:change":
            self.put(f"[deleted: {self.deleted.get(at.get('text:change-id'), '')}]")
        elif name == "text:change-start" and self.regions.get(at.get("text:change-id")) == "text:insertion":
            self.put("[inserted: ")
        elif name == "text:change-end" and self.regions.get(at.get("text:change-id")) == "text:insertion":
            self.put("]")
        elif name == "script:event-listener" and at.get("xlink:href"):
            self.out.line(f"[runs at an event: {at['xlink:href']}]")
        else:
            self.start_table(name, at)

    def start_table(self, name, at):
        if name == "table:table" and self.parent() == "office:spreadsheet":
            self.out.line(f"--- sheet {at.get('table:name', '')} ---")
        elif name == "table:table-row":
            self.rows.append(([], at))
        elif name in ("table:table-cell", "table:covered-table-cell") and self.rows:
            self.rows[-1][0].append(([], at))
        elif name in ("style:header", "style:footer", "style:header-left", "style:footer-left"):
            self.out.line(f"--- {name[6:].replace('-', ', ')} ---")

    def text(self, data):
        if self.silent:
            return
        if self.parent() == "dc:creator":
            self.author += data
        elif self.paragraphs and not self.parent().startswith(("table:", "office:")):
            self.put(data.replace("\n", " "))

    def end(self, name):
        if self.silent:
            self.silent -= 1
        elif name in ("text:p", "text:h") and self.paragraphs:
            self.paragraph("".join(self.paragraphs.pop()))
        elif name in self.CAPTURES and self.captures:
            self.captured(name, " / ".join(filter(None, self.captures.pop())))
        elif name == "text:a" and self.links:
            if target := self.links.pop():
                self.put(f" <{target}>")
        elif name == "table:table-row" and self.rows:
            self.row(*self.rows.pop())

    def captured(self, name, text):
        if name == "text:deletion":
            self.deleted[self.region] = text
            return
        what = f"comment by {self.author}" if name == "office:annotation" else "note"
        if self.paragraphs:
            self.put(f"[{what}: {text}]")
        else:
            self.paragraph(f"[{what}: {text}]")

    def paragraph(self, text):
        if self.captures:
            self.captures[-1].append(text.replace("\n", " / "))
        elif self.rows and self.rows[-1][0]:
            self.rows[-1][0][-1][0].append(text.replace("\n", " / ").replace("\t", " "))
        else:
            for line in text.split("\n"):
                self.out.line(line)

    def row(self, cells, at):
        texts = []
        for paragraphs, cell in cells:
            text = " / ".join(filter(None, paragraphs)) or cell.get("office:value", "")
            if formula := cell.get("table:formula", ""):
                text = f"{text} [{re.sub(r'^[a-z]+:', '', formula)}]".strip()
            times = int(cell.get("table:number-columns-repeated", "1"))
            texts += [text] * max(1, min(times, MAX_GAP))
            if text and times > MAX_GAP:
                texts[-1] += f" (in {times} cells)"
        if not any(texts):
            return
        if self.rows and self.rows[-1][0]:  # a table within a cell
            self.rows[-1][0][-1][0].append(" | ".join(texts))
            return
        self.out.line(joined(texts))
        times = int(at.get("table:number-rows-repeated", "1"))
        if times > 1:
            self.out.line(f"[that row stands there {times} times]")


class Manifest(Handler):
    def start(self, name, at):
        if name == "manifest:encryption-data":
            raise Refused(ENCRYPTED)


def open_document(package, out):
    if package.has("META-INF/manifest.xml"):
        package.read_into("META-INF/manifest.xml", Manifest())
    package.read_into("content.xml", OpenDocument(out))
    if package.has("styles.xml"):
        body = Collected(out.left)
        package.read_into("styles.xml", OpenDocument(body))
        titles = [i for i, line in enumerate(body.lines) if line.startswith("--- ")]
        for first, last in zip(titles, titles[1:] + [len(body.lines)]):
            for line in body.lines[first:last] if last > first + 1 else []:
                out.line(line)


MACROS = re.compile(r"(word|xl)/vbaProject\.bin|Basic/.+/.+\.xml|Scripts/.+/.+", re.IGNORECASE)


def office(data, out, read):
    package = Package(data)
    try:
        read(package, out)
    except KeyError:
        raise Refused(DAMAGED if package.has("[Content_Types].xml") or package.has("mimetype") else OTHER_KIND) from None
    if any(MACROS.fullmatch(name) and not name.endswith(("script-lb.xml", "script-lc.xml")) for name in package.names):
        out.line("[It holds macros, which are not shown.]")


def pdf(data, out):
    import subprocess
    if b"%PDF-" not in data[:1024]:
        raise Refused(OTHER_KIND)
    folder = os.environ.get("TMPDIR", "/tmp")
    path, errors = os.path.join(folder, f"{os.getpid()}.pdf"), os.path.join(folder, f"{os.getpid()}.err")
    with open(path, "wb") as file:
        file.write(data)
    any_text = False
    with open(errors, "wb") as said, \
            subprocess.Popen(["/usr/bin/pdftotext", "-layout", "-enc", "UTF-8", path, "-"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=said) as reader:
        reader.stdin.close()
        try:
            for line in reader.stdout:
                first, *pages = line.decode("utf-8", "replace").rstrip("\n").split("\f")
                out.line(first)
                any_text = any_text or bool(first.strip())
                for page in pages:
                    any_text = any_text or bool(page.strip())
                    if page:  # the last one ends with nothing after it
                        out.line("--- page ---")
                        out.line(page)
        finally:
            reader.kill() if reader.poll() is None and out.left <= 0 else None
    if reader.returncode != 0:
        with open(errors, "rb") as said:
            text = said.read(PIECE)
        raise Refused(ENCRYPTED if b"Incorrect password" in text or b"ncrypt" in text else DAMAGED)
    if not any_text:
        out.line("[No text: it may be a scan, or a drawing.]")


KINDS = {"docx": docx, "xlsx": xlsx, "odt": open_document, "ods": open_document}


def main():
    kind, limit, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGALRM, lambda *_: os._exit(TOO_SLOW))
    signal.alarm(seconds)
    out = Out(limit)
    status = DONE
    try:
        data = sys.stdin.buffer.read()
        pdf(data, out) if kind == "pdf" else office(data, out, KINDS[kind])
    except Refused as refused:
        status = refused.status
    except MemoryError:
        status = NO_MEMORY
    except (zipfile.BadZipFile, zlib.error, EOFError, expat.ExpatError, NotImplementedError, LookupError, ValueError,
            RuntimeError, RecursionError, OSError):
        status = DAMAGED
    if status == DONE:
        sys.stdout.buffer.flush()
    os._exit(status)


main()
