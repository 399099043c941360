// SPDX-License-Identifier: Apache-2.0
// Tiny stand-ins for an image's parts, and a recipe of a few shell lines that "builds" them.
#pragma once

#include <QByteArray>
#include <QFile>
#include <QString>

namespace carrel::test {

inline bool writeFile(const QString& path, const QByteArray& content) {
    QFile::remove(path);
    QFile file(path);
    return file.open(QIODevice::WriteOnly) && file.write(content) == content.size();
}

// 8 KiB with an ext4 superblock's magic and its extents feature.
inline QByteArray fakeExt4() {
    QByteArray disk(8192, '\0');
    disk[1024 + 56] = '\x53';
    disk[1024 + 57] = '\xef';
    disk[1024 + 96] = '\x40';
    return disk;
}
inline QByteArray fakeElf() {
    return QByteArray("\x7f"
                      "ELF kernel");
}
inline QByteArray fakeModules() {
    return QByteArray("070701 not really an archive");
}

// A recipe folder whose build-image.sh runs `body` with $output set.
inline bool writeRecipe(const QString& folder, const QByteArray& body) {
    const QString path = folder + "/build-image.sh";
    return writeFile(path, "#!/bin/sh\nset -e\noutput=$2\n" + body) &&
           QFile::setPermissions(path, QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
}

inline QByteArray goodRecipe() {
    return "echo 'step 1/2 making'\n"
           "head -c 8192 /dev/zero > $output/base.raw\n"
           "printf '\\177ELF' > $output/vmlinux\n"
           "printf 'bz' > $output/vmlinuz\n"
           "printf 070701 > $output/modules.cpio\n"
           "printf 'bash\\t5.2\\tamd64\\n' > $output/packages.tsv\n"
           "echo 6.1-test > $output/kernel.release\n"
           "echo 'step 2/2 done'\n";
}

} // namespace carrel::test
