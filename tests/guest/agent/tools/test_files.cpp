// SPDX-License-Identifier: Apache-2.0
// Reading, writing and editing: whatever stands at a path, nothing waits, nobody sees half a file, and no change is lost unseen.
#include "guest/agent/tools/edit_tool.h"
#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/read_tool.h"
#include "guest/agent/tools/replace_text.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_specs.h"
#include "guest/agent/tools/write_tool.h"
#include "guest/protocol/share_path.h"
#include "tests/guest/agent/tools/tool_words.h"

#include <QTest>

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

namespace {

mode_t modeOf(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 07777 : 0;
}

} // namespace

class TestFiles : public QObject {
    Q_OBJECT
    std::unique_ptr<Folder> m_folder;
    std::unique_ptr<FileBook> m_book;

    std::string reads(const std::string& input, ReadLimits limits = {}, const std::stop_token& stop = {}) {
        ReadTool tool(*ownToolSpec("read"), m_folder->path(), *m_book, limits);
        const auto outcome = use(tool, input, stop);
        return (outcome.end == ToolEnd::Failed ? "!" : "") + outcome.text;
    }
    std::string writes(const std::string& input) {
        WriteTool tool(*ownToolSpec("write"), m_folder->path(), *m_book);
        const auto outcome = use(tool, input);
        return (outcome.end == ToolEnd::Failed ? "!" : "") + outcome.text;
    }
    std::string edits(const std::string& input) {
        EditTool tool(*ownToolSpec("edit"), m_folder->path(), *m_book);
        const auto outcome = use(tool, input);
        return (outcome.end == ToolEnd::Failed ? "!" : "") + outcome.text;
    }
    [[nodiscard]] std::size_t count() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(m_folder->path()), {}));
    }

private slots:
    void init() {
        m_folder = std::make_unique<Folder>();
        m_book = std::make_unique<FileBook>();
    }

    void readsLinesWithNumbers() {
        m_folder->put("a", "one\ntwo\r\n\nfour");
        QCOMPARE(reads("{'path':'a'}"), std::string("1\tone\n2\ttwo\r\n3\t\n4\tfour\n"));
        QCOMPARE(reads("{'path':'" + m_folder->at("a") + "','offset':2,'limit':1}"),
                 std::string("2\ttwo\r\n[More lines follow: go on with offset 3.]"));
        QCOMPARE(reads("{'path':'a','offset':4,'limit':1}"), std::string("4\tfour\n"));
        QCOMPARE(reads("{'path':'a','offset':9}"), std::string("[The file has only 4 lines.]"));
        m_folder->put("empty", "");
        QCOMPARE(reads("{'path':'empty'}"), std::string("[The file is empty.]"));
    }

    void whatIsReadIsBounded() {
        m_folder->put("a", std::string(100'000, 'x') + "\nb\n");
        QCOMPARE(reads("{'path':'a'}", {.lineBytes = 5}), std::string("1\txxxxx [\xe2\x80\xa6 99995 bytes of this line left out]\n2\tb\n"));
        m_folder->put("b", "aaaa\nbbbb\ncccc\n");
        QCOMPARE(reads("{'path':'b'}", {.textBytes = 8}), std::string("1\taaaa\n2\tbbbb\n[More lines follow: go on with offset 3.]"));
        std::string many;
        for (int i = 0; i < 100'000; ++i) {
            many += "y\n";
        }
        m_folder->put("c", many);
        QVERIFY(has(reads("{'path':'c','offset':90000,'limit':1}", {.fileBytes = 100'000}), "is more than 100000 bytes into the file"));
        QCOMPARE(reads("{'path':'c','offset':100000,'limit':1}"), std::string("100000\ty\n"));
    }

    void whatIsReadIsText() {
        m_folder->put("a", "stra\xdf""e \xc3\xa4\n");
        QCOMPARE(reads("{'path':'a'}"), std::string("1\tstra\xef\xbf\xbd""e \xc3\xa4\n"));
        m_folder->put("b", std::string("ELF\0\n", 5));
        QVERIFY(has(reads("{'path':'b'}"), "!b is not text: a binary file of 5 bytes"));
    }

    void aHugeFileIsNotReadWhole() {
        const auto path = m_folder->at("sparse");
        m_folder->put("sparse", "");
        QCOMPARE(::truncate(path.c_str(), 1 << 30), 0);
        QVERIFY(has(reads("{'path':'sparse'}"), "!sparse is not text: a binary file of 1073741824 bytes"));
        m_folder->put("text", std::string(70'000, 'x'));
        QCOMPARE(::truncate(m_folder->at("text").c_str(), 1 << 30), 0);
        QVERIFY(has(reads("{'path':'text'}", {.fileBytes = 1 << 20}), "is more than 1048576 bytes into the file"));
        QVERIFY(has(edits("{'path':'text','old':'x','new':'y'}"), "it is longer than 8388608 bytes"));
    }

    void readingIsStopped() {
        m_folder->put("a", "x\n");
        std::stop_source source;
        source.request_stop();
        QVERIFY(has(reads("{'path':'a'}", {}, source.get_token()), "it was stopped"));
    }

    // Each of them would keep a plain open(2) waiting, or do something; and one cannot be written over.
    void whatIsNoFileIsRefused_data() {
        QTest::addColumn<QByteArray>("path");
        QTest::addColumn<QByteArray>("why");
        QTest::newRow("fifo") << QByteArray("fifo") << QByteArray("it is a fifo and not a file");
        QTest::newRow("socket") << QByteArray("socket") << QByteArray("it is a socket and not a file");
        QTest::newRow("device") << QByteArray("/dev/tty") << QByteArray("it is a device and not a file");
        QTest::newRow("endless device") << QByteArray("/dev/zero") << QByteArray("it is a device and not a file");
        QTest::newRow("link to a fifo") << QByteArray("link") << QByteArray("it is a fifo and not a file");
        QTest::newRow("folder") << QByteArray("folder") << QByteArray("it is a folder and not a file. Hint: look at a folder with list");
        QTest::newRow("loop") << QByteArray("loop") << QByteArray("Too many levels of symbolic links");
        QTest::newRow("below a file") << QByteArray("file/x") << QByteArray("Not a directory");
        QTest::newRow("empty") << QByteArray("") << QByteArray("the path is empty");
        QTest::newRow("nul") << QByteArray("file\\u0000x") << QByteArray("a path cannot hold a NUL");
        QTest::newRow("long") << QByteArray(3000, 'x') << QByteArray("File name too long");
        QTest::newRow("too long") << QByteArray(5000, 'x') << QByteArray("\"path\" is too long");
    }
    void whatIsNoFileIsRefused() {
        QFETCH(QByteArray, path);
        QFETCH(QByteArray, why);
        QCOMPARE(::mkfifo(m_folder->at("fifo").c_str(), 0600), 0);
        std::filesystem::create_symlink("fifo", m_folder->at("link"));
        std::filesystem::create_symlink("loop", m_folder->at("loop"));
        std::filesystem::create_directory(m_folder->at("folder"));
        m_folder->put("file", "here");
        const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        m_folder->at("socket").copy(address.sun_path, sizeof address.sun_path - 1);
        QCOMPARE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        const auto before = count();
        const auto input = "{'path':'" + path.toStdString() + "'";
        for (const auto& said : {reads(input + "}"), writes(input + ",'content':'x'}"), edits(input + ",'old':'a','new':'b'}")}) {
            QVERIFY2(said.starts_with("!") && has(said, why.toStdString()), said.c_str());
        }
        QCOMPARE(count(), before);
        QCOMPARE(m_folder->get("file"), std::string("here"));
    }

    void filesOfTheKernelDoNotWait() {
        QVERIFY(has(reads("{'path':'/proc/self/status'}"), "1\tName:"));
        reads("{'path':'/proc/kmsg'}"); // would wait for the kernel's next word, where it may be opened at all
    }

    void namesAreShownOnOneLine() {
        QVERIFY(has(reads("{'path':'a\\nb'}"), "!a\\nb was not read: opening it: No such file"));
        QVERIFY(writes("{'path':'a\\nb','content':'x\\n'}").starts_with("Wrote 2 bytes to a\\nb, a new file."));
        QCOMPARE(m_folder->get("a\nb"), std::string("x\n"));
    }

    void writesNewFiles() {
        const auto mask = ::umask(027);
        QCOMPARE(writes("{'path':'x/y/z','content':'hello'}"), std::string("Wrote 5 bytes to x/y/z, a new file."));
        ::umask(mask);
        QCOMPARE(m_folder->get("x/y/z"), std::string("hello"));
        QCOMPARE(modeOf(m_folder->at("x/y/z")), mode_t(0640));
        QVERIFY(writes("{'path':'x/n/','content':''}").starts_with("!"));
    }

    void writesOverWhatIsThere() {
        m_folder->put("real", "before");
        QCOMPARE(::chmod(m_folder->at("real").c_str(), 0751), 0);
        std::filesystem::create_symlink("real", m_folder->at("link"));
        const UniqueFd old(::open(m_folder->at("real").c_str(), O_RDONLY | O_CLOEXEC));
        QCOMPARE(writes("{'path':'link','content':'after'}"), std::string("Wrote 5 bytes to link, in the place of what it held before."));
        QVERIFY(std::filesystem::is_symlink(m_folder->at("link")));
        QCOMPARE(m_folder->get("real"), std::string("after"));
        QCOMPARE(modeOf(m_folder->at("real")), mode_t(0751));
        QCOMPARE(*readWhole(old.get(), 100), std::string("before")); // whoever had it open sees it whole
        QCOMPARE(count(), std::size_t(2));
    }

    void doesNotWriteWhatMayNotBeWritten() {
        std::filesystem::create_symlink("nothing", m_folder->at("dangling"));
        QVERIFY(has(writes("{'path':'dangling','content':'x'}"), "a link to something that is not there"));
        QVERIFY(!std::filesystem::exists(m_folder->at("nothing")));
        if (::geteuid() == 0) {
            return; // may write everything
        }
        m_folder->put("sealed", "before");
        QCOMPARE(::chmod(m_folder->at("sealed").c_str(), 0444), 0);
        QVERIFY(has(writes("{'path':'sealed','content':'x'}"), "Permission denied"));
        QCOMPARE(m_folder->get("sealed"), std::string("before"));
    }

    // One writes, one looks: what is seen is always one of the two, and whole.
    void nobodySeesHalfAFile() {
        const std::string a(300'000, 'a');
        const std::string b(300'000, 'b');
        m_folder->put("f", a);
        std::atomic<bool> done = false;
        std::jthread writer([&] {
            WriteTool tool(*ownToolSpec("write"), m_folder->path(), *m_book);
            for (int i = 0; i < 50; ++i) {
                (void)tool.run({{"path", "f"}, {"content", i % 2 == 0 ? b : a}}, {});
            }
            done = true;
        });
        do {
            const auto seen = m_folder->get("f");
            QVERIFY(seen == a || seen == b);
        } while (!done);
    }

    void editsWhatWasRead() {
        m_folder->put("a", "one\ntwo\nthree\n");
        QVERIFY(has(edits("{'path':'a','old':'two','new':'2'}"), "it was not read in this conversation"));
        QCOMPARE(m_folder->get("a"), std::string("one\ntwo\nthree\n"));
        reads("{'path':'a','limit':1}");
        QCOMPARE(edits("{'path':'a','old':'two','new':'2'}"), std::string("Changed a in line 2."));
        QCOMPARE(edits("{'path':'./a','old':'2\\n','new':''}"), std::string("Changed ./a in line 2.")); // its own change is known
        QCOMPARE(m_folder->get("a"), std::string("one\nthree\n"));
        QVERIFY(writes("{'path':'b','content':'x'}").starts_with("Wrote"));
        QCOMPARE(edits("{'path':'b','old':'x','new':'y'}"), std::string("Changed b in line 1."));
    }

    void editsNothingThatWasChangedMeanwhile() {
        m_folder->put("a", "one\n");
        struct stat before {};
        QCOMPARE(::stat(m_folder->at("a").c_str(), &before), 0);
        reads("{'path':'a'}");
        m_folder->put("a", "two\n"); // as long, and as old
        const timespec times[] = {before.st_atim, before.st_mtim};
        QCOMPARE(::utimensat(AT_FDCWD, m_folder->at("a").c_str(), times, 0), 0);
        QVERIFY(has(edits("{'path':'a','old':'two','new':'three'}"), "it was changed since it was read. Hint: read it"));
        m_folder->put("a", "one\n"); // younger, but what was read
        QCOMPARE(edits("{'path':'a','old':'one','new':'1'}"), std::string("Changed a in line 1."));
    }

    void saysWhyAnEditCannotBe() {
        m_folder->put("a", "int a = 1;\n    return compute(a);\nx\nx\n");
        reads("{'path':'a'}");
        const auto twice = edits("{'path':'a','old':'x','new':'y'}");
        QVERIFY2(has(twice, "is in the file 2 times, in lines 3, 4. Hint:"), twice.c_str());
        const auto none = edits("{'path':'a','old':'\\treturn compute(b);','new':'y'}");
        QVERIFY2(has(none, "is not in the file") && has(none, "\n2\t    return compute(a);\n"), none.c_str());
        QVERIFY(!has(edits("{'path':'a','old':'zzzzzzzzz','new':'y'}"), "most like"));
        QVERIFY(has(edits("{'path':'a','old':'','new':'y'}"), "is empty"));
        QVERIFY(has(edits("{'path':'a','old':'x','new':'x'}"), "are the same"));
        QVERIFY(has(edits("{'path':'a','old':'x'}"), "\"new\" is missing"));
        QCOMPARE(edits("{'path':'a','old':'x','new':'y','all':true}"), std::string("Changed a in 2 places, the first in line 3."));
        QCOMPARE(m_folder->get("a"), std::string("int a = 1;\n    return compute(a);\ny\ny\n"));
    }

    void editsKeepAllOtherBytes() {
        m_folder->put("a", "\xff\r\nold\r\n\xdf");
        QCOMPARE(::chmod(m_folder->at("a").c_str(), 0755), 0);
        reads("{'path':'a'}");
        QVERIFY(edits("{'path':'a','old':'old','new':'new'}").starts_with("Changed"));
        QCOMPARE(m_folder->get("a"), std::string("\xff\r\nnew\r\n\xdf"));
        QCOMPARE(modeOf(m_folder->at("a")), mode_t(0755));
    }

    void editsAtTheSameTimeAllCount() {
        std::string lines;
        for (int i = 10; i < 42; ++i) {
            lines += "old " + std::to_string(i) + "\n";
        }
        m_folder->put("a", lines);
        reads("{'path':'a'}");
        std::vector<std::jthread> threads;
        std::atomic<int> changed = 0;
        for (int i = 10; i < 42; ++i) {
            threads.emplace_back([this, i, &changed] {
                const auto number = std::to_string(i);
                changed += edits("{'path':'a','old':'old " + number + "','new':'new " + number + "'}").starts_with("Changed") ? 1 : 0;
            });
        }
        threads.clear();
        QCOMPARE(changed.load(), 32);
        QVERIFY(!has(m_folder->get("a"), "old"));
    }

    void replacesWithinItsBound() {
        QVERIFY(replaceText("aa", "a", "bb", Places::All, 4));
        QVERIFY(replaceText("aa", "a", "bbb", Places::All, 5).error().code == ErrorCode::LimitExceeded);
        QVERIFY(replaceText("axxxx", "a", "bb", Places::All, 5).error().code == ErrorCode::LimitExceeded);
        QCOMPARE(replaceText("aaa", "aa", "b", Places::One, 9)->text, std::string("ba"));
    }

    void whatIsNearIsBounded() {
        const std::string huge(1'000'000, 'x');
        const auto near = nearestLines(huge + "\n" + huge, huge.substr(1));
        QVERIFY(!near.empty() && near.size() < 2000 && isUtf8(near));
        QVERIFY(nearestLines("a\nb\n", "\n \n").empty());
        QVERIFY(nearestLines("", "a").empty());
    }
};

QTEST_GUILESS_MAIN(TestFiles)
#include "test_files.moc"
