// SPDX-License-Identifier: Apache-2.0
// What apt installed is kept once, comes back as it was, and is bounded.
#include "app/exec/installed_programs.h"

#include <QTemporaryDir>
#include <QTest>
#include <fstream>

using namespace carrel;
using namespace carrel::exec;

namespace {

std::string content(unsigned number) {
    char out[65];
    std::snprintf(out, sizeof out, "%064x", number);
    return out;
}

ask::Package package(const std::string& name, unsigned from, unsigned count) {
    ask::Package out{name, "1:2-3", "amd64", {}};
    for (unsigned i = 0; i < count; ++i) {
        out.programs.push_back({content(from + i), "/usr/bin/" + name});
    }
    return out;
}

} // namespace

class TestInstalledPrograms : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    std::filesystem::path file() const { return (m_folder.path() + "/installed.tsv").toStdString(); }
    bool write(const std::string& text) const {
        std::ofstream out(file(), std::ios::trunc);
        out << text;
        return out.good();
    }
private slots:
    void init() { std::filesystem::remove(file()); }

    void eachContentIsKeptOnce() {
        InstalledBook book;
        auto added = add(book, {{package("tool", 1, 3), package("node", 3, 2)}, true}, 5);
        QVERIFY(added && added->size() == 2);
        QVERIFY(book[0].atMs == 5 && book[0].programs.size() == 3 && book[1].programs.size() == 1);
        QVERIFY2(book[1].programs[0].makesCode && !book[0].programs[0].makesCode, "node makes code, by its path");
        added = add(book, {{package("again", 1, 4)}, true}, 6);
        QVERIFY(added && added->empty());
        QCOMPARE(book.size(), std::size_t{2});
    }
    void itComesBackAsItWas() {
        QVERIFY(loadInstalled(file())->empty()); // no file
        InstalledBook book;
        QVERIFY(add(book, {{package("tool", 1, 3), package("other", 10, 1)}, true}, 1'790'000'000'000));
        QVERIFY(add(book, {{package("node", 20, 2)}, false}, 1'790'000'000'001));
        QVERIFY(save(book, file()));
        const auto back = loadInstalled(file());
        QVERIFY2(back, back ? "" : back.error().text().c_str());
        QVERIFY(*back == book);
    }
    void whatIsDamagedIsNotHalfRead_data() {
        QTest::addColumn<QByteArray>("text");
        const QByteArray line = QByteArray::fromStdString(content(1)) + "\t-\t/usr/bin/tool\n";
        QTest::newRow("no package") << line;
        QTest::newRow("a word less") << QByteArray("package\ttool\t1\t5\n") + line;
        QTest::newRow("a word more") << QByteArray("package\ttool\t1\tamd64\t5\tx\n") + line;
        QTest::newRow("no moment") << QByteArray("package\ttool\t1\tamd64\tnow\n") + line;
        QTest::newRow("torn") << QByteArray("package\ttool\t1\tamd64\t5\n") + line.chopped(17);
        QTest::newRow("another mark") << QByteArray("package\ttool\t1\tamd64\t5\n") + QByteArray(line).replace("\t-\t", "\tx\t");
    }
    void whatIsDamagedIsNotHalfRead() {
        QFETCH(QByteArray, text);
        QVERIFY(write(text.toStdString()));
        const auto back = loadInstalled(file());
        QVERIFY(!back && back.error().code == ErrorCode::Malformed && !back.error().hint.empty());
    }
    void moreThanAMachineTakesIsRefusedWhole() {
        InstalledBook book;
        QVERIFY(add(book, {{package("a", 0, kMaxInstalled - 1)}, true}, 1));
        const auto before = book;
        const auto more = add(book, {{package("b", kMaxInstalled, 2)}, true}, 2);
        QVERIFY(!more && more.error().code == ErrorCode::LimitExceeded);
        QVERIFY(book == before);
        QVERIFY(add(book, {{package("b", kMaxInstalled, 1)}, true}, 2));
    }
};

QTEST_GUILESS_MAIN(TestInstalledPrograms)
#include "test_installed_programs.moc"
