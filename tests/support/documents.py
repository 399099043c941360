# SPDX-License-Identifier: Apache-2.0
"""Small real documents for tests: made by hand, of the standard library alone, so that they can be made inside a machine too."""
import zipfile

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" ' \
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ' \
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
O = " ".join(f'xmlns:{p}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for p, n in (
    ("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"), ("draw", "drawing"),
    ("manifest", "manifest"))) + ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def package(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in parts.items():
            out.writestr(name, text)


def docx(path, body, parts=None):
    """`body`: the XML within w:body, or a list of paragraphs' texts."""
    if isinstance(body, list):
        body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>' for text in body)
    package(path, {"[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
                   "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>", **(parts or {})})


PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
KINDS = "application/vnd.openxmlformats-"


def main_part(part, kind, sheet=""):
    """What a package says of itself, for programs that find their way by it (ECMA-376, part 2): its main part, and of which kind that is."""
    return {"[Content_Types].xml": f'<Types {PACKAGE}content-types"><Default Extension="rels" ContentType="{KINDS}package.relationships+xml"/>'
                                   f'<Default Extension="xml" ContentType="application/xml"/>'
                                   f'<Override PartName="/{part}" ContentType="{KINDS}officedocument.{kind}.main+xml"/>'
                                   f'{sheet}</Types>',
            "_rels/.rels": f'<Relationships {PACKAGE}relationships"><Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="{part}"/></Relationships>'}


WHOLE_DOCX = main_part("word/document.xml", "wordprocessingml.document")  # `parts` of docx(), where pandoc is to read it


def xlsx(path, rows):
    """One sheet of texts and numbers."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = "".join("<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' if isinstance(cell, str) else f"<c><v>{cell}</v></c>" for cell in row) +
                    "</row>" for row in rows)
    sheet = f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KINDS}officedocument.spreadsheetml.worksheet+xml"/>'
    package(path, {**main_part("xl/workbook.xml", "spreadsheetml.sheet", sheet),
                   "xl/workbook.xml": f'<workbook {main} xmlns:r="{OFFICE}"><sheets><sheet name="Sheet" sheetId="1" r:id="r1"/></sheets></workbook>',
                   "xl/_rels/workbook.xml.rels": f'<Relationships {PACKAGE}relationships"><Relationship Id="r1" Type="{OFFICE}/worksheet" '
                                                 'Target="worksheets/sheet1.xml"/></Relationships>',
                   "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{cells}</sheetData></worksheet>"})


def open_document(path, body, kind="text", parts=None):
    """`body`: the XML within office:text or office:spreadsheet."""
    package(path, {"mimetype": f"application/vnd.oasis.opendocument.{kind}",
                   "content.xml": f"<office:document-content {O}><office:body><office:{kind}>{body}</office:{kind}></office:body>"
                                  "</office:document-content>", **(parts or {})})


LOCKED = f"/Encrypt<</Filter/Standard/V 1/R 2/O<{'41' * 32}>/U<{'42' * 32}>/P -4>>/ID[<{'43' * 16}><{'43' * 16}>]"


def pdf(path, pages, trailer=""):
    """A page for each list of lines. `trailer`: LOCKED for one that wants a password, which nobody has."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for lines in pages:
        text = "".join(f"BT /F1 12 Tf 72 {700 - 20 * i} Td ({line}) Tj ET\n" for i, line in enumerate(lines))
        objects.append(f"<</Length {len(text)}>>\nstream\n{text}\nendstream")
        objects.append(f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects)} 0 R"
                       "/Resources<</Font<</F1 3 0 R>>>>>>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    out, places = "%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R{trailer}>>\n" \
           f"startxref\n{len(out)}\n%%EOF\n"
    with open(path, "w", encoding="latin-1") as file:
        file.write(out)
