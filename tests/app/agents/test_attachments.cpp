// SPDX-License-Identifier: Apache-2.0
// What is attached is copied; not what holds keys, whichever way to it was named; and no call spoils another's copies.
#include "app/agents/attachments.h"

#include <QTemporaryDir>
#include <QTest>

#include <barrier>
#include <fstream>
#include <set>
#include <thread>

using namespace carrel;
using namespace carrel::agents;
namespace fs = std::filesystem;

namespace {

struct World {
    QTemporaryDir dir{"/tmp/carrel-attached-XXXXXX"};
    fs::path home = fs::path(dir.path().toStdString()) / "home";
    fs::path folder = fs::path(dir.path().toStdString()) / "attachments";
    World() { fs::create_directory(home); }
    [[nodiscard]] fs::path put(const fs::path& below, const std::string& content) const {
        fs::create_directories((home / below).parent_path());
        std::ofstream(home / below) << content;
        return home / below;
    }
    [[nodiscard]] std::string read(const fs::path& below) const {
        std::ifstream in(folder / below, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    [[nodiscard]] bool nothingCopied() const { return !fs::exists(folder) || fs::is_empty(folder); }
};

bool refused(const Result<std::vector<fs::path>>& result) {
    return !result && result.error().code == ErrorCode::Refused;
}

} // namespace

class TestAttachments : public QObject {
    Q_OBJECT
private slots:
    void copiedUnderNamesOfTheirOwn() {
        World w;
        const auto first = w.put("report.pdf", "first");
        const auto second = w.put("more/report.pdf", "second");
        QCOMPARE(copyAttachments(w.folder, 7, {first, second}).value(), (std::vector<fs::path>{"7/report.pdf", "7/report-2.pdf"}));
        QCOMPARE(copyAttachments(w.folder, 7, {second}).value(), (std::vector<fs::path>{"7/report-3.pdf"}));
        QCOMPARE(w.read("7/report.pdf"), std::string("first"));
        QCOMPARE(w.read("7/report-2.pdf"), std::string("second"));
        QCOMPARE(w.read("7/report-3.pdf"), std::string("second"));
    }
    // An agent may have staged the link, and the owner applied it.
    void linksToKeys() {
        World w;
        const auto key = w.put(".ssh/key", "the key");
        const auto named = w.put("keys/id_rsa", "the key");
        fs::create_directory(w.home / "papers");
        fs::create_symlink("../.ssh/key", w.home / "papers/report.pdf");
        fs::create_symlink("report.pdf", w.home / "papers/again.pdf");
        fs::create_symlink("../keys/id_rsa", w.home / "papers/other.pdf");
        fs::create_directory_symlink("../.ssh", w.home / "papers/letters");
        for (const char* each : {"report.pdf", "again.pdf", "other.pdf", "letters/key"}) {
            QVERIFY2(refused(copyAttachments(w.folder, 1, {w.home / "papers" / each})), each);
        }
        QVERIFY(w.nothingCopied());
        // A link to a file that holds none is as good as the file.
        const auto plain = w.put("plain.txt", "text");
        fs::create_symlink(plain, w.home / "papers/plain.pdf");
        QCOMPARE(copyAttachments(w.folder, 1, {w.home / "papers/plain.pdf"}).value(), std::vector<fs::path>{"1/plain.pdf"});
        QCOMPARE(w.read("1/plain.pdf"), std::string("text"));
    }
    void foldersOfKeys_data() {
        QTest::addColumn<QString>("path");
        for (const char* each : {".aws/credentials", ".kube/config", ".kube/cache/config", ".SSH/key", ".gnupg/trust"}) {
            QTest::newRow(each) << each;
        }
    }
    void foldersOfKeys() {
        QFETCH(QString, path);
        World w;
        QVERIFY(refused(copyAttachments(w.folder, 1, {w.put(path.toStdString(), "secret")})));
        QVERIFY(w.nothingCopied());
        // By the name of the folder alone, too, wherever it leads.
        fs::create_directory(w.home / "elsewhere");
        std::ofstream(w.home / "elsewhere/plain.txt") << "text";
        fs::create_directory_symlink("elsewhere", w.home / ".env");
        QVERIFY(refused(copyAttachments(w.folder, 1, {w.home / ".env/plain.txt"})));
    }
    // Whatever fails, only what the call itself made goes.
    void givenUp() {
        World w;
        const auto report = w.put("report.pdf", "report");
        QVERIFY(copyAttachments(w.folder, 1, {report}));
        const auto failed = copyAttachments(w.folder, 1, {report, "/proc/self/mem"}); // a file that can be opened, but not read
        QVERIFY(!failed && failed.error().code != ErrorCode::Refused);
        QCOMPARE(w.read("1/report.pdf"), std::string("report"));
        QCOMPARE(std::distance(fs::directory_iterator(w.folder / "1"), fs::directory_iterator()), std::ptrdiff_t{1});
    }
    // Each gets a copy of its own, and nobody's is removed.
    void manyAtOnce() {
        constexpr int kCallers = 4;
        constexpr int kRounds = 25;
        World w;
        std::vector<fs::path> files;
        for (int i = 0; i < kCallers; ++i) {
            files.push_back(w.put(std::to_string(i) + "/report.pdf", std::to_string(i)));
        }
        std::vector<std::vector<Result<std::vector<fs::path>>>> got(kCallers);
        std::barrier together(kCallers);
        {
            std::vector<std::jthread> all;
            for (int i = 0; i < kCallers; ++i) {
                all.emplace_back([&, i] {
                    for (std::uint64_t round = 1; round <= kRounds; ++round) {
                        together.arrive_and_wait();
                        got.at(i).push_back(copyAttachments(w.folder, round, {files.at(i)}));
                    }
                });
            }
        }
        std::set<fs::path> names;
        for (int i = 0; i < kCallers; ++i) {
            for (const auto& each : got.at(i)) {
                QVERIFY2(each, each ? "" : each.error().text().c_str());
                QVERIFY(names.insert(each->front()).second);
                QCOMPARE(w.read(each->front()), std::to_string(i));
            }
        }
    }
    // Of an agent that is deleted meanwhile no folder comes back.
    void noFolderOfADeletedAgent() {
        World w;
        const auto report = w.put("report.pdf", "report");
        QVERIFY(!copyAttachments(w.home / "gone/attachments", 1, {report}));
        QVERIFY(!fs::exists(w.home / "gone"));
    }
};

QTEST_GUILESS_MAIN(TestAttachments)
#include "test_attachments.moc"
