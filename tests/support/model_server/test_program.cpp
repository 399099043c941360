// SPDX-License-Identifier: Apache-2.0
// The model server as a program: its port, what it is told, how it ends.
#include "tests/support/model_server/raw_client.h"

#include <QProcess>
#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

#include <fstream>

using namespace carrel;
using namespace carrel::test::model;

class TestProgram : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    QProcess m_program;

    // Its port; 0: it did not come up.
    std::uint16_t start(const std::string& turns) {
        const auto file = m_folder.filePath("scenario.json");
        std::ofstream(file.toStdString()) << q("{'key':'a-key','models':['m'],'turns':[") + turns + "]}";
        m_program.start(CARREL_BIN_DIR "/model-server", {file});
        while (m_program.state() != QProcess::NotRunning && !m_program.canReadLine()) {
            (void)m_program.waitForReadyRead(-1);
        }
        return static_cast<std::uint16_t>(m_program.readLine().trimmed().toUShort());
    }
    int end() {
        m_program.terminate();
        return m_program.waitForFinished(-1) && m_program.exitStatus() == QProcess::NormalExit ? m_program.exitCode() : -1;
    }

private slots:
    void playsAndIsTold() {
        const auto port = start(q("{'hold':'door','answer':{'content':[{'text':'played'}]}}"));
        QVERIFY(port != 0);
        RawClient client(port);
        client.send(openAi(kHello));
        m_program.write("open sesame\nrelease door\n");
        QVERIFY(m_program.waitForBytesWritten(-1) || m_program.bytesToWrite() == 0);
        QVERIFY(client.readAnswer().body.find("played") != std::string::npos);
        QCOMPARE(end(), 0);
        const auto said = m_program.readAllStandardError();
        QVERIFY(said.contains("request 1 (POST /v1/chat/completions): 200, turn 1\n"));
        QVERIFY(said.contains("only \"release NAME\" is known, and not: open sesame\n"));
    }

    void tellsWhatFailed() {
        const auto port = start(saying("") + "," + saying(""));
        m_program.closeWriteChannel(); // as when it is started in the background
        RawClient client(port);
        client.send(anthropic(kHello));
        QCOMPARE(client.readAnswer().status, 200);
        QCOMPARE(end(), 1);
        QVERIFY(m_program.readAllStandardError().contains("turn 2 of 2 was never asked for\n"));
    }

    void aScenarioThatIsNone() {
        QCOMPARE(start("{}"), std::uint16_t(0));
        QVERIFY(m_program.waitForFinished(-1) || m_program.state() == QProcess::NotRunning);
        QCOMPARE(m_program.exitCode(), 2);
        QVERIFY(m_program.readAllStandardError().contains("turns[0] needs one of"));
    }

    void whatItIsCalledWith() {
        for (const QStringList& words : {QStringList{}, {"/nowhere"}, {"/nowhere", "70000"}, {"/nowhere", "80x"}, {"a", "1", "b"}}) {
            QProcess program;
            program.start(CARREL_BIN_DIR "/model-server", words);
            QVERIFY(program.waitForFinished(-1));
            QCOMPARE(program.exitCode(), 2);
            QVERIFY(program.readAllStandardError().startsWith("model-server: "));
        }
    }
};

QTEST_GUILESS_MAIN(TestProgram)
#include "test_program.moc"
