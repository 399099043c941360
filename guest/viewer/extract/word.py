# SPDX-License-Identifier: Apache-2.0
# extract, continued: text documents of OOXML (ECMA-376, WordprocessingML).

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
