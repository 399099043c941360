// SPDX-License-Identifier: Apache-2.0
// A small archive as Debian's are, made by Debian's own tools (gpg, dpkg-deb, apt-ftparchive), and an agent's root in which apt has
// fetched from it. Thread: the test's.
#pragma once

#include "guest/packages/package_search.h"

#include <QByteArray>
#include <QString>
#include <QTemporaryDir>

namespace carrel::test {

class SignedRepository {
public:
    SignedRepository() = default;
    ~SignedRepository();
    SignedRepository(const SignedRepository&) = delete;
    SignedRepository& operator=(const SignedRepository&) = delete;

    // Empty when it stands: the package "tool", fetched, its index, the signed list and the key. Otherwise why not.
    [[nodiscard]] QString make();

    [[nodiscard]] packages::Places places() const;
    [[nodiscard]] QString folder() const { return m_folder.path(); }
    [[nodiscard]] QString deb(const QByteArray& package = "tool") const;
    [[nodiscard]] QString index() const;
    [[nodiscard]] QString list() const;

    // The next look finds it, when refresh() was called after.
    [[nodiscard]] bool addPackage(const QByteArray& name, const QByteArray& version, const QByteArray& compression = "xz");
    // The index and the list, made and signed anew by `key`.
    [[nodiscard]] bool refresh(const QByteArray& key = "archive");
    [[nodiscard]] bool makeKey(const QByteArray& name, const QByteArray& kind = "rsa3072");
    [[nodiscard]] bool sign(const QString& text, const QString& to, const QList<QByteArray>& keys, const QStringList& more = {});
    [[nodiscard]] QByteArray keyring(const QByteArray& key);
    // What the tools say on their standard output; nothing where they fail.
    [[nodiscard]] QByteArray run(const QString& program, const QStringList& arguments, const QByteArray& input = {});
    // SHA-256 of all that can be run in a .deb, by dpkg-deb, find and sha256sum; sorted.
    [[nodiscard]] QList<QByteArray> programsOf(const QString& deb);

private:
    QTemporaryDir m_folder;
    QByteArray m_problem;
};

[[nodiscard]] bool writeAll(const QString& path, const QByteArray& content);
[[nodiscard]] QByteArray readAll(const QString& path);

} // namespace carrel::test
