// SPDX-License-Identifier: Apache-2.0
// Many events as one transaction: all of them in their order, or none.
#include "app/activity/activity_log.h"

#include <QTemporaryDir>
#include <QTest>

#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::activity;

class TestLogBatch : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    [[nodiscard]] std::filesystem::path file(const char* name) const { return (m_folder.path() + "/" + name).toStdString(); }

private slots:
    void allAreThereInTheirOrder() {
        const auto path = file("a");
        {
            auto log = ActivityLog::open(path).value();
            QVERIFY(log->append(Event{EventKind::EngineNote, Provenance::Host, "before", {}}).has_value());
            std::vector<WrittenEvent> events;
            for (int i = 0; i < 500; ++i) {
                events.push_back({EventKind::ProgramStarted, Provenance::Guest, "/bin/true", R"({"process":"1.2","argv":["true"]})"});
            }
            events.push_back({EventKind::WatchSilent, Provenance::Host, "", "{}"});
            QVERIFY(log->append(events).has_value());
            QVERIFY(log->append(std::span<const WrittenEvent>()).has_value());
            QVERIFY(log->append(Event{EventKind::EngineNote, Provenance::Host, "after", {}}).has_value());
        }
        auto log = ActivityLog::open(path).value();
        const auto head = log->verify();
        QVERIFY2(head.has_value(), head ? "" : head.error().text().c_str());
        QCOMPARE(head->seq, std::uint64_t{503});
        const auto all = log->query({});
        QVERIFY(all.has_value());
        QCOMPARE(all->at(0).event.subject, std::string("before"));
        QCOMPARE(all->at(1).event.detail.at("argv").as_array().at(0).as_string(), boost::json::string_view("true"));
        QVERIFY(all->at(500).event.provenance == Provenance::Guest && all->at(501).event.provenance == Provenance::Host);
        QVERIFY(all->at(501).event.kind == EventKind::WatchSilent);
        QCOMPARE(all->at(502).event.subject, std::string("after"));
    }

    void oneThatCannotBeKeepsAllOut_data() {
        QTest::addColumn<QByteArray>("subject");
        QTest::addColumn<QByteArray>("detail");
        QTest::newRow("subject too long") << QByteArray(int(kMaxSubjectBytes) + 1, 's') << QByteArray("{}");
        QTest::newRow("detail too long") << QByteArray("s") << QByteArray(int(kMaxDetailBytes) + 1, ' ');
        QTest::newRow("subject no UTF-8") << QByteArray("\xff") << QByteArray("{}");
        QTest::newRow("detail no UTF-8") << QByteArray("s") << QByteArray("{\"\xff\":1}");
    }
    void oneThatCannotBeKeepsAllOut() {
        QFETCH(QByteArray, subject);
        QFETCH(QByteArray, detail);
        auto log = ActivityLog::open(file(QTest::currentDataTag())).value();
        const std::vector<WrittenEvent> events{{EventKind::FileWritten, Provenance::Guest, "/a", "{}"},
                                               {EventKind::FileWritten, Provenance::Guest, {subject.constData(), std::size_t(subject.size())},
                                                {detail.constData(), std::size_t(detail.size())}}};
        QVERIFY(!log->append(events).has_value());
        QCOMPARE(log->head().seq, std::uint64_t{0});
        QVERIFY(log->append(std::span(events).first(1)).has_value());
        QVERIFY(log->verify().has_value());
        QCOMPARE(log->head().seq, std::uint64_t{1});
    }
};

QTEST_GUILESS_MAIN(TestLogBatch)
#include "test_log_batch.moc"
