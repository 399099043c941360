// SPDX-License-Identifier: Apache-2.0
// What apt fetched counts from Debian's signature down: each link of that chain, changed, breaks it, and nothing else is taken in its
// place. At a real archive, made by Debian's tools.
#include "tests/guest/packages/signed_repository.h"

#include <QDir>
#include <QFile>
#include <QTest>
#include <sys/stat.h>

using namespace carrel;
using namespace carrel::test;
using packages::PackageSearch;
using packages::Verified;

class TestPackageSearch : public QObject {
    Q_OBJECT

    std::unique_ptr<SignedRepository> m_at;

    std::vector<Verified> look() {
        std::vector<Verified> out;
        PackageSearch search(m_at->places());
        const auto done = search.look([&](Verified&& one) {
            out.push_back(std::move(one));
            return true;
        });
        if (!done) {
            qWarning("%s", done.error().text().c_str());
        }
        return out;
    }

private slots:
    void init() {
        m_at = std::make_unique<SignedRepository>();
        const auto problem = m_at->make();
        if (problem.endsWith("not installed")) {
            QSKIP(qPrintable(problem));
        }
        QVERIFY2(problem.isEmpty(), qPrintable(problem));
    }
    void cleanup() { m_at.reset(); }

    void whatIsSignedIsFound() {
        const auto found = look();
        QCOMPARE(found.size(), std::size_t{1});
        QVERIFY((found[0].package == packages::Package{"tool", "1.0-1", "amd64"}));
        QList<QByteArray> hashes;
        QList<QByteArray> paths;
        for (const auto& each : found[0].programs) {
            hashes << QByteArray::fromStdString(each.sha256);
            paths << QByteArray::fromStdString(each.path);
        }
        std::sort(hashes.begin(), hashes.end());
        QCOMPARE(hashes, m_at->programsOf(m_at->deb()));
        QCOMPARE(hashes.size(), 5); // two names of one content count once
        QVERIFY2(paths.contains("/DEBIAN/postinst") && paths.contains("/usr/lib/lib.so"), paths.join(' ').constData());
        QVERIFY2(std::any_of(paths.begin(), paths.end(), [](const QByteArray& each) { return each.startsWith("/usr/lib/tool/a-folder-with"); }), paths.join(' ').constData());
    }

    void theListOfAnotherFolderOfTheArchiveIsOne() {
        QVERIFY(QFile::rename(m_at->list(), QFileInfo(m_at->list()).path() + "/mirror.example.org_InRelease"));
        QVERIFY(QFile::rename(m_at->index(), QFileInfo(m_at->list()).path() + "/mirror.example.org_main_binary-amd64_Packages"));
        QCOMPARE(look().size(), std::size_t{1}); // names say where to look, no more
    }

    void aBrokenLinkOfTheChainBreaksIt_data() {
        QTest::addColumn<QByteArray>("link");
        for (const char* each : {"list", "list-signed-by-another", "list-with-more-behind", "list-with-more-before", "list-unsigned", "list-gone", "index",
                                 "index-longer", "index-shorter", "index-gone", "deb", "deb-longer", "deb-another", "deb-empty", "deb-link", "index-link",
                                 "list-link", "deb-fifo", "index-fifo", "folder-link", "keyring-another"}) {
            QTest::newRow(each) << QByteArray(each);
        }
    }
    void aBrokenLinkOfTheChainBreaksIt() {
        QFETCH(QByteArray, link);
        const auto change = [](const QString& path, const QByteArray& from, const QByteArray& to) {
            auto content = test::readAll(path);
            const auto at = content.lastIndexOf(from);
            return at >= 0 && writeAll(path, content.replace(at, from.size(), to));
        };
        const auto elsewhere = [&](const QString& path) {
            return QFile::rename(path, m_at->folder() + "/elsewhere") && QFile::link(m_at->folder() + "/elsewhere", path);
        };
        const auto fifo = [](const QString& path) { return QFile::remove(path) && ::mkfifo(path.toUtf8().constData(), 0644) == 0; };
        const auto list = test::readAll(m_at->list());
        bool done = false;
        if (link == "list") {
            done = change(m_at->list(), "Suite: stable", "Suite: stablE");
        } else if (link == "list-signed-by-another") {
            done = m_at->makeKey("other") && m_at->refresh("other");
        } else if (link == "list-with-more-behind") {
            done = writeAll(m_at->list(), list + "SHA256:\n");
        } else if (link == "list-with-more-before") {
            done = writeAll(m_at->list(), "SHA256:\n" + list);
        } else if (link == "list-unsigned") {
            done = writeAll(m_at->list(), test::readAll(m_at->folder() + "/Release"));
        } else if (link == "list-gone") {
            done = QFile::remove(m_at->list());
        } else if (link == "index") {
            done = change(m_at->index(), "Description: a test", "Description: b test");
        } else if (link == "index-longer") {
            done = writeAll(m_at->index(), test::readAll(m_at->index()) + "\n");
        } else if (link == "index-shorter") {
            done = writeAll(m_at->index(), test::readAll(m_at->index()).chopped(1));
        } else if (link == "index-gone") {
            done = QFile::remove(m_at->index());
        } else if (link == "deb") {
            auto content = test::readAll(m_at->deb());
            content[content.size() - 100] = static_cast<char>(content[content.size() - 100] ^ 1);
            done = writeAll(m_at->deb(), content);
        } else if (link == "deb-longer") {
            done = writeAll(m_at->deb(), test::readAll(m_at->deb()) + "\n");
        } else if (link == "deb-another") {
            done = m_at->addPackage("tool", "1.0-2"); // in no index
        } else if (link == "deb-empty") {
            done = writeAll(m_at->deb(), {});
        } else if (link == "deb-link") {
            done = elsewhere(m_at->deb());
        } else if (link == "index-link") {
            done = elsewhere(m_at->index());
        } else if (link == "list-link") {
            done = elsewhere(m_at->list());
        } else if (link == "deb-fifo") {
            done = fifo(m_at->deb());
        } else if (link == "index-fifo") {
            done = fifo(m_at->index());
        } else if (link == "folder-link") {
            done = elsewhere(m_at->folder() + "/root/var/lib/apt");
        } else if (link == "keyring-another") {
            done = m_at->makeKey("other") && writeAll(m_at->folder() + "/keyring.gpg", m_at->keyring("other"));
        }
        QVERIFY(done);
        QCOMPARE(look().size(), std::size_t{0});
    }

    void withoutAKeyringNothingCounts() {
        QVERIFY(QFile::remove(m_at->folder() + "/keyring.gpg"));
        PackageSearch search(m_at->places());
        const auto done = search.look([](Verified&&) { return true; });
        QVERIFY(!done && done.error().code == ErrorCode::NotFound && !done.error().hint.empty());
        QVERIFY(writeAll(m_at->folder() + "/keyring.gpg", "no keyring"));
        QVERIFY(!search.look([](Verified&&) { return true; }));
    }

    void whatIsTakenIsToldOnceAndWhatIsNotAgain() {
        PackageSearch search(m_at->places());
        int count = 0;
        bool takes = false;
        const auto again = [&] { return search.look([&](Verified&&) { return ++count, takes; }).has_value(); };
        QVERIFY(search.isNew());
        QVERIFY(again() && search.isNew());
        takes = true;
        QVERIFY(again() && !search.isNew());
        QCOMPARE(count, 2);
        QVERIFY(again());
        QCOMPARE(count, 2);
        QVERIFY(m_at->addPackage("more", "2", "gzip") && m_at->refresh());
        QVERIFY(search.isNew());
        QVERIFY(again() && !search.isNew());
        QCOMPARE(count, 3);
    }

    // Between the look at its SHA-256 and the look into it.
    void whatChangesMeanwhileIsNotFound() {
        QVERIFY(m_at->addPackage("zoo", "1") && m_at->refresh());
        const auto later = test::readAll(m_at->deb("tool"));
        PackageSearch search(m_at->places());
        QList<QByteArray> names;
        QVERIFY(search.look([&](Verified&& one) {
            names << QByteArray::fromStdString(one.package.name);
            return writeAll(m_at->deb("zoo"), later);
        }));
        QCOMPARE(names, QList<QByteArray>{"tool"});
    }

    void itCanBeBrokenOff() {
        PackageSearch search(m_at->places());
        std::stop_source stop;
        stop.request_stop();
        const auto done = search.look([](Verified&&) { return true; }, stop.get_token());
        QVERIFY(!done && done.error().code == ErrorCode::Cancelled);
        QVERIFY(search.isNew());
    }

    void anAgentWithoutAptHasNothing() {
        QVERIFY(QDir(m_at->folder() + "/root/var").removeRecursively());
        QCOMPARE(look().size(), std::size_t{0});
    }

    void packagesAreReadAsDpkgReadsThem_data() {
        QTest::addColumn<QByteArray>("compression");
        QTest::addColumn<bool>("reads");
        QTest::newRow("xz") << QByteArray("xz") << true;
        QTest::newRow("gzip") << QByteArray("gzip") << true;
        QTest::newRow("none") << QByteArray("none") << true;
        QTest::newRow("zstd, which Debian's archive has not") << QByteArray("zstd") << false;
    }
    void packagesAreReadAsDpkgReadsThem() {
        QFETCH(QByteArray, compression);
        QFETCH(bool, reads);
        QVERIFY(m_at->addPackage("other", "1", compression));
        QFile file(m_at->deb("other"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto programs = packages::programsIn(file.handle(), static_cast<std::uint64_t>(file.size()));
        QCOMPARE(programs.has_value(), reads);
        if (reads) {
            QCOMPARE(static_cast<qsizetype>(programs->size()), m_at->programsOf(m_at->deb("other")).size());
        }
    }

    void aPackageThatEndsAnywhereIsNone() {
        const auto whole = test::readAll(m_at->deb());
        const auto path = m_at->folder() + "/cut";
        for (qsizetype size = 0; size < whole.size() - 64; size += std::max<qsizetype>(1, whole.size() / 97)) {
            QVERIFY(writeAll(path, whole.first(size)));
            QFile file(path);
            QVERIFY(file.open(QIODevice::ReadOnly));
            QVERIFY2(!packages::programsIn(file.handle(), static_cast<std::uint64_t>(size)), QByteArray::number(size).constData());
        }
    }
};

QTEST_GUILESS_MAIN(TestPackageSearch)
#include "test_package_search.moc"
