// SPDX-License-Identifier: Apache-2.0
// The record of the staged work, as it may be found after a crash or on a damaged disk: what was whole is
// there, what was cut is not, and what is left hangs together.
#include "guest/protocol/unique_fd.h"
#include "tests/guest/worktree/upper_log.h"

#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::worktree;

namespace {

EntryRecord entry(std::uint64_t id, std::uint64_t parent, std::string name,
                  EntryKind kind = EntryKind::Directory) {
    EntryRecord out;
    out.id = id;
    out.parent = parent;
    out.name = std::move(name);
    out.kind = kind;
    out.mode = 0755;
    return out;
}
Bytes logOf(const std::vector<Transaction>& transactions) {
    Bytes log = emptyLog();
    for (const auto& transaction : transactions) {
        appendRecord(log, encodeTransaction(transaction));
    }
    return log;
}
std::vector<std::uint64_t> idsOf(const Replayed& state) {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, unused] : state.entries) {
        ids.push_back(id);
    }
    return ids;
}
using Ids = std::vector<std::uint64_t>;

// One of everything.
EntryRecord full() {
    EntryRecord out = entry(kMaxEntryId, 2, "\xff name", EntryKind::Symlink);
    out.uid = UINT32_MAX;
    out.gid = 7;
    out.mtimeNs = INT64_MIN;
    out.fromLower = true;
    out.origin = "a/\xfe/b";
    out.originPlace = 3;
    out.originBase = Cover{EntryType::File, {UINT64_MAX, 1, -1, INT64_MAX}, 07777, std::string(64, 'a')};
    out.cover = Cover{EntryType::Symlink, {1, 2, 3, 4}, 0, std::nullopt};
    out.link = "../\xff";
    out.object = 9;
    return out;
}

} // namespace

class TestUpperLog : public QObject {
    Q_OBJECT
private slots:
    void everyFieldComesBack() {
        const Transaction written{{full(), entry(2, 1, "d")}, {3, UINT64_MAX}, 17, true, 99, "a boot"};
        const auto read = decodeTransaction(encodeTransaction(written));
        QVERIFY(read);
        QVERIFY(read->put == written.put);
        QVERIFY(read->del == written.del);
        QCOMPARE(*read->epoch, std::uint64_t{17});
        QVERIFY(read->more);
        QCOMPARE(*read->durable, std::uint64_t{99});
        QCOMPARE(read->boot, std::string("a boot"));
    }

    void namesOfEveryByteComeBack() {
        for (int byte = 1; byte < 256; ++byte) {
            if (byte == '/') {
                continue;
            }
            for (const std::string& name : {std::string(1, static_cast<char>(byte)) + " and more",
                                            std::string("\u2028 \"quoted\" \\ ") + static_cast<char>(byte)}) {
                auto one = entry(2, 1, name, EntryKind::Symlink);
                one.link = name;
                one.origin = "d/" + name;
                one.originPlace = 7;
                const auto read = decodeTransaction(encodeTransaction({.put = {one}, .del = {}, .epoch = {}, .durable = {}, .boot = {}}));
                QVERIFY2(read && read->put.size() == 1 && read->put.at(0) == one, name.c_str());
            }
        }
    }

    void aCutLogIsReadAsFarAsItIsWhole() {
        const std::vector<Transaction> steps{
            {{entry(2, 1, "a")}, {}, 5}, {{entry(3, 2, "b")}, {}, {}}, {{entry(4, 3, "c")}, {2}, {}}};
        const Bytes log = logOf(steps);
        std::vector<std::size_t> ends; // of each record
        for (std::size_t i = 1; i <= steps.size(); ++i) {
            ends.push_back(logOf({steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(i)}).size());
        }
        for (std::size_t size = emptyLog().size(); size <= log.size(); ++size) {
            const auto state = replayLog(ByteSpan(log).first(size), "boot");
            QVERIFY(state && sound(*state));
            const auto whole = static_cast<std::size_t>(
                std::count_if(ends.begin(), ends.end(), [&](std::size_t end) { return end <= size; }));
            QCOMPARE(state->records, whole);
            static const std::vector<Ids> kExpected{
                {}, {2}, {2, 3}, {}}; // the last one removes what all hangs on
            QCOMPARE(idsOf(*state), kExpected[whole]);
        }
        for (std::size_t size = 0; size < emptyLog().size(); ++size) {
            QVERIFY(!replayLog(ByteSpan(log).first(size), "boot"));
        }
    }

    // What another boot left counts up to what it said was on the disk.
    void whatTheDiskMayNotHaveDoesNotCount_data() {
        QTest::addColumn<std::string>("boot");
        QTest::addColumn<bool>("marked");
        QTest::addColumn<Ids>("left");
        QTest::newRow("the same boot") << std::string("one") << true << Ids{2, 3, 4};
        QTest::newRow("the same boot, nothing marked") << std::string("one") << false << Ids{2, 3, 4};
        QTest::newRow("another boot") << std::string("two") << true << Ids{2};
        QTest::newRow("another boot, nothing marked") << std::string("two") << false << Ids{};
        QTest::newRow("a log that names no boot") << std::string() << false << Ids{2, 3, 4};
    }
    void whatTheDiskMayNotHaveDoesNotCount() {
        QFETCH(std::string, boot);
        QFETCH(bool, marked);
        QFETCH(Ids, left);
        Transaction first{{entry(2, 1, "a")}, {}, 5};
        first.boot = boot.empty() ? "" : "one";
        std::vector<Transaction> steps{first};
        Transaction mark;
        mark.durable = logOf(steps).size();
        steps.push_back({{entry(3, 1, "b")}, {}, {}}); // before the mark, yet not what it speaks of
        if (marked) {
            steps.push_back(mark);
        }
        steps.push_back({{entry(4, 1, "c")}, {}, {}});
        const auto state = replayLog(logOf(steps), boot);
        QVERIFY(state && sound(*state));
        QCOMPARE(idsOf(*state), left);
    }

    void partsCountTogetherOrNotAtAll() {
        Transaction part{{entry(2, 1, "a")}, {}, {}};
        part.more = true;
        const auto whole = logOf({part, {{entry(3, 2, "b")}, {}, {}}});
        auto state = replayLog(whole, "boot");
        QVERIFY(state && idsOf(*state) == (Ids{2, 3}) && state->records == 1);
        state = replayLog(ByteSpan(whole).first(whole.size() - 1), "boot");
        QVERIFY(state && idsOf(*state).empty() && state->records == 0);
    }

    void oneWrongBitEndsIt() {
        const Bytes log = logOf({{{entry(2, 1, "a")}, {}, {}}, {{entry(3, 2, "b")}, {}, {}}});
        for (std::size_t at = emptyLog().size(); at < log.size(); ++at) {
            Bytes damaged = log;
            damaged[at] ^= std::byte{4};
            const auto state = replayLog(damaged, "boot");
            QVERIFY(state && sound(*state) && state->records < 2);
        }
    }

    void entriesThatHangNowhereAreDropped_data() {
        QTest::addColumn<Ids>("left");
        QTest::addColumn<Bytes>("log");
        const auto row = [](const char* name, std::vector<EntryRecord> put, const Ids& left) {
            QTest::newRow(name) << left << logOf({{std::move(put), {}, {}}});
        };
        row("a tree", {entry(2, 1, "a"), entry(3, 2, "a"), entry(4, 1, "b")}, {2, 3, 4});
        row("the child has the smaller number", {entry(9, 1, "a"), entry(3, 9, "b"), entry(2, 3, "c")},
            {2, 3, 9});
        row("no parent", {entry(2, 1, "a"), entry(4, 3, "b"), entry(5, 4, "c")}, {2});
        row("a ring", {entry(2, 1, "a"), entry(3, 4, "b"), entry(4, 3, "c"), entry(5, 4, "d")}, {2});
        row("two of one name", {entry(2, 1, "a"), entry(3, 1, "a"), entry(4, 1, "b")}, {2, 4});
        row("two of one name, with what is in the second",
            {entry(2, 1, "a"), entry(3, 1, "a"), entry(4, 3, "b")}, {2});
        // What hangs on the second has smaller numbers, the deeper the smaller.
        row("two of one name, with a deep second",
            {entry(5, 1, "a"), entry(9, 1, "a"), entry(7, 9, "b"), entry(6, 7, "c"), entry(3, 6, "d")}, {5});
        row("nothing hangs on 0", {entry(2, 0, "a")}, {});
    }
    void entriesThatHangNowhereAreDropped() {
        QFETCH(Ids, left);
        QFETCH(Bytes, log);
        const auto state = replayLog(log, "boot");
        QVERIFY(state && sound(*state));
        QCOMPARE(idsOf(*state), left);
    }

    void whatNobodyWroteIsRefused_data() {
        QTest::addColumn<QByteArray>("text");
        const auto row = [](const char* name, const char* text) { QTest::newRow(name) << QByteArray(text); };
        const auto put = [](const char* name, const QByteArray& fields) {
            QTest::newRow(name)
                << QByteArray(R"({"put":[{"id":2,"parent":1,"name":"a","kind":"file","mode":420,"uid":0,)") +
                       fields + R"(}],"del":[]})";
        };
        row("nothing", "");
        row("no object", "[]");
        row("no del", R"({"put":[]})");
        row("a fraction", R"({"put":[],"del":[1.5]})");
        row("a field more", R"({"put":[],"del":[],"x":1})");
        row("an epoch beyond all", R"({"put":[],"del":[],"epoch":18446744073709551615})");
        row("an entry that is none", R"({"put":[7],"del":[]})");
        put("no group", R"("lower":true)");
        put("a name with a slash", R"("gid":0,"name_b64":"YS9i")");
        put("a link of no text", R"("gid":0,"link":7)");
        put("a place beyond all", R"("gid":0,"origin":"a","place":18446744073709551615)");
        put("a place of nothing", R"("gid":0,"place":3)");
        put("an object beyond all", R"("gid":0,"object":18446744073709551615)");
        put("from outside", R"("gid":0,"origin":"../a","place":3)");
        row("a number beyond all",
            R"({"put":[{"id":18446744073709551615,"parent":1,"name":"a","kind":"file","mode":420,"uid":0,"gid":0}],"del":[]})");
        row("the root itself",
            R"({"put":[{"id":1,"parent":0,"name":"a","kind":"directory","mode":420,"uid":0,"gid":0}],"del":[]})");
    }
    void whatNobodyWroteIsRefused() {
        QFETCH(QByteArray, text);
        QVERIFY(!decodeTransaction({text.constData(), static_cast<std::size_t>(text.size())}));
    }

    // A record on disk without the content that it names, and content that no record names.
    void aStartTidiesUp() {
        const QTemporaryDir folder;
        const std::string at = folder.path().toStdString() + "/upper";
        EntryRecord lost = entry(3, 1, "lost", EntryKind::File);
        lost.object = 30;
        EntryRecord kept = entry(4, 1, "kept", EntryKind::File);
        kept.object = 40;
        {
            auto store = UpperStore::open(at, {});
            QVERIFY(store && (*store)->epoch() == 1);
            QCOMPARE((*store)->createObject(40), 0);
            QCOMPARE((*store)->createObject(50), 0);
            QCOMPARE((*store)->commit({{lost, kept, entry(9, 1, "d")}, {}, {}}), 0);
            QCOMPARE((*store)->sync(), 0);
        }
        { // a crash in the middle of the next record
            const UniqueFd log(::open((at + "/log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
            QCOMPARE(::write(log.get(), "\x50\0\0\0half", 8), ssize_t{8});
        }
        auto store = UpperStore::open(at, {});
        QVERIFY(store);
        QCOMPARE((*store)->epoch(), std::uint64_t{2});
        QCOMPARE((*store)->highestId(), std::uint64_t{40});
        struct stat info {};
        QCOMPARE(::stat((at + "/" + (*store)->objectPath(40)).c_str(), &info), 0);
        QVERIFY(::stat((at + "/" + (*store)->objectPath(50)).c_str(), &info) != 0);
        const auto loaded = (*store)->takeLoaded();
        QCOMPARE(loaded.size(), std::size_t{2});
        QVERIFY(loaded.at(4) == kept && loaded.at(9) == entry(9, 1, "d"));
    }
};

QTEST_GUILESS_MAIN(TestUpperLog)
#include "test_upper_log.moc"
