// SPDX-License-Identifier: Apache-2.0
// Exporting on the command line: through an engine, which signs what is exported, and of a copy without one.
#include "tests/app/cli/cli_test.h"
#include "tests/app/export/session_log.h"

#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>

#include <array>
#include <fcntl.h>

using namespace carrel;
using namespace carrel::test;
using carrel::activity::tests::note;
using carrel::exporting::tests::SessionLog;

class TestCliExport : public QObject, protected CliTest {
    Q_OBJECT

    std::unique_ptr<SessionLog> m_log;

    [[nodiscard]] QString file() const { return QString::fromStdString(m_log->file); }
    [[nodiscard]] QString path(const QString& name) const { return m_folder.filePath(name); }
    static QByteArray textOf(const QString& file) {
        QFile from(file);
        return from.open(QIODevice::ReadOnly) ? from.readAll() : QByteArray("cannot be read");
    }
    [[nodiscard]] QByteArray read(const QString& name) const { return textOf(path(name)); }
    // Nothing half done is left beside what was asked for.
    [[nodiscard]] QStringList left() const { return QDir(m_folder.path()).entryList({".carrel*"}, QDir::AllEntries | QDir::Hidden); }

private slots:
    void initTestCase() {
        if (::geteuid() == 0) {
            QSKIP("Carrel refuses to run as root, so its tests do too: run them as a user");
        }
        prepareAll();
    }
    void init() {
        beginEngine();
        m_log = std::make_unique<SessionLog>();
        (void)m_log->log().append(note("first")).value();
        m_log->addRecording("sh", {{{{0, 'o', "one"}, {1'000'000, 'o', "\x1b[1mtwo"}}}});
        m_engine->setAnswer("log.head", json::object{{"agent", "clerk"}, {"head", "x"}, {"key", "x"}, {"seq", 4}, {"time", "2026-03-01T12:00:00.000Z"}, {"file", m_log->file}});
    }
    void cleanup() {
        endEngine();
        for (const char* name : {"out", "out2"}) {
            QFile::remove(path(name));
        }
    }

    void eachFormGoesThroughAPipe() {
        auto ran = run({"export", "clerk", "--format", "jsonl"});
        QVERIFY2(ran.status == 0 && ran.out.startsWith("{\"seq\":1,") && ran.out.count('\n') == 4 && ran.err.isEmpty(), ran.out + ran.err);
        QCOMPARE(asked().last(), QString("log.head"));
        QCOMPARE(lastParams(), QByteArray(R"({"agent":"clerk"})"));
        ran = run({"export", "clerk", "--format", "asciicast3", "--output", "-"});
        QVERIFY2(ran.status == 0 && ran.out.startsWith("{\"version\":3,") && ran.out.contains("[1.000000, \"o\", \"\\u001b[1mtwo\"]\n"), ran.out + ran.err);
        ran = run({"export", "clerk", "--format", "asciicast2", "--recording", "1"});
        QVERIFY2(ran.status == 0 && ran.out.startsWith("{\"version\":2,"), ran.out + ran.err);
        ran = run({"export", "clerk", "--format", "html"});
        QVERIFY2(ran.status == 0 && ran.out.startsWith("<!DOCTYPE html>") && ran.out.endsWith("</html>\n") && ran.out.contains("<title>clerk"), ran.err);
    }

    void aFileIsNewAndOnlyOnesOwn() {
        auto ran = run({"export", "clerk", "--format", "html", "--output", path("out")});
        QVERIFY2(ran.status == 0 && ran.out.startsWith("Written: " + path("out").toUtf8() + " (") && ran.out.contains(", 4 events, 1 recording)\n"), ran.out + ran.err);
        QVERIFY(read("out").startsWith("<!DOCTYPE html>"));
        QCOMPARE(QFile::permissions(path("out")) & (QFile::ReadGroup | QFile::ReadOther | QFile::WriteGroup | QFile::WriteOther), QFile::Permissions());
        const auto before = read("out");
        ran = run({"export", "clerk", "--format", "jsonl", "--output", path("out")});
        QVERIFY2(ran.status == 1 && ran.err.contains("there is already something at") && ran.err.contains("--force"), ran.err);
        QCOMPARE(read("out"), before);
        ran = run({"export", "clerk", "--format", "jsonl", "--output", path("out"), "--force", "--json"});
        const auto told = QJsonDocument::fromJson(ran.out).object();
        QCOMPARE(told["events"].toInt(), 4);
        QCOMPARE(told["file"].toString(), path("out"));
        QCOMPARE(told["bytes"].toInt(), int(read("out").size()));
        QVERIFY(read("out").startsWith("{\"seq\":1,"));
        QVERIFY(QFile::link(path("out"), path("out2"))); // what it leads to is left alone
        ran = run({"export", "clerk", "--format", "jsonl", "--output", path("out2"), "--force"});
        QVERIFY2(ran.status == 1 && ran.err.contains("is no file"), ran.err);
        QCOMPARE(left(), QStringList());
    }

    void aFailureLeavesNothing() {
        auto ran = run({"export", "clerk", "--format", "asciicast3", "--recording", "9", "--output", path("out")});
        QVERIFY2(ran.status == 1 && ran.err.contains("there is no recording 9") && ran.err.contains("carrel record list"), ran.err);
        m_log->addRawRecording("sh", "nonsense\n");
        ran = run({"export", "clerk", "--format", "html", "--output", path("out")});
        QVERIFY2(ran.status == 1 && ran.err.contains("this piece of the recording has no form that can be read"), ran.err);
        ran = run({"export", "clerk", "--format", "html", "--output", path("none/out")});
        QVERIFY2(ran.status == 1 && ran.err.contains("cannot make a file in"), ran.err);
        m_engine->setAnswer("log.head", fail(ErrorCode::NotFound, "there is no agent of that name"));
        ran = run({"export", "clerk", "--format", "html", "--output", path("out")});
        QVERIFY2(ran.status == 1 && ran.err.contains("there is no agent of that name"), ran.err);
        QVERIFY(!QFile::exists(path("out")));
        QCOMPARE(left(), QStringList());
        QVERIFY(run({"export", file(), "--format", "jsonl", "--output", "/dev/full/x"}).status == 1);
    }

    void wrongUsesAreToldSo() {
        QCOMPARE(run({"export", "clerk"}).status, 2);
        QCOMPARE(run({"export", "clerk", "--format", "pdf"}).status, 2);
        QCOMPARE(run({"export", "clerk", "--format", "html", "--recording", "0"}).status, 2);
        auto ran = run({"export", "clerk", "--format", "jsonl", "--recording", "1"});
        QVERIFY2(ran.status == 1 && ran.err.contains("have no recording in them"), ran.err);
        ran = type({"export", "clerk", "--format", "jsonl"}, {}); // raw text of a machine is not for a terminal (I11)
        QVERIFY2(ran.status == 1 && ran.out.contains("not for a terminal") && !ran.out.contains("\"seq\""), ran.out);
    }

    // Somebody was given a copy: there is no engine to ask, and nothing in the file is believed.
    void aCopyNeedsNoEngine() {
        endEngine();
        auto ran = run({"export", file(), "--format", "jsonl", "--output", path("out")});
        QVERIFY2(ran.status == 0 && read("out").count('\n') == 4, ran.err);
        QVERIFY(m_log->change("UPDATE event SET subject = 'x' WHERE seq = 2"));
        ran = run({"export", file(), "--format", "html", "--output", path("out"), "--force"});
        QVERIFY2(ran.status == 1 && ran.err.contains("event 2 of the activity log is not as it was written"), ran.err);
        QVERIFY(read("out").startsWith("<!DOCTYPE html>")); // to be looked at, and marked
        ran = run({"export", path("nowhere/x.db"), "--format", "jsonl"});
        QVERIFY2(ran.status == 1 && ran.err.contains("there is no file"), ran.err);
    }

    // I1: who reads what a machine wrote can open and connect to nothing, and has nothing open but the log and the output.
    void theReaderIsConfinedAndHasNoSocket() {
        QVERIFY(m_log->log().appendUnflushed(std::vector<activity::Event>(1000, note(std::string(1000, 'x')))));
        std::array<int, 2> ends{-1, -1};
        QVERIFY(::pipe2(ends.data(), O_CLOEXEC) == 0);
        QProcess process;
        prepare(process, m_program);
        process.setArguments({"export", "clerk", "--format", "jsonl"});
        process.setChildProcessModifier([&] { (void)::dup2(ends[1], STDOUT_FILENO); });
        process.start();
        QVERIFY(process.waitForStarted());
        ::close(ends[1]);
        char first = 0;
        QCOMPARE(::read(ends[0], &first, 1), ssize_t{1}); // it writes, and then waits: nobody reads so much
        const auto number = QString::number(process.processId());
        const auto child = QString::fromUtf8(textOf("/proc/" + number + "/task/" + number + "/children")).trimmed();
        QVERIFY(!child.isEmpty());
        const auto status = textOf("/proc/" + child + "/status");
        QVERIFY2(status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n"), status);
        QStringList open;
        for (const auto& each : QDir("/proc/" + child + "/fd").entryInfoList(QDir::System | QDir::Files | QDir::NoDotAndDotDot)) {
            std::array<char, 4096> target{};
            const auto path = each.filePath().toUtf8();
            (void)!::readlink(path.constData(), target.data(), target.size() - 1);
            open << QString::fromUtf8(target.data());
        }
        QVERIFY(open.size() >= 4);
        for (const auto& each : open) {
            QVERIFY2(each.startsWith("pipe:") || each.contains("activity.db") || each.startsWith("/dev/null"), qPrintable(each));
        }
        ::close(ends[0]);
        QVERIFY(process.waitForFinished(60000));
        QCOMPARE(process.exitCode(), 1);
        QVERIFY(process.readAllStandardError().contains("the output could not be written"));
    }

    // A large one, read while the engine has the log open: the reader confines itself, and asks for nothing more of the kernel.
    void aLargeOne() {
        for (int i = 0; i < 10; ++i) {
            QVERIFY(m_log->log().appendUnflushed(std::vector<activity::Event>(1000, note(std::string(1000, 'x')))));
        }
        std::vector<carrel::exporting::tests::PieceOfTests> pieces;
        for (std::uint64_t i = 0; i < 20; ++i) {
            pieces.push_back({{{i * 1'000'000, 'o', std::string(200'000, char('a' + i))}}});
        }
        m_log->addRecording("large", pieces);
        auto ran = run({"export", "clerk", "--format", "jsonl", "--output", path("out")});
        QVERIFY2(ran.status == 0, ran.err);
        QVERIFY(read("out").size() > 10'000'000);
        ran = run({"export", "clerk", "--format", "html", "--output", path("out2")});
        QVERIFY2(ran.status == 0 && ran.out.contains("2 recordings"), ran.err);
        QVERIFY(read("out2").size() > 7'000'000);
    }
};

QTEST_GUILESS_MAIN(TestCliExport)
#include "test_cli_export.moc"
