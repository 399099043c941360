# SPDX-License-Identifier: Apache-2.0
# extract, continued: PDFs by pdftotext, and which kind is read by what.

PDFTOTEXT = "/usr/bin/pdftotext"
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
    if not os.access(PDFTOTEXT, os.X_OK):
        raise Refused(NO_PROGRAM)
    folder = os.environ.get("TMPDIR", "/tmp")
    path, errors = os.path.join(folder, f"{os.getpid()}.pdf"), os.path.join(folder, f"{os.getpid()}.err")
    with open(path, "wb") as file:
        file.write(data)
    any_text = False
    with open(errors, "wb") as said, \
            subprocess.Popen([PDFTOTEXT, "-layout", "-enc", "UTF-8", path, "-"], stdin=subprocess.PIPE,
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
            if out.left <= 0:
                reader.kill()
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
