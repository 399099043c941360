// SPDX-License-Identifier: Apache-2.0
// I8, on real machines: documents that an agent changes are read in a viewer's machine and nowhere else, that machine has
// nothing but a read-only disk and a channel, and none is left behind. The functions run in order and share the world.
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"

#include <QDir>
#include <QFileInfo>
#include <QTest>

using namespace carrel::live;
namespace fs = std::filesystem;

namespace {

const QString kAgent = "vera";

QByteArray documentsModule() {
    return QByteArray::fromStdString(readFile(fs::path(CARREL_SOURCE_DIR) / "tests/support/documents.py"));
}

// Of the viewers' machines of a home; there is one at most.
std::int64_t viewerPid(const QString& home) {
    for (const auto& entry : QDir("/proc").entryList(QDir::Dirs)) {
        const auto pid = entry.toLongLong();
        const auto line = pid > 0 ? processFile(pid, "cmdline") : std::string();
        if (line.find(home.toStdString()) != std::string::npos && line.find("carrel.viewer=1") != std::string::npos) {
            return pid;
        }
    }
    return 0;
}

QJsonObject entryOf(const QJsonObject& result, const char* list, const QString& path) {
    const auto entries = result.value(list).toArray();
    for (const auto& each : entries) {
        const auto entry = each.toObject();
        const auto change = entry.contains("change") ? entry.value("change").toObject() : entry;
        if (change.value("path") == path) {
            return entry;
        }
    }
    return {};
}

QJsonObject documentOf(const QJsonObject& entry) {
    const auto change = entry.contains("change") ? entry.value("change").toObject() : entry;
    return change.value("document").toObject();
}

} // namespace

class TestViewer : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();

    void I8_textOfChangedDocuments();
    void I8_theViewerHasNothing();
    void hostileDocumentsAreSaidToBe();
    void stoppingTheEngineEndsIt();
    void theNextEngineEndsOneThatWasLeft();

private:
    [[nodiscard]] fs::path papers() const { return m_world->folder() / "papers"; }
    std::unique_ptr<ChainWorld> m_world;
};

void TestViewer::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    fs::create_directory(papers());
    QProcess make;
    make.setWorkingDirectory(m_world->path("papers"));
    make.start("/usr/bin/python3", {"-c", documentsModule() + "docx('offer.docx', ['Dear Ada,', 'the price is 100.'])\n"
                                                              "pdf('letter.pdf', [['Dear Ada', 'come on Monday'], ['page two']])\n"});
    QVERIFY2(finish(make).status == 0, "making the documents");
    QSTATUS(m_world->carrel({"create", kAgent, "--share", m_world->path("papers"), "--memory", "768"}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
}

void TestViewer::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestViewer::I8_textOfChangedDocuments() {
    QSTATUS(m_world->python(documentsModule() +
                            "import os; os.chdir('/workspace/papers')\n"
                            "docx('offer.docx', ['Dear Ada,', 'the price is 120.'])\n"
                            "pdf('letter.pdf', [['Dear Ada', 'come on Friday'], ['page two']])\n"
                            "open_document('new.ods', '<table:table table:name=\"Sums\"><table:table-row><table:table-cell>"
                            "<text:p>tea</text:p></table:table-cell></table:table-row></table:table>', 'spreadsheet')\n"),
            0);
    // Whoever does not wait is told so, and asks again.
    const auto now = m_world->ask({"diff", kAgent, "--no-wait"});
    QCOMPARE(documentOf(entryOf(now, "files", "papers/offer.docx")).value("state"), "waiting");
    QVERIFY(entryOf(now, "files", "papers/offer.docx").value("diff").isNull());
    QTRY_COMPARE_WITH_TIMEOUT(
        documentOf(entryOf(m_world->changes(), "changes", "papers/offer.docx")).value("state").toString(), "ready", kGuardMs);

    const auto shown = m_world->ask({"diff", kAgent});
    const auto offer = entryOf(shown, "files", "papers/offer.docx");
    QCOMPARE(offer.value("diff").toString(), "@@ -1,2 +1,2 @@\n Dear Ada,\n-the price is 100.\n+the price is 120.\n");
    QCOMPARE(documentOf(offer).value("kind"), "docx");
    QVERIFY(documentOf(offer).value("note").toString().contains("not shown"));
    const auto letter = entryOf(shown, "files", "papers/letter.pdf").value("diff").toString();
    QVERIFY2(letter.contains("come on Monday\n+") && letter.contains("come on Friday\n") && letter.contains("--- page ---"), qPrintable(letter));
    QCOMPARE(entryOf(shown, "files", "papers/new.ods").value("diff").toString(), "@@ -0,0 +1,2 @@\n+--- sheet Sums ---\n+tea\n");

    const auto text = m_world->carrel({"diff", kAgent, "papers/offer.docx"});
    QVERIFY2(text.out.contains("+the price is 120.") && text.out.contains("offline viewer"), text.all().constData());
}

void TestViewer::I8_theViewerHasNothing() {
    const auto pid = viewerPid(m_world->path("home"));
    QVERIFY(pid > 0); // it is kept for a while
    const auto line = QByteArray::fromStdString(processFile(pid, "cmdline")).replace('\0', ' ');
    for (const char* device : {"-netdev", "virtio-net", "e1000", "vhost", "virtiofs", "virtio-9p", "fsdev", "ivshmem", "memory-backend-file", "qcow2"}) {
        QVERIFY2(!line.contains(device), line.constData());
    }
    QVERIFY2(line.contains("\"read-only\":true"), line.constData());
    // No file of Carrel's is open for writing.
    const QDir opened(QString("/proc/%1/fd").arg(pid));
    int seen = 0;
    for (const auto& fd : opened.entryList(QDir::System | QDir::Files)) {
        const auto target = QFileInfo(opened.filePath(fd)).symLinkTarget();
        if (!target.startsWith(m_world->folder().c_str())) {
            continue;
        }
        ++seen;
        const auto info = processFile(pid, ("fdinfo/" + fd.toStdString()).c_str());
        const auto at = info.find("flags:");
        QVERIFY(at != std::string::npos);
        const auto flags = std::stoul(info.substr(at + 6), nullptr, 8);
        QVERIFY2((flags & 3U) == 0, qPrintable(target)); // O_RDONLY
    }
    QVERIFY(seen > 0); // the base
}

void TestViewer::hostileDocumentsAreSaidToBe() {
    QSTATUS(m_world->python(documentsModule() +
                            "import os; os.chdir('/workspace/papers')\n"
                            "open('noise.docx', 'wb').write(os.urandom(5000))\n"
                            "open('torn.pdf', 'wb').write(b'%PDF-1.4\\n' + os.urandom(3000))\n"
                            "docx('bomb.docx', ['x'], {'word/comments.xml': '<a>' + ' ' * (300 << 20) + '</a>'})\n"
                            "docx('long.docx', ['word ' * 40] * 20000)\n"),
            0);
    const auto shown = m_world->ask({"diff", kAgent});
    const auto why = [&](const char* path) { return documentOf(entryOf(shown, "files", path)).value("why").toString(); };
    QCOMPARE(why("papers/noise.docx"), "it is not the kind of document that its name says");
    QCOMPARE(why("papers/torn.pdf"), "it is damaged, or made in a way that the viewer does not know");
    QCOMPARE(why("papers/bomb.docx"), "unpacked it is too large");
    QCOMPARE(documentOf(entryOf(shown, "files", "papers/long.docx")).value("cut"), true);
    QCOMPARE(documentOf(entryOf(shown, "files", "papers/offer.docx")).value("state"), "ready");
}

void TestViewer::stoppingTheEngineEndsIt() {
    const auto home = m_world->path("home");
    QVERIFY(viewerPid(home) > 0);
    QSTATUS(m_world->carrel({"engine", "stop"}), 0);
    QTRY_COMPARE_WITH_TIMEOUT(viewerPid(home), 0, kGuardMs);
    QVERIFY(m_world->machinePid() > 0); // the agent's goes on
}

void TestViewer::theNextEngineEndsOneThatWasLeft() {
    const auto home = m_world->path("home");
    const auto shown = m_world->carrel({"diff", kAgent, "papers/offer.docx"});
    QVERIFY2(shown.out.contains("+the price is 120."), shown.all().constData());
    const auto left = viewerPid(home);
    QVERIFY(left > 0);
    QVERIFY(killHard(m_world->enginePid()));
    QCOMPARE(viewerPid(home), left); // nobody has ended it yet
    QSTATUS(m_world->carrel({"list"}), 0);
    QTRY_COMPARE_WITH_TIMEOUT(viewerPid(home), 0, kGuardMs);
    QSTATUS(m_world->shell("true"), 0);
}

QTEST_GUILESS_MAIN(TestViewer)
#include "test_viewer.moc"
