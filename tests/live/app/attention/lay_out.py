# SPDX-License-Identifier: Apache-2.0
"""The user's folder before the tasks of this directory: lay_out.py FOLDER OUTSIDE

Each scenario's "folder" maps a path to a text, or to one of
  {"text": …, "time": "2019-12-30"}    with the time of its last change
  {"lines": […]}                       the text's lines
  {"docx": [paragraphs]}, {"pdf": [[lines of a page]]}, {"xlsx": [[cells of a row]]}
  {"jpeg": "2026:05:01 10:00:00"}      a picture of which nothing is there but when it was taken (Exif 2.32, DateTimeOriginal)
  {"link_outside": NAME}               a link to a file of that name in OUTSIDE
"""
import calendar
import json
import os
import pathlib
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "support"))
sys.dont_write_bytecode = True
import documents  # noqa: E402


def jpeg(taken):
    first = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + struct.pack("<I", 0)  # where the second table is
    second = struct.pack("<HHHII", 1, 0x9003, 2, 20, 44) + struct.pack("<I", 0)
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + first + second + taken.encode() + b"\0"
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xd9"


def lay(path, what, outside):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(what, str):
        what = {"text": what}
    if "text" in what:
        path.write_text(what["text"], encoding="utf-8")
    elif "lines" in what:
        path.write_text("\n".join(what["lines"]), encoding="utf-8")
    elif "docx" in what:
        documents.docx(path, what["docx"], documents.WHOLE_DOCX)
    elif "pdf" in what:
        documents.pdf(path, what["pdf"])
    elif "xlsx" in what:
        documents.xlsx(path, what["xlsx"])
    elif "jpeg" in what:
        path.write_bytes(jpeg(what["jpeg"]))
    elif "link_outside" in what:
        path.symlink_to(outside / what["link_outside"])
    else:
        raise ValueError(f"{path}: nothing that can be laid out")
    if "time" in what:
        moment = calendar.timegm(time.strptime(what["time"], "%Y-%m-%d"))
        os.utime(path, (moment, moment))


def main():
    folder, outside = (pathlib.Path(each).resolve() for each in sys.argv[1:3])
    outside.mkdir(parents=True)
    (outside / "diary.txt").write_text("a-secret-of-the-diary\n")
    for scenario in sorted(HERE.glob("*.json")):
        for name, what in json.loads(scenario.read_text(encoding="utf-8"))["folder"].items():
            lay(folder / name, what, outside)


main()
