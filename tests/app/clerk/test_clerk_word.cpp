// SPDX-License-Identifier: Apache-2.0
// I2: what a clerk can say, and what of it comes about at the host. Written out a second time on purpose: a word that is added has to be
// added here, too.
#include "app/clerk/clerk_word.h"

#include <QFile>
#include <QRegularExpression>
#include <QTest>

#include <map>

using namespace carrel::clerk;

namespace {

const std::map<std::string, HostDeed> kAll{{"stage", HostDeed::WriteOwn},
                                           {"console.activity", HostDeed::WriteOwn},
                                           {"channel.closed", HostDeed::WriteOwn},
                                           {"broken", HostDeed::WriteOwn},
                                           {"file.read", HostDeed::AnswerRead},
                                           {"exec.ended", HostDeed::WriteOwn},
                                           {"changes.touched", HostDeed::WriteOwn},
                                           {"guest.log", HostDeed::WriteOwn},
                                           {"notice", HostDeed::WriteOwn},
                                           {"shares.failed", HostDeed::WriteOwn},
                                           {"ask", HostDeed::WriteOwn},
                                           {"net.open", HostDeed::Connect},
                                           {"net.request", HostDeed::AttachCredential},
                                           {"net.canary", HostDeed::WriteOwn},
                                           {"net.closed", HostDeed::WriteOwn},
                                           {"net.used", HostDeed::WriteOwn},
                                           {"forward.closed", HostDeed::WriteOwn}};

} // namespace

class TestClerkWord : public QObject {
    Q_OBJECT

private slots:
    void invariantI2TheListIsClosed() {
        for (const auto& [method, deed] : kAll) {
            const auto word = clerkWordFrom(method);
            QVERIFY2(word, method.c_str());
            QVERIFY2(deedOf(*word) == deed, method.c_str());
            QVERIFY2(deed != HostDeed::ApplyReviewed, method.c_str());
        }
        QCOMPARE(static_cast<std::size_t>(ClerkWord::ForwardClosed) + 1, kAll.size()); // the last of them
    }
    void nothingElseIsAWord_data() {
        QTest::addColumn<QString>("method");
        for (const char* each : {"", "Stage", "stage ", "apply", "changes.apply", "net.connect", "net", "net.", "forward.open", "exec", "spawn", "file.write"}) {
            QTest::newRow(each) << QString(each);
        }
    }
    void nothingElseIsAWord() {
        QFETCH(QString, method);
        QVERIFY(!clerkWordFrom(method.toStdString()));
    }
    // Every word that the clerk's own code says is on the list.
    void theLinkNamesThemAll() {
        QFile file(CARREL_SOURCE_DIR "/app/clerk/link.h");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto text = QString::fromUtf8(file.readAll());
        const auto list = text.mid(text.indexOf("Notifications, clerk → engine:"));
        for (const auto& [method, deed] : kAll) {
            QVERIFY2(list.contains(QRegularExpression("\\b" + QRegularExpression::escape(QString::fromStdString(method)) + " \\{")), method.c_str());
        }
    }
};

QTEST_GUILESS_MAIN(TestClerkWord)
#include "test_clerk_word.moc"
