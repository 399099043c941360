# SPDX-License-Identifier: Apache-2.0
"""Every file that an installation has, below its prefix, and the mode of each. One that is not named here is one too many."""
import os

PROGRAMS = ["bin/carrel"] + ["lib/carrel/carrel-" + part for part in ("agent", "ask", "clerk", "engine", "guestd", "init", "player", "qemu", "recorder")]
RECIPE = {"build-image.sh": 0o755, "check-reproducible.sh": 0o755, "extract-vmlinux.sh": 0o755, "list-programs.sh": 0o755, "make-filesystem.sh": 0o755,
          "make-modules.sh": 0o755, "prepare-tree.sh": 0o755, "makes-code.list": 0o644, "packages.list": 0o644}
PICTURES = (16, 22, 24, 32, 48, 64, 128, 256)
GUEST = ("carrel-agent", "carrel-ask", "carrel-guestd", "carrel-init")  # static: they run where there are no libraries


def expected(source, parts):
    """The files, and the modes that they must have, for a build with these parts: desktop, pictures, terminal."""
    files = {program: 0o755 for program in PROGRAMS}
    files.update({"share/carrel/image/" + name: mode for name, mode in RECIPE.items()})
    for schema in os.listdir(os.path.join(source, "app/api/schema")):
        files["share/carrel/schema/" + schema] = 0o644
    for page in ("man1/carrel.1", "man1/carrel-ask.1", "man8/carrel-engine.8"):
        files[f"share/man/{page}.gz"] = 0o644
    if "terminal" in parts:
        files["lib/carrel/carrel-terminal"] = 0o755
    if "desktop" in parts:
        files["bin/carrel-desktop"] = 0o755
        for name in ("man/man1/carrel-desktop.1.gz", "applications/carrel-desktop.desktop",
                     "metainfo/org.carrel.desktop.metainfo.xml", "icons/hicolor/scalable/apps/carrel-desktop.svg"):
            files["share/" + name] = 0o644
    if "pictures" in parts:
        for size in PICTURES:
            files[f"share/icons/hicolor/{size}x{size}/apps/carrel-desktop.png"] = 0o644
    return files


def found(prefix):
    files = {}
    for folder, _, names in os.walk(prefix):
        for name in names:
            path = os.path.join(folder, name)
            files[os.path.relpath(path, prefix)] = os.lstat(path).st_mode & 0o7777
    return files
