#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The text of documents, as guest/viewer/extract takes it, on real documents that are made here."""
import datetime
import io
import os
import subprocess
import sys
import tempfile
import unittest
import warnings
import zipfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import documents  # noqa: E402

try:
    import openpyxl
    from openpyxl.comments import Comment
except ImportError:
    openpyxl = None

ENCRYPTED, DAMAGED, OTHER_KIND, TOO_SLOW, TOO_LARGE, NO_MEMORY = 10, 11, 12, 13, 14, 15


def script():
    """Joined as app/viewer/CMakeLists.txt joins it."""
    with open(os.path.join(ROOT, "app", "viewer", "CMakeLists.txt"), encoding="utf-8") as file:
        names = [line for line in file if line.startswith("set(extract_pieces ")][0].rstrip(")\n").split()[1:]
    text = ""
    for name in names:
        with open(os.path.join(ROOT, "guest", "viewer", "extract", name + ".py"), encoding="utf-8") as file:
            text += file.read()
    return text


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_on(self, kind, data, limit=1 << 20, seconds=60):
        return subprocess.run(["/usr/bin/python3", "-I", "-S", "-B", "-c", script(), kind, str(limit), str(seconds)], input=data,
                              capture_output=True, env={"TMPDIR": self.folder.name, "LANG": "C.UTF-8"}, check=False)

    def lines(self, name):
        with open(self.path(name), "rb") as file:
            ran = self.run_on(name.rpartition(".")[2], file.read())
        self.assertEqual(ran.returncode, 0, ran.stderr.decode())
        return ran.stdout.decode("utf-8").split("\n")[:-1]

    def status(self, name):
        with open(self.path(name), "rb") as file:
            return self.run_on(name.rpartition(".")[2], file.read()).returncode


def run(text, properties=""):
    return f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>'


class Word(Case):
    def body(self, xml, parts=None):
        documents.docx(self.path("a.docx"), xml, parts)
        return self.lines("a.docx")

    def test_paragraphs_tabs_breaks(self):
        self.assertEqual(self.body(f"<w:p>{run('Grüße')}<w:r><w:tab/><w:t>x</w:t><w:br/><w:t>y</w:t></w:r></w:p><w:p/><w:p/>"
                                   f"<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr>{run('z &lt; 1')}</w:p>"),
                         ["Grüße\tx", "y", "", "z < 1"])

    def test_tracked_changes(self):
        self.assertEqual(self.body("<w:p><w:pPr><w:rPr><w:ins w:author='A'/></w:rPr></w:pPr>"
                                   f"{run('a ')}<w:ins w:author='A'>{run('new')}</w:ins>"
                                   "<w:del w:author='A'><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"),
                         ["a [inserted: new][deleted: old]"])

    def test_tables(self):
        cell = "<w:tc>{}</w:tc>".format
        paragraph = "<w:p>{}</w:p>".format
        inner = f"<w:tbl><w:tr>{cell(paragraph(run('i')))}{cell(paragraph(run('j')))}</w:tr></w:tbl>"
        self.assertEqual(self.body(f"<w:tbl><w:tr>{cell(paragraph(run('a')) + paragraph(run('b')))}{cell(inner + paragraph(''))}"
                                   f"</w:tr></w:tbl>{paragraph(run('after'))}"),
                         ["a / b\ti | j", "after"])

    def test_links_and_fields(self):
        rels = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">' \
               '<Relationship Id="r1" Target="https://example.org/x" TargetMode="External"/></Relationships>'
        field = "<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>{}</w:instrText></w:r>" \
                "<w:r><w:fldChar w:fldCharType='separate'/></w:r>" + run("1") + "<w:r><w:fldChar w:fldCharType='end'/></w:r>"
        self.assertEqual(self.body(f"<w:p><w:hyperlink r:id='r1'>{run('here')}</w:hyperlink></w:p>"
                                   f"<w:p>{field.format('PAGE')}</w:p><w:p>{field.format('DDEAUTO cmd run')}</w:p>",
                                   {"word/_rels/document.xml.rels": rels}),
                         ["here <https://example.org/x>", "1", "{DDEAUTO cmd run} 1"])

    def test_what_stands_beside_the_text(self):
        part = "<w:{0} {1}>{2}</w:{0}>".format
        self.assertEqual(
            self.body(f"<w:p>{run('body')}<w:r><w:footnoteReference w:id='2'/></w:r></w:p>", {
                "word/header1.xml": part("hdr", documents.W, f"<w:p>{run('top')}</w:p>"),
                "word/footer1.xml": part("ftr", documents.W, "<w:p/>"),
                "word/footnotes.xml": part("footnotes", documents.W, f"<w:footnote w:id='2'><w:p>{run('small')}</w:p></w:footnote>"),
                "word/comments.xml": part("comments", documents.W,
                                          f"<w:comment w:id='0' w:author='Ada'><w:p>{run('why')}</w:p></w:comment>"),
                "word/vbaProject.bin": "x"}),
            ["body[note 2]", "--- header ---", "top", "--- notes ---", "[note 2] small", "--- comments ---",
             "[comment 0, by Ada] why", "[It holds macros, which are not shown.]"])

    def test_text_boxes_once(self):
        box = f"<w:txbxContent><w:p>{run('boxed')}</w:p></w:txbxContent>"
        self.assertEqual(self.body("<w:p><w:r><mc:AlternateContent><mc:Choice><w:drawing>" + box + "</w:drawing></mc:Choice>"
                                   "<mc:Fallback><w:pict>" + box + f"</w:pict></mc:Fallback></mc:AlternateContent></w:r>{run('around')}</w:p>"),
                         ["boxed", "around"])


@unittest.skipIf(openpyxl is None, "openpyxl is not here")
class Workbook(Case):
    def test_cells_formulas_sheets(self):
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Sums"
        sheet.append(["tea", 3.1, True, None, datetime.date(2026, 2, 3)])
        sheet.append([None, "=SUM(B1:B1)"])
        sheet["A4"] = "a\nb"
        sheet["BZ5"] = "far"
        sheet["A1"].comment = Comment("look", "Ada")
        book.create_sheet("Secret").sheet_state = "hidden"
        book.save(self.path("a.xlsx"))
        self.assertEqual(self.lines("a.xlsx"),
                         ["--- sheet Sums ---", "tea\t3.1\tTRUE\t\t2026-02-03", "\t[=SUM(B1:B1)]", "a / b", "\t" * 50 + "(BZ5) far",
                          "--- sheet Secret (hidden) ---", "--- comments ---", "[at A1, by Ada] look"])

    def test_values_of_formulas(self):
        space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" ' \
                'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
        documents.package(self.path("b.xlsx"), {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.xml": f'<workbook {space}><sheets><sheet name="S" r:id="x"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                                          '<Relationship Id="x" Target="/xl/worksheets/s.xml"/></Relationships>',
            "xl/sharedStrings.xml": f"<sst {space}><si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>no</t></rPh></si></sst>",
            "xl/worksheets/s.xml": f'<worksheet {space}><sheetData><row><c t="s"><v>0</v></c><c><f>1+1</f><v>2</v></c>'
                                   '<c t="e"><v>#REF!</v></c></row></sheetData></worksheet>'})
        self.assertEqual(self.lines("b.xlsx"), ["--- sheet S ---", "rich\t2 [=1+1]\t#REF!"])


class OpenDocument(Case):
    def test_text(self):
        documents.open_document(
            self.path("a.odt"),
            "<text:tracked-changes><text:changed-region text:id='c1'><text:deletion><text:p>gone</text:p></text:deletion>"
            "</text:changed-region><text:changed-region text:id='c2'><text:insertion/></text:changed-region></text:tracked-changes>"
            "<text:h>Title</text:h><text:p>one<text:s text:c='2'/>two<text:tab/>x<text:line-break/>y</text:p>"
            "<text:p><text:change text:change-id='c1'/><text:change-start text:change-id='c2'/>add<text:change-end text:change-id='c2'/></text:p>"
            "<text:p>see<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>foot</text:p></text:note-body></text:note>"
            " <text:a xlink:href='https://example.org'>here</text:a></text:p>"
            "<text:p>hm<office:annotation><dc:creator>Bob</dc:creator><dc:date>1</dc:date><text:p>why</text:p></office:annotation></text:p>"
            "<table:table><table:table-row><table:table-cell><text:p>c1</text:p></table:table-cell><table:table-cell><text:p>c2</text:p>"
            "</table:table-cell></table:table-row></table:table>",
            parts={"styles.xml": f"<office:document-styles {documents.O}><office:master-styles><style:master-page><style:header>"
                                 "<text:p>Top</text:p></style:header><style:footer><text:p/></style:footer></style:master-page>"
                                 "</office:master-styles></office:document-styles>", "Basic/Standard/Module1.xml": "<x/>"})
        self.assertEqual(self.lines("a.odt"),
                         ["Title", "one  two\tx", "y", "[deleted: gone][inserted: add]", "see[note: foot] here <https://example.org>",
                          "hm[comment by Bob: why]", "c1\tc2", "--- header ---", "Top", "[It holds macros, which are not shown.]"])

    def test_sheets(self):
        documents.open_document(
            self.path("a.ods"),
            "<table:table table:name='S1'><table:table-row><table:table-cell office:value='3'><text:p>3,0</text:p></table:table-cell>"
            "<table:table-cell table:number-columns-repeated='2'/><table:table-cell table:formula='of:=SUM([.A1])' office:value='3'/>"
            "<table:table-cell table:number-columns-repeated='16000'/></table:table-row><table:table-row table:number-rows-repeated='9'>"
            "<table:table-cell><text:p>same</text:p></table:table-cell></table:table-row>"
            "<table:table-row table:number-rows-repeated='1048000'><table:table-cell table:number-columns-repeated='16384'/></table:table-row>"
            "</table:table>", "spreadsheet")
        self.assertEqual(self.lines("a.ods"), ["--- sheet S1 ---", "3,0\t\t\t3 [=SUM([.A1])]", "same", "[that row stands there 9 times]"])

    def test_encrypted(self):
        documents.open_document(self.path("e.odt"), "", parts={
            "META-INF/manifest.xml": f"<manifest:manifest {documents.O}><manifest:file-entry><manifest:encryption-data/>"
                                     "</manifest:file-entry></manifest:manifest>"})
        self.assertEqual(self.status("e.odt"), ENCRYPTED)


@unittest.skipUnless(os.path.exists("/usr/bin/pdftotext"), "pdftotext is not here")
class Pdf(Case):
    def test_pages(self):
        documents.pdf(self.path("a.pdf"), [["Invoice 12", "tea 3.10"], ["page two"]])
        self.assertEqual([line for line in self.lines("a.pdf") if line], ["Invoice 12", "tea 3.10", "--- page ---", "page two"])
        self.assertFalse([name for name in os.listdir(self.folder.name) if name.endswith(".err") and
                          os.path.getsize(self.path(name))])

    def test_no_text(self):
        documents.pdf(self.path("a.pdf"), [[]])
        self.assertEqual(self.lines("a.pdf"), ["[No text: it may be a scan, or a drawing.]"])

    def test_encrypted(self):
        documents.pdf(self.path("locked.pdf"), [["secret"]], documents.LOCKED)
        self.assertEqual(self.status("locked.pdf"), ENCRYPTED)

    def test_damaged_and_other(self):
        for name, data, status in (("torn.pdf", b"%PDF-1.4\n" + bytes(range(256)), DAMAGED), ("text.pdf", b"hello", OTHER_KIND)):
            with open(self.path(name), "wb") as file:
                file.write(data)
            self.assertEqual(self.status(name), status, name)


class Bounds(Case):
    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return name

    def test_what_it_is_not(self):
        self.assertEqual(self.status(self.write("a.docx", b"plain text")), OTHER_KIND)
        self.assertEqual(self.status(self.write("old.docx", b"\xd0\xcf\x11\xe0" + bytes(600))), OTHER_KIND)
        self.assertEqual(self.status(self.write("locked.docx", b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"))), ENCRYPTED)
        documents.package(self.path("zip.docx"), {"readme.txt": "x"})
        self.assertEqual(self.status("zip.docx"), OTHER_KIND)

    def test_damaged(self):
        documents.docx(self.path("a.docx"), ["x" * 5000])
        with open(self.path("a.docx"), "rb") as file:
            data = file.read()
        self.assertEqual(self.status(self.write("cut.docx", data[: len(data) // 2])), DAMAGED)
        documents.docx(self.path("xml.docx"), "<w:p><unclosed>")
        self.assertEqual(self.status("xml.docx"), DAMAGED)
        documents.package(self.path("part.docx"), {"[Content_Types].xml": "<Types/>"})
        self.assertEqual(self.status("part.docx"), DAMAGED)

    def test_two_parts_of_one_name(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for text in ("seen", "hidden"):
                file.writestr("word/document.xml", text)
        self.assertEqual(self.status(self.write("twice.docx", out.getvalue())), DAMAGED)

    def test_entities(self):
        documents.package(self.path("e.docx"), {"[Content_Types].xml": "<Types/>", "word/document.xml":
                          '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + f"<w:document {documents.W}><w:p>&b;</w:p></w:document>"})
        self.assertEqual(self.status("e.docx"), DAMAGED)

    def test_unpacks_to_too_much(self):
        documents.docx(self.path("bomb.docx"), "<w:p>" + " " * (260 << 20) + "</w:p>")
        self.assertEqual(self.status("bomb.docx"), TOO_LARGE)

    def test_writes_a_little_more_than_asked(self):
        documents.docx(self.path("long.docx"), ["line of text"] * 5000)
        with open(self.path("long.docx"), "rb") as file:
            ran = self.run_on("docx", file.read(), limit=10_000)
        self.assertEqual(ran.returncode, 0)
        self.assertTrue(10_000 < len(ran.stdout) <= 10_000 + 4096)

    def test_takes_too_long(self):
        with subprocess.Popen(["/usr/bin/python3", "-I", "-S", "-B", "-c", script(), "docx", "1000", "1"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL) as reader:
            self.assertEqual(reader.wait(), TOO_SLOW)  # a document that never ends

    def test_control_characters(self):
        documents.docx(self.path("c.docx"), ["a&#9;b &#133;c \u202e"])
        self.assertEqual(self.lines("c.docx"), ["a\tb \x85c \u202e"])  # the screen's business is DisplayText's


if __name__ == "__main__":
    program = unittest.main(exit=False)
    result = program.result
    sys.exit(1 if not result.wasSuccessful() else 77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
