// SPDX-License-Identifier: Apache-2.0
// Listing and searching folders, whatever is in them.
#include "guest/agent/tools/list_tool.h"
#include "guest/agent/tools/search_child.h"
#include "guest/agent/tools/tool_specs.h"
#include "guest/protocol/share_path.h"
#include "tests/guest/agent/tools/tool_words.h"
#include "tests/support/sanitized.h"

#include <QTest>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <thread>

using namespace carrel;
using namespace carrel::agent;
using namespace carrel::agent::test;

class TestSearch : public QObject {
    Q_OBJECT
    std::unique_ptr<Folder> m_folder;
    std::vector<std::string> m_program; // this one, in its other role

    std::string lists(const std::string& input, ListLimits limits = {}, const std::stop_token& stop = {}) {
        ListTool tool(*ownToolSpec("list"), m_folder->path(), limits);
        const auto outcome = use(tool, input, stop);
        return (outcome.end == ToolEnd::Failed ? "!" : "") + outcome.text;
    }
    std::string finds(const std::string& input, SearchLimits limits = {}, const std::stop_token& stop = {}) {
        if (carrel::test::kSanitized) {
            limits.memoryBytes = 0; // a sanitizer takes addresses by the terabyte
        }
        SearchTool tool(*ownToolSpec("search"), m_folder->path(), m_program, limits);
        const auto outcome = use(tool, input, stop);
        return (outcome.end == ToolEnd::Failed ? "!" : "") + outcome.text;
    }
    void folder(const std::string& name) { std::filesystem::create_directories(m_folder->at(name)); }
    void link(const std::string& to, const std::string& name) { std::filesystem::create_symlink(to, m_folder->at(name)); }
    void at(const std::string& name, std::time_t seconds) {
        const timespec times[] = {{seconds, 0}, {seconds, 0}};
        QCOMPARE(::utimensat(AT_FDCWD, m_folder->at(name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
    }
    // What no walk may fall into: it would wait, or go around in circles.
    void traps() {
        folder("loop");
        link("..", "loop/up");
        link("self", "self");
        QCOMPARE(::mkfifo(m_folder->at("fifo").c_str(), 0600), 0);
        link("/dev/zero", "zero");
        link("fifo", "tofifo");
    }

    // Minutes of work on one line, for which the C library cannot be stopped.
    void slowPattern() {
        std::string line;
        std::uint32_t random = 1;
        for (int k = 0; k < 4096; ++k) {
            random = random * 1664525U + 1013904223U;
            line += (random >> 30U) % 2 == 0 ? 'a' : 'b';
        }
        m_folder->put("slow", line + "\n");
    }
    static constexpr const char* kSlow = "{'pattern':'(a|b)*a.{60}c'}";
    static std::vector<pid_t> children() {
        std::vector<pid_t> out;
        std::ifstream list("/proc/self/task/" + std::to_string(::gettid()) + "/children");
        for (pid_t each = 0; list >> each;) {
            out.push_back(each);
        }
        return out;
    }

private slots:
    void init() {
        m_folder = std::make_unique<Folder>();
        m_program = {"/proc/self/exe", "search"};
    }

    void listsWhatIsThere() {
        m_folder->put("b", "12345");
        folder("a");
        m_folder->put("a/x", "");
        link("b", "c");
        QCOMPARE(::mkfifo(m_folder->at("d").c_str(), 0600), 0);
        m_folder->put("e\nf", "");
        for (const char* name : {"a/x", "b", "c", "d", "e\nf", "a"}) {
            at(name, 86'400 + 3'660);
        }
        const std::string none = std::string(12, ' ');
        const std::string time = "  1970-01-02 01:01  ";
        const auto expected = "folder " + none + time + "a/\n" + "file   " + "           5" + time + "b\n" + "link   " + none + time + "c -> b\n" +
                              "fifo   " + none + time + "d\n" + "file   " + "           0" + time + "e\\nf\n";
        QCOMPARE(lists("{'path':'.'}"), expected);
        QCOMPARE(lists("{'path':'" + m_folder->path() + "','depth':2}"), expected + "file   " + "           0" + time + "a/x\n");
        folder("empty");
        QCOMPARE(lists("{'path':'empty'}"), std::string("[The folder is empty.]"));
    }

    void listsWithinItsBounds() {
        for (int i = 10; i < 40; ++i) {
            m_folder->put(std::to_string(i), "");
        }
        const auto few = lists("{'path':'.'}", {.lines = 3});
        QVERIFY2(has(few, "  12\n[There is more. Only the first 3 are shown") && !has(few, "  13\n"), few.c_str());
        QVERIFY(!has(lists("{'path':'.'}", {.lines = 30}), "There is more"));
        QVERIFY(has(lists("{'path':'.'}", {.ofOneFolder = 5}), "[The folder holds more than 5"));
    }

    void listsWithoutFallingIn() {
        traps();
        folder(".git/objects");
        const auto all = lists("{'path':'.','depth':10}");
        QVERIFY2(has(all, "loop/up -> ..\n") && has(all, "self -> self\n") && !has(all, "loop/up/") && !has(all, "objects"), all.c_str());
        QVERIFY(has(lists("{'path':'.git'}"), "objects/"));
    }

    void saysWhyItCannotList() {
        traps();
        m_folder->put("file", "");
        QVERIFY(has(lists("{'path':'file'}"), "!file was not listed: it is a file and not a folder. Hint: look at a file with read"));
        QVERIFY(has(lists("{'path':'fifo'}"), "it is a fifo and not a folder"));
        QVERIFY(has(lists("{'path':'none'}"), "No such file"));
        QVERIFY(has(lists("{'path':'self'}"), "symbolic links"));
        QVERIFY(has(lists("{'path':'.','depth':0}"), "\"depth\" is less than 1"));
        std::stop_source source;
        source.request_stop();
        QVERIFY(has(lists("{'path':'.'}", {}, source.get_token()), "!. was not listed: it was stopped"));
        if (::geteuid() != 0) {
            folder("shut");
            QCOMPARE(::chmod(m_folder->at("shut").c_str(), 0), 0);
            QVERIFY(has(lists("{'path':'.','depth':2}"), "[shut/ cannot be looked into: opening it: Permission denied]"));
            QCOMPARE(::chmod(m_folder->at("shut").c_str(), 0700), 0);
        }
    }

    void findsLines() {
        m_folder->put("b.txt", "one\ntwo\r\nthree\n");
        folder("a");
        m_folder->put("a/c.cpp", "two = 2;\n");
        QCOMPARE(finds("{'pattern':'two'}"), std::string("a/c.cpp\n  1: two = 2;\nb.txt\n  2: two\n[2 lines found, in 2 files looked through.]"));
        QCOMPARE(finds("{'pattern':'two$','path':'b.txt'}"), std::string("b.txt\n  2: two\n[1 line found, in 1 file looked through.]"));
        QCOMPARE(finds("{'pattern':'two','path':'a'}"), std::string("c.cpp\n  1: two = 2;\n[1 line found, in 1 file looked through.]"));
        QCOMPARE(finds("{'pattern':'two','glob':'*.{c,cpp}'}"),
                 std::string("a/c.cpp\n  1: two = 2;\n[1 line found, in 1 file looked through.]"));
        QCOMPARE(finds("{'pattern':'four'}"), std::string("[0 lines found, in 2 files looked through.]"));
    }

    void showsWhatIsAround() {
        m_folder->put("a", "1\n2\nx\n4\nx\n6\n7\n8\n9\nx\n");
        QCOMPARE(finds("{'pattern':'x','context':1}"),
                 std::string("a\n  2- 2\n  3: x\n  4- 4\n  5: x\n  6- 6\n  --\n  9- 9\n  10: x\n[3 lines found, in 1 file looked through.]"));
        QCOMPARE(finds("{'pattern':'x','context':2}").find("--"), std::string::npos);
    }

    void passesOverWhatIsNone() {
        traps();
        folder(".git");
        m_folder->put(".git/config", "needle\n");
        m_folder->put("binary", std::string("needle\0", 7));
        m_folder->put("text", "needle\n");
        m_folder->put("real", "needle\n");
        link("real", "alias");
        QCOMPARE(finds("{'pattern':'needle'}"),
                 std::string("real\n  1: needle\ntext\n  1: needle\n[2 lines found, in 2 files looked through. Binary files passed over: 1.]"));
        QVERIFY(has(finds("{'pattern':'needle','path':'alias'}"), "alias\n  1: needle\n")); // what is named is followed
        QVERIFY(has(finds("{'pattern':'needle','path':'.git'}"), "config\n"));
    }

    void saysWhyItCannotSearch() {
        traps();
        QVERIFY(has(finds("{'pattern':'x','path':'fifo'}"), "!fifo was not searched: it is a fifo and not a file"));
        QVERIFY(has(finds("{'pattern':'x','path':'zero'}"), "it is a device and not a file"));
        QVERIFY(has(finds("{'pattern':'x','path':'self'}"), "symbolic links"));
        QVERIFY(has(finds("{'pattern':'x','path':'none'}"), "No such file"));
        QVERIFY(has(finds("{'pattern':'('}"), "it is no regular expression"));
        QVERIFY(has(finds("{'pattern':'x','glob':'['}"), "[ without its ]"));
        QVERIFY(has(finds("{'pattern':'x','context':11}"), "\"context\" is too large"));
        QVERIFY(has(finds("{}"), "\"pattern\" is missing"));
        m_folder->put("a", "x\n");
        std::stop_source source;
        source.request_stop();
        QVERIFY(has(finds("{'pattern':'x'}", {}, source.get_token()), "was not searched: it was stopped"));
    }

    void shownNamesAndLinesAreText() {
        m_folder->put("a\nb\xff", "\xffneedle\x1b\n");
        const auto found = finds("{'pattern':'needle'}");
        QVERIFY(found.starts_with("a\\nb\\xff\n  1: \xef\xbf\xbdneedle"));
        QVERIFY(isUtf8(found));
        QCOMPARE(::unlink(m_folder->at("a\nb\xff").c_str()), 0); // Qt would not find it
    }

    void isBounded() {
        std::string lines;
        for (int i = 0; i < 1000; ++i) {
            lines += "x\n";
        }
        m_folder->put("a", lines);
        const auto few = finds("{'pattern':'x'}", {.hits = 3});
        QVERIFY2(has(few, "  3: x\n[3 lines found") && has(few, "There may be more") && !has(few, "  4"), few.c_str());
        QVERIFY(has(finds("{'pattern':'x','context':1}", {.hits = 3}), "  4- x\n[3 lines found"));
        QVERIFY(finds("{'pattern':'x'}", {.textBytes = 100}).size() < 300);
        QVERIFY(has(finds("{'pattern':'x'}", {.time = std::chrono::milliseconds(0)}), "[0 lines found, in 0 files looked through. The time"));
        m_folder->put("b", std::string(200'000, 'y') + "x\n");
        QVERIFY(has(finds("{'pattern':'x$','path':'b'}", {.fileBytes = 1000}), "There was more to look at than one search does (1000 bytes)"));
        const auto cut = finds("{'pattern':'y','path':'b'}", {.shownOfLine = 5});
        QVERIFY2(has(cut, "  1: yyyyy [\xe2\x80\xa6 199996 bytes of this line left out]\n"), cut.c_str());
    }

    void aHugeFileIsPassedOver() {
        m_folder->put("sparse", "");
        QCOMPARE(::truncate(m_folder->at("sparse").c_str(), 1 << 30), 0);
        QCOMPARE(finds("{'pattern':'x'}"), std::string("[0 lines found, in 0 files looked through. Binary files passed over: 1.]"));
    }

    void aSlowPatternIsStoppedAtOnce() {
        slowPattern();
        std::stop_source source;
        std::atomic<bool> begun = false;
        // Stopped only when the child has worked: as long as it has not, it could be quick by chance.
        const auto parent = ::gettid();
        std::jthread stopper([&] {
            while (!begun) {
                std::ifstream list("/proc/self/task/" + std::to_string(parent) + "/children");
                pid_t child = 0;
                if (list >> child) {
                    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
                    std::string word;
                    for (int i = 0; i < 14 && stat >> word; ++i) { // the 14th: ticks of its own
                    }
                    begun = stat.good() && std::atoi(word.c_str()) > 20;
                }
                std::this_thread::yield();
            }
            source.request_stop();
        });
        const auto told = finds(kSlow, {.time = std::chrono::hours(1)}, source.get_token());
        QVERIFY2(has(told, "was not searched: it was stopped"), told.c_str());
        QVERIFY(begun);
        QVERIFY(children().empty());
    }

    void aSlowPatternEndsWithItsTime() {
        slowPattern();
        const auto told = finds(kSlow, {.time = std::chrono::milliseconds(100), .grace = std::chrono::milliseconds(100)});
        QVERIFY2(has(told, "!") && has(told, "it takes too long for one line. Hint: make the pattern simpler"), told.c_str());
        QVERIFY(children().empty());
    }

    void aChildThatTellsNonsenseIsNotBelieved() {
        m_folder->put("a", "x\n");
        const auto plays = [this](const std::string& script) {
            m_program = {"/bin/sh", "-c", script};
            return finds("{'pattern':'x'}", {.textBytes = 100});
        };
        QVERIFY(has(plays("echo '{\"text\":\"y\",\"failed\":false}'"), "y"));
        QVERIFY(has(plays("echo nonsense"), "!"));
        QVERIFY(has(plays("echo '{\"text\":\"y\",\"failed\":false,\"more\":1}'"), "not known here"));
        QVERIFY(has(plays("kill -SEGV $$"), "more time or memory than a search may"));
        QVERIFY(has(plays("yes"), "it found more than it may tell"));
        m_program = {"/nowhere"};
        QVERIFY(has(finds("{'pattern':'x'}"), "starting a search: No such file"));
    }

    void memoryIsBounded() {
        if (carrel::test::kSanitized) {
            QSKIP("a sanitizer needs more than any bound");
        }
        m_folder->put("a", std::string(4 * 1024 * 1024, 'x') + "\n");
        SearchLimits limits{.heldOfLine = 8 * 1024 * 1024};
        QVERIFY(has(finds("{'pattern':'x'}", limits), "a\n  1: x"));
        limits.memoryBytes = 4096; // less than it has from the start
        const auto told = finds("{'pattern':'x'}", limits); // where exactly there was none is chance
        QVERIFY2(has(told, " memory ") || has(told, "could not be read, or not as a whole: 1"), told.c_str());
    }
};

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "search") == 0) {
        return runSearchChild();
    }
    QCoreApplication app(argc, argv);
    TestSearch test;
    return QTest::qExec(&test, argc, argv);
}
#include "test_search.moc"
