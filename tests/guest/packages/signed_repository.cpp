// SPDX-License-Identifier: Apache-2.0
#include "tests/guest/packages/signed_repository.h"

#include <QDir>
#include <QFile>
#include <QProcess>
#include <QStandardPaths>

namespace carrel::test {

bool writeAll(const QString& path, const QByteArray& content) {
    QFile file(path);
    return file.open(QIODevice::WriteOnly | QIODevice::Truncate) && file.write(content) == content.size();
}

QByteArray readAll(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

SignedRepository::~SignedRepository() {
    if (m_folder.isValid() && QDir(m_folder.filePath("gpg")).exists()) {
        (void)run("gpgconf", {"--kill", "all"});
    }
}

QByteArray SignedRepository::run(const QString& program, const QStringList& arguments, const QByteArray& input) {
    QProcess process;
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert("GNUPGHOME", m_folder.filePath("gpg"));
    environment.insert("LC_ALL", "C");
    process.setProcessEnvironment(environment);
    process.start(program, arguments);
    process.write(input);
    process.closeWriteChannel();
    if (!process.waitForFinished(120'000) || process.exitStatus() != QProcess::NormalExit || process.exitCode() != 0) {
        m_problem = program.toUtf8() + ": " + process.readAllStandardError();
        return {};
    }
    const auto out = process.readAllStandardOutput();
    return out.isEmpty() ? QByteArray("\n") : out;
}

QString SignedRepository::make() {
    for (const char* tool : {"gpg", "gpgconf", "dpkg-deb", "apt-ftparchive"}) {
        if (QStandardPaths::findExecutable(QString::fromLatin1(tool)).isEmpty()) {
            return QString::fromLatin1(tool) + " is not installed";
        }
    }
    const QDir dir(m_folder.path());
    for (const char* each : {"gpg", "packages", "scratch", "root/var/lib/apt/lists", "root/var/cache/apt/archives", "dists/main/binary-amd64"}) {
        if (!dir.mkpath(QString::fromLatin1(each))) {
            return QStringLiteral("no folder");
        }
    }
    QFile::setPermissions(m_folder.filePath("gpg"), QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
    const bool good = makeKey("archive") && writeAll(m_folder.filePath("keyring.gpg"), keyring("archive")) && addPackage("tool", "1.0-1") && refresh();
    return good ? QString() : QString::fromUtf8(m_problem.isEmpty() ? "the archive cannot be made" : m_problem);
}

packages::Places SignedRepository::places() const {
    return {m_folder.filePath("root").toStdString(), m_folder.filePath("keyring.gpg").toStdString(), m_folder.filePath("scratch").toStdString()};
}

QString SignedRepository::deb(const QByteArray& package) const {
    return m_folder.filePath("root/var/cache/apt/archives/" + QString::fromUtf8(package) + ".deb");
}

QString SignedRepository::index() const {
    return m_folder.filePath("root/var/lib/apt/lists/archive.example.org_debian_dists_stable_main_binary-amd64_Packages");
}

QString SignedRepository::list() const {
    return m_folder.filePath("root/var/lib/apt/lists/archive.example.org_debian_dists_stable_InRelease");
}

bool SignedRepository::makeKey(const QByteArray& name, const QByteArray& kind) {
    return !run("gpg", {"--batch", "--quiet", "--passphrase", "", "--quick-generate-key", QString::fromUtf8(name + " <" + name + "@example.org>"),
                        QString::fromUtf8(kind), "sign", "never"}).isEmpty();
}

QByteArray SignedRepository::keyring(const QByteArray& key) {
    return run("gpg", {"--export", QString::fromUtf8(key + "@example.org")});
}

bool SignedRepository::sign(const QString& text, const QString& to, const QList<QByteArray>& keys, const QStringList& more) {
    QStringList arguments{"--batch", "--yes", "--quiet", "--digest-algo", "SHA256", "--output", to};
    for (const auto& key : keys) {
        arguments << "--local-user" << QString::fromUtf8(key + "@example.org");
    }
    arguments << more << "--clearsign" << text;
    return !run("gpg", arguments).isEmpty();
}

bool SignedRepository::addPackage(const QByteArray& name, const QByteArray& version, const QByteArray& compression) {
    const QString at = m_folder.filePath("packages/" + QString::fromUtf8(name));
    const QString deep = "usr/lib/" + QString::fromUtf8(name) + "/" + QString("a-folder-with-a-long-name/").repeated(6);
    const QDir dir(at);
    if (!dir.mkpath("DEBIAN") || !dir.mkpath("usr/bin") || !dir.mkpath("usr/share/doc") || !dir.mkpath(deep)) {
        return false;
    }
    const auto program = [&](const QString& path, const QByteArray& content) {
        const auto whole = at + "/" + path;
        return writeAll(whole, content) && QFile::setPermissions(whole, QFile::Permissions(0x7755));
    };
    const bool written =
        writeAll(at + "/DEBIAN/control", "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: a test\n") &&
        program("DEBIAN/postinst", "#!/bin/sh\necho " + name + "\n") && program("usr/bin/" + QString::fromUtf8(name), "#!/bin/sh\necho " + version + "\n") &&
        program("usr/bin/same", "#!/bin/sh\necho " + version + "\n") && program("usr/bin/empty", "") && program(deep + "deep", "#!/bin/sh\n# deep\n") &&
        writeAll(at + "/usr/lib/lib.so", QByteArray("\x7f" "ELF") + QByteArray(200'000, 'x') + name) && writeAll(at + "/usr/share/doc/text", "no program") &&
        writeAll(at + "/usr/share/doc/large", QByteArray(300'000, 't'));
    return written && !run("dpkg-deb", {"--root-owner-group", "-Z" + QString::fromUtf8(compression), "--build", at, deb(name)}).isEmpty();
}

bool SignedRepository::refresh(const QByteArray& key) {
    const QString plain = m_folder.filePath("dists/main/binary-amd64/Packages");
    const auto index = run("apt-ftparchive", {"packages", m_folder.filePath("root/var/cache/apt/archives")});
    if (index.isEmpty() || !writeAll(plain, index)) {
        return false;
    }
    const auto release = run("apt-ftparchive", {"release", "-o", "APT::FTPArchive::Release::Suite=stable", m_folder.filePath("dists")});
    return !release.isEmpty() && writeAll(m_folder.filePath("Release"), release) && writeAll(this->index(), index) &&
           sign(m_folder.filePath("Release"), list(), {key});
}

QList<QByteArray> SignedRepository::programsOf(const QString& deb) {
    QTemporaryDir to;
    if (run("dpkg-deb", {"-R", deb, to.path()}).isEmpty()) {
        return {};
    }
    auto out = run("sh", {"-c", "cd \"$1\" && find . -type f '(' -perm /111 -o -name '*.so' ')' -print0 | xargs -0 sha256sum -b | cut -c-64 | sort -u", "sh",
                          to.path()})
                   .split('\n');
    out.removeAll(QByteArray());
    return out;
}

} // namespace carrel::test
