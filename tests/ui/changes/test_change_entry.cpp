// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/change_entry.h"

#include <QTest>

using namespace carrel::ui;
namespace json = boost::json;

class TestChangeEntry : public QObject {
    Q_OBJECT
private slots:
    void aChangeIsRead() {
        const auto read = changeFrom({{"share", "papers"},
                                      {"path", "papers/new"},
                                      {"kind", "renamed"},
                                      {"from", "papers/old"},
                                      {"type", "file"},
                                      {"size", 9},
                                      {"mode", "0644"},
                                      {"old_mode", "0755"},
                                      {"base", std::string(64, 'a')},
                                      {"content", nullptr},
                                      {"risk", "normal"},
                                      {"conflict", nullptr}});
        QVERIFY(read);
        QCOMPARE(kindSentence(*read), "Renamed from papers/old");
        QCOMPARE(sizeOf(*read), QString()); // no bytes come with it
        QVERIFY(!read->highRisk);
        QVERIFY(permissionsText(*read).startsWith("0755 becomes 0644: "));
    }
    void withoutAPathThereIsNone() { QVERIFY(!changeFrom({{"share", "papers"}, {"kind", "created"}})); }
    // A window that is older than the engine does not call a risk none.
    void aRiskThatIsNotKnownIsHigh() {
        QVERIFY(changeFrom({{"path", "a/b"}, {"risk", "extreme"}})->highRisk);
        QVERIFY(changeFrom({{"path", "a/b"}})->highRisk);
    }
    void pathsGoBackAsTheyCame() {
        QCOMPARE(json::serialize(pathParameter("papers/\xc3\xa4")), std::string("{\"path\":\"papers/\xc3\xa4\"}"));
        QCOMPARE(json::serialize(pathParameter("papers/\xff")), std::string("{\"path_b64\":\"cGFwZXJzL/8=\"}"));
        QCOMPARE(changeFrom({{"path_b64", "cGFwZXJzL/8="}})->path, std::string("papers/\xff"));
    }
    void rights_data() {
        QTest::addColumn<int>("before");
        QTest::addColumn<int>("after");
        QTest::addColumn<bool>("folder");
        QTest::addColumn<QString>("words");
        QTest::newRow("open") << 0600 << 0644 << false << "readable by everyone on this computer";
        QTest::newRow("closed") << 0644 << 0600 << false << "no longer readable by everyone on this computer";
        QTest::newRow("group") << 0600 << 0640 << false << "readable by the accounts of its group";
        QTest::newRow("other than the group") << 0640 << 0604 << false
                                               << "readable by everyone on this computer, no longer readable by the accounts of its group";
        QTest::newRow("program") << 0644 << 0744 << false << "runnable as a program by you";
        QTest::newRow("folder") << 0700 << 0711 << true << "open to be entered by everyone on this computer";
        QTest::newRow("set-uid") << 0755 << 04755 << false << "with special marks (set-uid, set-gid, sticky)";
        QTest::newRow("no set-uid") << 04755 << 0755 << false << "no longer with special marks (set-uid, set-gid, sticky)";
    }
    void rights() {
        QFETCH(int, before);
        QFETCH(int, after);
        QFETCH(bool, folder);
        QFETCH(QString, words);
        QCOMPARE(rightsText(static_cast<unsigned>(before), static_cast<unsigned>(after), folder ? ChangeType::Directory : ChangeType::File), words);
    }
    void bothAreKeptOnlyWhereBothAreThere() {
        auto both = *changeFrom({{"path", "a/b"}, {"kind", "modified"}, {"type", "file"}, {"base", "x"}, {"content", "y"}, {"conflict", "why"}});
        QVERIFY(both.canKeepBoth());
        both.conflict.clear();
        QVERIFY(!both.canKeepBoth());
        both.conflict = "why";
        both.kind = ChangeKind::Deleted;
        QVERIFY(!both.canKeepBoth());
    }
};

QTEST_GUILESS_MAIN(TestChangeEntry)
#include "test_change_entry.moc"
