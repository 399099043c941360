// SPDX-License-Identifier: Apache-2.0
// Names of conversations: new ones are nobody else's, and nothing else becomes a path.
#include "guest/agent/program/session_store.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>

using namespace carrel;
using namespace carrel::agent;

class TestSessionStore : public QObject {
    Q_OBJECT
private slots:
    void namesThem() {
        const QTemporaryDir folder;
        const SessionStore store(folder.path().toStdString() + "/a/b");
        const auto one = store.newId();
        const auto other = store.newId();
        QVERIFY(one && other && *one != *other && one->size() == 32);
        QVERIFY(!store.has(*one)); // nothing was said yet
        std::ofstream(store.path(*one)) << "x";
        QVERIFY(store.has(*one));
        std::ofstream(folder.path().toStdString() + "/a/b/sessions/other.jsonl") << "x";
        for (const std::string id : {std::string("other"), std::string("../sessions/") + *one, std::string(), *one + "/", std::string(32, 'A')}) {
            QVERIFY2(!store.has(id), id.c_str());
        }
    }
    void saysWhyNot() {
        const auto made = SessionStore("/proc/none").newId();
        QVERIFY(!made && made.error().message.find("making the folder") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestSessionStore)
#include "test_session_store.moc"
