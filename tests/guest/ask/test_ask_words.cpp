// SPDX-License-Identifier: Apache-2.0
// What carrel-ask makes of its words, and of the paths among them.
#include "guest/ask/ask_command.h"
#include "guest/ask/ask_paths.h"
#include "guest/protocol/ask.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>

using namespace carrel;
using namespace carrel::ask;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

Result<Command> command(const QStringList& words) {
    std::vector<std::string> list;
    for (const auto& word : words) {
        list.push_back(word.toStdString());
    }
    return commandFrom(list);
}

} // namespace

class TestAskWords : public QObject {
    Q_OBJECT
private slots:
    void verbs() {
        const auto apply = command({"apply", "a", "--reason", "it is done", "b c", "--", "--reason"});
        QVERIFY(apply && apply->verb == Command::Verb::Apply);
        QCOMPARE(apply->paths, (std::vector<std::string>{"a", "b c", "--reason"}));
        QCOMPARE(apply->reason, std::string("it is done"));
        QVERIFY(apply->then == Command::Then::Wait && !apply->waits);
        const auto folder = command({"folder", "--reason=the pictures", "--no-wait"});
        QVERIFY(folder && folder->verb == Command::Verb::Folder && folder->then == Command::Then::ComeBack);
        const auto forward = command({"forward", "8000", "--reason", "the preview", "--for", "5m"});
        QVERIFY(forward && forward->verb == Command::Verb::Forward && forward->port == 8000 && forward->paths.empty() && forward->waits == 300s);
        const auto wait = command({"wait", "12", "--for", "5m"});
        QVERIFY(wait && wait->id == 12U && wait->waits == 300s);
        QVERIFY(command({"withdraw", "12"})->id == 12U);
        QVERIFY(!command({"why"})->id);
        QVERIFY(command({"why", "3"})->id == 3U && !command({"why", "3"})->host);
        QVERIFY(command({"why", "Example.org"})->host == net::Host("example.org") && !command({"why", "example.org"})->id);
        QVERIFY(command({"why", "203.0.113.9"})->host == net::Host(net::Ipv4{203, 0, 113, 9}));
        for (const QStringList& words : {QStringList{"--help"}, QStringList{"help"}, QStringList{"wait", "--help"}}) {
            QVERIFY(command(words)->verb == Command::Verb::Help);
        }
    }

    void wrongWords_data() {
        QTest::addColumn<QStringList>("words");
        const auto row = [](const char* name, const QStringList& words) { QTest::newRow(name) << words; };
        row("none", {});
        row("another verb", {"allow", "1"});
        row("a package", {"packages", "hello"});
        row("packages with a reason", {"packages", "--reason", "x"});
        row("no reason", {"apply", "a"});
        row("an empty one", {"apply", "--reason", ""});
        row("a reason that is missing", {"apply", "--reason"});
        row("a reason that is too long", {"apply", "--reason", QString(281, 'x')});
        row("a folder's path", {"folder", "a", "--reason", "x"});
        row("no port", {"forward", "--reason", "x"});
        row("two ports", {"forward", "8000", "8001", "--reason", "x"});
        row("port 0", {"forward", "0", "--reason", "x"});
        row("a port beyond all", {"forward", "65536", "--reason", "x"});
        row("a port that is none", {"forward", "http", "--reason", "x"});
        row("a port without a reason", {"forward", "8000"});
        row("no number", {"wait"});
        row("no number, but a word", {"wait", "all"});
        row("number 0", {"wait", "0"});
        row("a negative one", {"withdraw", "-1"});
        row("a number and more", {"wait", "1x"});
        row("a host and its port", {"why", "example.org:443"});
        row("a URL", {"why", "https://example.org/"});
        row("two hosts", {"why", "example.org", "example.org"});
        row("two", {"wait", "1", "2"});
        row("beyond all numbers", {"wait", "99999999999999999999"});
        row("no time", {"wait", "1", "--for", "soon"});
        row("no wait and a time", {"apply", "--reason", "x", "--no-wait", "--for", "5s"});
        row("wait and no wait", {"wait", "1", "--no-wait"});
        row("why with a time", {"why", "--for", "5s"});
        row("another option", {"apply", "--reason", "x", "--yes"});
        QStringList many{"apply", "--reason", "x"};
        for (std::size_t i = 0; i <= kMaxPaths; ++i) {
            many << QString::number(i);
        }
        row("too many paths", many);
    }
    void wrongWords() {
        QFETCH(QStringList, words);
        const auto read = command(words);
        QVERIFY(!read && read.error().code == ErrorCode::InvalidArgument);
        QVERIFY(!read.error().message.empty());
    }

    // 280 characters, whatever their bytes; and what is no UTF-8 becomes so.
    void reasonsOfAnyBytes() {
        std::string longest;
        for (int i = 0; i < 280; ++i) {
            longest += "\xf0\x9f\x93\x9a";
        }
        QCOMPARE(commandFrom({"apply", "--reason", longest})->reason, longest);
        QVERIFY(!commandFrom({"apply", "--reason", longest + "x"}));
        QCOMPARE(commandFrom({"apply", "--reason", "a\xff"})->reason, std::string("a?"));
    }

    void durations() {
        QVERIFY(durationFrom("0") == 0s && durationFrom("90") == 90s && durationFrom("90s") == 90s);
        QVERIFY(durationFrom("5m") == 5min && durationFrom("2h") == 2h && durationFrom("1d") == 24h);
        for (const char* text : {"", "s", "-1", "1.5h", "5 m", "9999999999999999999d", "40d", "1hh"}) {
            QVERIFY2(!durationFrom(text), text);
        }
    }

    void paths() {
        QTemporaryDir dir;
        const std::string workspace = fs::canonical(dir.path().toStdString()).string() + "/workspace";
        fs::create_directories(workspace + "/papers/sub");
        fs::create_directories(workspace + "/other");
        std::ofstream(workspace + "/papers/file") << "x";
        fs::create_symlink("file", workspace + "/papers/link");
        fs::create_symlink(workspace + "/papers/sub", dir.path().toStdString() + "/way");
        const auto one = [&](const std::string& path, const std::string& from) -> std::string {
            const auto places = placesOf({path}, from, workspace);
            if (!places) {
                return "error";
            }
            return places->empty() ? "everything" : places->front().share + ":" + places->front().path.text();
        };
        const auto papers = workspace + "/papers";
        QCOMPARE(one(papers, "/"), std::string("papers:"));
        QCOMPARE(one(papers + "/", "/"), std::string("papers:"));
        QCOMPARE(one(papers + "/file", "/"), std::string("papers:file"));
        QCOMPARE(one("file", papers), std::string("papers:file"));
        QCOMPARE(one("./sub/../file", papers), std::string("papers:file"));
        QCOMPARE(one(".", papers + "/sub"), std::string("papers:sub"));
        QCOMPARE(one("..", papers + "/sub"), std::string("papers:"));
        QCOMPARE(one("../..", papers + "/sub"), std::string("everything"));
        QCOMPARE(one("../../other", papers + "/sub"), std::string("other:"));
        QCOMPARE(one("link", papers), std::string("papers:link")); // the link itself may be what was made
        QCOMPARE(one("gone", papers), std::string("papers:gone"));  // it may have been deleted
        QCOMPARE(one("gone/too", papers), std::string("papers:gone/too"));
        QCOMPARE(one("gone/too/", papers), std::string("papers:gone/too"));
        QCOMPARE(one(dir.path().toStdString() + "/way/x", "/"), std::string("papers:sub/x"));
        QCOMPARE(one("\xff", papers), std::string("papers:\xff"));
        QCOMPARE(one(workspace, "/"), std::string("everything"));
        for (const auto& [path, from] : std::vector<std::pair<std::string, std::string>>{
                 {"/etc/passwd", "/"}, {"../../..", papers + "/sub"}, {"file", "/"}, {"", papers}, {"file", ""},
                 {workspace + "x/a", "/"}, {papers + "/file/../../../..", "/"}}) {
            QVERIFY2(one(path, from) == "error", path.c_str());
        }
        const auto many = placesOf({"file", "sub", "./file"}, papers, workspace);
        QVERIFY(many && many->size() == 2); // named twice is asked once
        QVERIFY(placesOf({"file", workspace}, papers, workspace)->empty());
        QVERIFY(placesOf({}, papers, workspace)->empty());
    }
};

QTEST_GUILESS_MAIN(TestAskWords)
#include "test_ask_words.moc"
