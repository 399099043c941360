// SPDX-License-Identifier: Apache-2.0
// I10: a program opens a file between Carrel's look at it and the swap, and writes to it at the very last moment: behind the
// place up to which the swapped-out file was read. What it wrote must not go with that file.
#include "tests/app/files/call_tracer.h"
#include "tests/app/files/files_world.h"

#include <QTest>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

class LateWriter : public Watcher {
public:
    explicit LateWriter(std::string file)
        : m_file(std::move(file)) {}
    ~LateWriter() override { write(); } // at the latest
    LateWriter(const LateWriter&) = delete;
    LateWriter& operator=(const LateWriter&) = delete;

    Order before(const Call& call) override {
        if (call.name() != "pread64") {
            return {};
        }
        const std::string path = pathOf(call.child, static_cast<int>(call.args[0]));
        struct stat st {};
        if (!m_fd && !m_wrote && path.find("/content/") != std::string::npos) { // the look at the file is over by then
            m_fd.reset(::open(m_file.c_str(), O_RDWR | O_CLOEXEC));
            m_inode = m_fd && ::fstat(m_fd.get(), &st) == 0 ? st.st_ino : 0;
        } else if (m_fd && path.find(kTemporaryPrefix) != std::string::npos && ::stat(path.c_str(), &st) == 0 &&
                   st.st_ino == m_inode && call.args[3] >= static_cast<std::uint64_t>(st.st_size)) {
            write(); // all of it was read, and was as expected
        }
        return {};
    }
    [[nodiscard]] bool came() const { return m_inode != 0; }
    void write() {
        if (m_fd) {
            m_wrote = ::pwrite(m_fd.get(), "user", 4, 0) == 4;
            m_fd.reset();
        }
    }

private:
    std::string m_file;
    UniqueFd m_fd;
    ino_t m_inode = 0;
    bool m_wrote = false;
};

} // namespace

class TestLateWrites : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() {
        if (const std::string why = whyNoTracing(); !why.empty()) {
            QSKIP(why.c_str());
        }
    }

    void isNotLost_data() {
        QTest::addColumn<bool>("deletes");
        QTest::addColumn<int>("files");
        QTest::newRow("replaced") << false << 1;
        QTest::newRow("deleted") << true << 1;
        QTest::newRow("replaced among others") << false << 3;
        QTest::newRow("deleted among others") << true << 3;
    }
    void isNotLost() {
        QFETCH(bool, deletes);
        QFETCH(int, files);
        World w;
        for (int i = 0; i < files; ++i) {
            const std::string name = "f" + std::to_string(i);
            writeFile(w.at(name), "text of " + name);
            deletes ? (void)w.claim(ChangeKind::Deleted, name) : (void)w.content(ChangeKind::Modified, name, "agent");
        }
        FrozenSet set;
        {
            auto review = w.review();
            auto frozen = w.freeze(*review);
            QVERIFY(frozen);
            set = *frozen;
        }
        LateWriter writer(w.at("f0"));
        trace(
            [&] {
                auto review = w.review();
                (void)review->apply(w.root.get(), set.id, everything(set));
                return std::string();
            },
            Watched::Reading, writer);
        QVERIFY(writer.came());
        writer.write(); // unless it has
        QCOMPARE(slurp(w.at("f0")), std::string("user of f0")); // its bytes, and the user's over them
        for (int i = 1; i < files; ++i) {
            QCOMPARE(slurp(w.at("f" + std::to_string(i))), std::string(deletes ? "" : "agent"));
        }
    }
};

QTEST_GUILESS_MAIN(TestLateWrites)
#include "test_late_writes.moc"
