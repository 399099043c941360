# SPDX-License-Identifier: Apache-2.0
# extract, continued: texts and spreadsheets of OpenDocument (ISO/IEC 26300).

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
