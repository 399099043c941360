// SPDX-License-Identifier: Apache-2.0
#include "app/agents/own_files.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>

using namespace carrel;
using namespace carrel::agents;

namespace {

// An apply that made these files where nothing was.
struct Made {
    files::FrozenSet set;
    files::ApplyReport report;
};
Made made(const std::vector<std::string>& paths) {
    Made out;
    for (const auto& path : paths) {
        files::FrozenEntry entry;
        entry.path = SharePath::parse(path).value();
        entry.kind = ChangeKind::Created;
        entry.type = EntryType::File;
        entry.contentChanged = true;
        entry.wanted.kind = files::NodeKind::File;
        entry.wanted.content = files::Sha256::of(path);
        out.report.entries.push_back({entry.path, 1, files::Outcome::Applied, {}});
        out.set.entries.push_back(std::move(entry));
    }
    return out;
}

} // namespace

class TestOwnFiles : public QObject {
    Q_OBJECT
private slots:
    void comesBack();
    void remembersNothingNewPastTheBound();
    void aListLargerThanAnyLosesNoAgent();

private:
    [[nodiscard]] std::filesystem::path file() const {
        return m_folder.filePath(QTest::currentTestFunction()).toStdString();
    }
    [[nodiscard]] bool knows(const OwnFiles& own, const std::string& path) const {
        return own.knows(1, SharePath::parse(path).value());
    }
    QTemporaryDir m_folder;
};

void TestOwnFiles::comesBack() {
    const auto one = made({"a", "b\xe9t"});
    {
        auto own = OwnFiles::open(file());
        QVERIFY(own && own->applied(1, one.set, one.report));
    }
    const auto own = OwnFiles::open(file());
    QVERIFY(own);
    QVERIFY(own->has(1, one.set.entries.at(1).path, one.set.entries.at(1).wanted));
    QVERIFY(!own->has(1, one.set.entries.at(1).path, one.set.entries.at(0).wanted));
    QVERIFY(!own->has(2, one.set.entries.at(0).path, one.set.entries.at(0).wanted));
}

// What is written can be read again, whatever the names are.
void TestOwnFiles::remembersNothingNewPastTheBound() {
    const auto one = made({"aaaa", "bbbb"});
    const auto two = made({"cccc"});
    {
        auto own = OwnFiles::open(file(), 10);
        QVERIFY(own && own->applied(1, one.set, one.report));
        QVERIFY(own->applied(1, two.set, two.report));
        QVERIFY(knows(*own, "aaaa") && knows(*own, "bbbb"));
        QVERIFY(!knows(*own, "cccc"));
        QVERIFY(own->forget(1)); // makes room
        QVERIFY(own->applied(1, two.set, two.report));
    }
    const auto own = OwnFiles::open(file(), 10);
    QVERIFY(own && knows(*own, "cccc"));
}

void TestOwnFiles::aListLargerThanAnyLosesNoAgent() {
    std::ofstream(file()) << "{";
    std::filesystem::resize_file(file(), std::uintmax_t{300} * 1024 * 1024); // sparse
    auto own = OwnFiles::open(file());
    QVERIFY2(own.has_value(), own ? "" : own.error().text().c_str());
    const auto one = made({"a"});
    QVERIFY(!knows(*own, "a") && own->applied(1, one.set, one.report));
    QVERIFY(OwnFiles::open(file()).has_value());
}

QTEST_GUILESS_MAIN(TestOwnFiles)
#include "test_own_files.moc"
