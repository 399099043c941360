# SPDX-License-Identifier: Apache-2.0
# extract, continued: workbooks of OOXML (ECMA-376, SpreadsheetML).

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
    for name in package.matching(r"xl/(comments/)?comments?\d*\.xml"):
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
