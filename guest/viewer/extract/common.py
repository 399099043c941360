#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the text out of an office document or a PDF: extract.py KIND MAX_BYTES SECONDS <document >text

Runs in a disposable viewer machine without network, disk or shares, as an account that owns nothing (viewer_spawner.h):
what a hostile document makes of it harms nobody. It is bounded all the same: in time (SECONDS), in memory (limits of
its process), in what it unpacks, and in what it writes (a little more than MAX_BYTES, by which the host sees that
there was more). The text is UTF-8, lines that a person can read and a line diff compare: a line for a paragraph, for a
row of a table or sheet (cells divided by tabs); what is no running text stands in brackets.

The pieces in this folder are one program: app/viewer joins them in the order common, word, workbook, open_document, main
and hands it to the machine with each document.

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

DONE, ENCRYPTED, DAMAGED, OTHER_KIND, TOO_SLOW, TOO_LARGE, NO_MEMORY, NO_PROGRAM = 0, 10, 11, 12, 13, 14, 15, 16

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
