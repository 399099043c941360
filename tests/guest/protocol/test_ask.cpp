// SPDX-License-Identifier: Apache-2.0
// The five questions and their answers, as every reader of them takes them.
#include "guest/protocol/ask.h"
#include "guest/protocol/control.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

ask::Place place(std::uint32_t share, std::string_view path) {
    return {share, SharePath::parse(path).value()};
}

json::object parsed(const char* text) {
    return json::parse(text).as_object();
}

const std::string kHash(64, 'a');

} // namespace

class TestAsk : public QObject {
    Q_OBJECT
private slots:
    void questionsComeBackAsTheyWere() {
        const std::vector<ask::Question> all{
            ask::Apply{{}, "all of it"},
            ask::Apply{{place(1, ""), place(control::kMaxShareId, "a/b \xff")}, "\xc3\xa4 reason"},
            ask::Folder{"the pictures"},
            ask::Forward{1, "the preview"},
            ask::Forward{65535, "\xc3\xa4"},
            ask::Wait{1, 0s},
            ask::Wait{ask::kMaxId, ask::kMaxWait},
            ask::Withdraw{7},
            ask::Why{},
            ask::Why{7},
            ask::Program{kHash, "/usr/bin/tool", {"sh", "make"}, "tool"},
            ask::Program{kHash, "", {}, std::nullopt},
            ask::Installed{{}, true},
            ask::Installed{{{"libc++1", "1:2.0~rc1-3+b1", "amd64", {{kHash, "/usr/bin/a tool"}, {kHash, "/"}}}, {"empty", "0", "all", {}}}, false},
        };
        for (const auto& question : all) {
            QVERIFY(ask::isMethod(ask::methodOf(question)));
            const auto back = ask::questionFrom(ask::methodOf(question), ask::paramsOf(question));
            QVERIFY2(back, back ? "" : back.error().text().c_str());
            QVERIFY(*back == question);
        }
    }

    // A wait that got lost is asked again; what opens a request is not.
    void whatCanBeAskedTwice() {
        QVERIFY(!ask::isRepeatable(ask::Apply{}) && !ask::isRepeatable(ask::Folder{}) && !ask::isRepeatable(ask::Forward{}) &&
                !ask::isRepeatable(ask::Program{}));
        QVERIFY(ask::isRepeatable(ask::Wait{}) && ask::isRepeatable(ask::Withdraw{}) && ask::isRepeatable(ask::Why{}) &&
                ask::isRepeatable(ask::Installed{}));
    }

    void whatIsRefused_data() {
        QTest::addColumn<QByteArray>("method");
        QTest::addColumn<QByteArray>("params");
        const auto row = [](const char* name, const char* method, const QByteArray& params) {
            QTest::newRow(name) << QByteArray(method) << params;
        };
        row("another method", "ask.allow", R"({"id":1})");
        row("no prefix", "apply", R"({"paths":[],"reason":"x"})");
        row("no reason", "ask.apply", R"({"paths":[]})");
        row("an empty one", "ask.apply", R"({"paths":[],"reason":""})");
        row("one that is no text", "ask.folder", R"({"reason":7})");
        row("a long one", "ask.folder", "{\"reason\":\"" + QByteArray(ask::kMaxReasonBytes + 1, 'x') + "\"}");
        row("no paths", "ask.apply", R"({"reason":"x"})");
        row("a path that is none", "ask.apply", R"({"paths":["a"],"reason":"x"})");
        row("upwards", "ask.apply", R"({"paths":[{"share":1,"path":"../a"}],"reason":"x"})");
        row("absolute", "ask.apply", R"({"paths":[{"share":1,"path":"/a"}],"reason":"x"})");
        row("both forms", "ask.apply", R"({"paths":[{"share":1,"path":"a","path_b64":"YQ=="}],"reason":"x"})");
        row("no share", "ask.apply", R"({"paths":[{"path":"a"}],"reason":"x"})");
        row("share 0", "ask.apply", R"({"paths":[{"share":0}],"reason":"x"})");
        row("no such share can be", "ask.apply", R"({"paths":[{"share":4096}],"reason":"x"})");
        row("a share's name", "ask.apply", R"({"paths":[{"share":"papers"}],"reason":"x"})");
        row("more in a path", "ask.apply", R"({"paths":[{"share":1,"mode":"auto"}],"reason":"x"})");
        row("more in a question", "ask.apply", R"({"paths":[],"reason":"x","yes":true})");
        row("a folder's path", "ask.folder", R"({"reason":"x","path":"/etc"})");
        row("no port", "ask.forward", R"({"reason":"x"})");
        row("port 0", "ask.forward", R"({"port":0,"reason":"x"})");
        row("a port beyond all", "ask.forward", R"({"port":65536,"reason":"x"})");
        row("a port in words", "ask.forward", R"({"port":"8000","reason":"x"})");
        row("a port without a reason", "ask.forward", R"({"port":8000})");
        row("another host", "ask.forward", R"({"port":8000,"host":"192.168.1.1","reason":"x"})");
        const auto program = [&row](const char* name, const char* fields) {
            row(name, "ask.program", QByteArray(fields).replace("HASH", QByteArray(64, 'a')));
        };
        program("a program without a hash", R"({"path":"/x","started_by":[]})");
        program("half a hash", R"({"sha256":"aa","path":"/x","started_by":[]})");
        program("a hash in capitals", R"({"sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","path":"/x","started_by":[]})");
        program("no path", R"({"sha256":"HASH","started_by":[]})");
        program("no starters", R"({"sha256":"HASH","path":"/x"})");
        program("too many starters", R"({"sha256":"HASH","path":"/x","started_by":["1","2","3","4","5","6","7","8","9"]})");
        program("a verdict of its own", R"({"sha256":"HASH","path":"/x","started_by":[],"allow":true})");
        row("a path that is too long", "ask.program",
            "{\"sha256\":\"" + QByteArray(64, 'a') + "\",\"path\":\"" + QByteArray(ask::kMaxProgramPathBytes + 1, 'x') + "\",\"started_by\":[]}");
        const auto installed = [&row](const char* name, const char* package) {
            row(name, "ask.installed", "{\"packages\":[" + QByteArray(package).replace("HASH", QByteArray(64, 'a')) + "],\"last\":true}");
        };
        row("installed without an end", "ask.installed", R"({"packages":[]})");
        installed("a package that is a text", R"("tool")");
        installed("without a version", R"({"name":"a","architecture":"all","programs":[]})");
        installed("a name with a line in it", R"({"name":"a\nb","version":"1","architecture":"all","programs":[]})");
        installed("an empty name", R"({"name":"","version":"1","architecture":"all","programs":[]})");
        installed("a content without a path", R"({"name":"a","version":"1","architecture":"all","programs":["HASH"]})");
        installed("a path that is not absolute", R"({"name":"a","version":"1","architecture":"all","programs":["HASH bin/a"]})");
        installed("a path with a backslash", R"({"name":"a","version":"1","architecture":"all","programs":["HASH /a\\b"]})");
        installed("a path that is not ASCII", R"({"name":"a","version":"1","architecture":"all","programs":["HASH /\u00e4"]})");
        installed("a content in capitals", R"({"name":"a","version":"1","architecture":"all","programs":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /a"]})");
        installed("a mark of its own", R"({"name":"a","version":"1","architecture":"all","programs":[],"code":true})");
        row("a path of a program that is too long", "ask.installed",
            "{\"packages\":[{\"name\":\"a\",\"version\":\"1\",\"architecture\":\"all\",\"programs\":[\"" + QByteArray(64, 'a') + " /" +
                QByteArray(ask::kMaxInstalledPathBytes, 'x') + "\"]}],\"last\":true}");
        QByteArray programs;
        for (std::size_t i = 0; i <= ask::kMaxInstalledPrograms / 2; ++i) {
            programs += ",\"" + QByteArray(64, 'a') + " /a\"";
        }
        const QByteArray half = R"({"name":"a","version":"1","architecture":"all","programs":[)" + programs.mid(1) + "]}";
        row("too many programs together", "ask.installed", "{\"packages\":[" + half + "," + half + "],\"last\":true}");
        QByteArray packages;
        for (std::size_t i = 0; i <= ask::kMaxInstalledPackages; ++i) {
            packages += R"(,{"name":"a","version":"1","architecture":"all","programs":[]})";
        }
        row("too many packages", "ask.installed", "{\"packages\":[" + packages.mid(1) + "],\"last\":true}");
        row("wait for nothing", "ask.wait", R"({"seconds":1})");
        row("wait for 0", "ask.wait", R"({"id":0,"seconds":1})");
        row("wait for ever", "ask.wait", R"({"id":1,"seconds":61})");
        row("wait backwards", "ask.wait", R"({"id":1,"seconds":-1})");
        row("withdraw all", "ask.withdraw", "{}");
        row("an id beyond all", "ask.why", R"({"id":18446744073709551615})");
        row("null", "ask.why", R"({"id":null})");
        QByteArray many;
        for (std::size_t i = 0; i <= ask::kMaxPaths; ++i) {
            many += ",{\"share\":1}";
        }
        row("too many paths", "ask.apply", "{\"paths\":[" + many.mid(1) + "],\"reason\":\"x\"}");
        QByteArray large;
        for (std::size_t i = 0; i <= ask::kMaxPathBytes / 3765; ++i) {
            large += ",{\"share\":1,\"path\":\"x" + QByteArray(15, '/').replace("/", "/" + QByteArray(250, 'y')) + "\"}";
        }
        row("paths too long together", "ask.apply", "{\"paths\":[" + large.mid(1) + "],\"reason\":\"x\"}");
    }
    void whatIsRefused() {
        QFETCH(QByteArray, method);
        QFETCH(QByteArray, params);
        QVERIFY(!ask::questionFrom(method.toStdString(), parsed(params.constData())));
    }

    void answersComeBackAsTheyWere() {
        const ask::Standings one{{7, ask::State::Denied, "It was denied"}};
        const ask::Question wait = ask::Wait{7, 1s};
        QCOMPARE(json::serialize(ask::answerTo(wait, one)),
                 std::string(R"({"id":7,"state":"denied","words":"It was denied"})"));
        QVERIFY(ask::standingsFrom(wait, ask::answerTo(wait, one)).value() == one);
        const ask::Standings two{{8, ask::State::Open, ""}, {7, ask::State::Expired, "late"}};
        QVERIFY(ask::standingsFrom(ask::Why{}, ask::answerTo(ask::Why{}, two)).value() == two);
        QVERIFY(ask::standingsFrom(ask::Why{}, ask::answerTo(ask::Why{}, {})).value().empty());
        for (const auto state : {ask::State::Open, ask::State::Allowed, ask::State::Denied, ask::State::Expired,
                                 ask::State::Cancelled}) {
            QVERIFY(ask::stateFrom(ask::toString(state)) == state);
        }
        QVERIFY(!ask::stateFrom("yes") && !ask::stateFrom(""));
    }

    // The largest that a machine may send is a message between clerk and engine.
    void theLargestOfInstalledFits() {
        ask::Installed all{std::vector<ask::Package>(ask::kMaxInstalledPackages, {std::string(128, 'n'), std::string(128, '1'), std::string(128, 'a'), {}}), true};
        all.packages[0].programs.assign(ask::kMaxInstalledPrograms, {kHash, "/" + std::string(ask::kMaxInstalledPathBytes - 1, '<')});
        const auto params = ask::paramsOf(all);
        QVERIFY(ask::questionFrom("ask.installed", params));
        QVERIFY(json::serialize(params).size() < 127 * 1024);
    }

    // Whatever the engine says, the other end can read it.
    void longAnswersAreCut() {
        const ask::Standing one{7, ask::State::Open, std::string(5000, '\x01') + "\xff"};
        const ask::Standings many(100, one);
        const auto answer = ask::answerTo(ask::Why{}, many);
        const auto back = ask::standingsFrom(ask::Why{}, answer);
        QVERIFY2(back, back ? "" : back.error().text().c_str());
        QCOMPARE(back->size(), ask::kMaxListed);
        QCOMPARE(back->front().words.size(), ask::kMaxWordsBytes);
        QVERIFY(json::serialize(answer).size() < 127 * 1024); // a message between clerk and engine
    }

    void answersThatAreNone_data() {
        QTest::addColumn<QByteArray>("answer");
        QTest::newRow("nothing") << QByteArray("{}");
        QTest::newRow("an unknown state") << QByteArray(R"({"id":1,"state":"granted","words":""})");
        QTest::newRow("open, and nothing to come back for") << QByteArray(R"({"id":0,"state":"open","words":""})");
        QTest::newRow("no words") << QByteArray(R"({"id":1,"state":"open"})");
        QTest::newRow("more") << QByteArray(R"({"id":1,"state":"open","words":"","by":"ada"})");
        QTest::newRow("a list") << QByteArray(R"({"requests":[]})");
    }
    void answersThatAreNone() {
        QFETCH(QByteArray, answer);
        QVERIFY(!ask::standingsFrom(ask::Wait{1, 1s}, parsed(answer.constData())));
        const auto listed = parsed(("{\"requests\":[" + answer + "]}").constData());
        QVERIFY(!ask::standingsFrom(ask::Why{}, listed));
        QVERIFY(!ask::standingsFrom(ask::Wait{1, 1s}, listed));
    }
};

QTEST_GUILESS_MAIN(TestAsk)
#include "test_ask.moc"
