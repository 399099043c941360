// SPDX-License-Identifier: Apache-2.0
// The engine's own log holds names and words of guests, and a person reads it at a terminal (invariant I11).
#include "app/engine/log_for_people.h"
#include "tests/support/nasty_texts.h"

#include <QTest>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

using namespace carrel;

class TestLogForPeople : public QObject {
    Q_OBJECT
private slots:
    void nastyTexts_data() {
        QTest::addColumn<QByteArray>("text");
        for (const auto& [name, text] : test::nastyTexts()) {
            QTest::newRow(name) << QByteArray::fromStdString(text);
        }
    }
    void nastyTexts() {
        QFETCH(QByteArray, text);
        QVERIFY(!test::actsOnNobody(text.toStdString()) || text.contains('\n')); // else the row says nothing
        std::ostringstream out;
        spdlog::logger logger("engine", std::make_shared<spdlog::sinks::ostream_sink_st>(out));
        logger.set_formatter(engine::lineForPeople());
        logger.warn("ann: {}", text.toStdString());
        logger.flush();
        const auto said = out.str();
        QVERIFY2(test::actsOnNobody(said), said.c_str());
        QVERIFY(said.find(" warning ann: ") != std::string::npos);
        QCOMPARE(std::count(said.begin(), said.end(), '\n'), 1); // no second line that looks like one of its own
    }
};

QTEST_GUILESS_MAIN(TestLogForPeople)
#include "test_log_for_people.moc"
