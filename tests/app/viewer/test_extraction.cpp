// SPDX-License-Identifier: Apache-2.0
// What is said of a document is the host's words for a number, whatever the machine says besides.
#include "app/viewer/extraction.h"

#include <QTest>
#include <boost/json.hpp>

using namespace carrel;
using namespace carrel::viewer;
using namespace std::chrono_literals;
namespace json = boost::json;

class TestExtraction : public QObject {
    Q_OBJECT
private slots:
    void theCommand() {
        const auto command = extractCommand(files::DocumentKind::Xlsx, 60s);
        QCOMPARE(command.at(0), json::value("/usr/bin/python3"));
        QVERIFY(command.at(5).as_string().starts_with("#!/usr/bin/env python3"));
        QCOMPARE(command.at(6), json::value("xlsx"));
        QCOMPARE(command.at(7), json::value("1048576"));
        QCOMPARE(command.at(8), json::value("60"));
        // It goes over the link, and as one word of a command (Linux takes 128 KiB).
        QVERIFY(json::serialize(command).size() < 100'000);
    }

    void wordsForANumber_data() {
        QTest::addColumn<int>("code");
        QTest::addColumn<QString>("why");
        QTest::newRow("encrypted") << 10 << "it is encrypted";
        QTest::newRow("damaged") << 11 << "it is damaged, or made in a way that the viewer does not know";
        QTest::newRow("another kind") << 12 << "it is not the kind of document that its name says";
        QTest::newRow("slow") << 13 << "reading it took longer than 60 seconds";
        QTest::newRow("large") << 14 << "unpacked it is too large";
        QTest::newRow("memory") << 15 << "reading it took more memory than a viewer has";
        QTest::newRow("of Python's own") << 1 << "its reader broke on it";
        QTest::newRow("of nobody's") << 200 << "its reader broke on it";
    }
    void wordsForANumber() {
        QFETCH(int, code);
        QFETCH(QString, why);
        const auto verdict = judge(json::object{{"size", 0}, {"cut", false}, {"code", code}}, 60s);
        QVERIFY(verdict.fault == Fault::Document);
        QCOMPARE(QString::fromStdString(verdict.why), why);
    }

    void anImageWithoutThePrograms() {
        for (const auto& verdict : {judge(json::object{{"size", 0}, {"cut", false}, {"code", 16}}, 60s),
                                    judge(fail(ErrorCode::NotFound, "the machine has no program /usr/bin/python3"), 60s)}) {
            QVERIFY(verdict.fault == Fault::Machine); // another image may have them
            QCOMPARE(verdict.why, std::string("the image has no program to read it with; make it anew: carrel image build"));
        }
    }

    void good() {
        const auto verdict = judge(json::object{{"size", 12}, {"cut", true}, {"code", 0}}, 60s);
        QVERIFY(verdict.fault == Fault::None);
        QCOMPARE(verdict.size, std::uint64_t{12});
        QVERIFY(verdict.cut);
    }

    void signals_() {
        QCOMPARE(judge(json::object{{"size", 0}, {"cut", false}, {"signal", 11}}, 60s).why, std::string("its reader broke on it"));
        QCOMPARE(judge(json::object{{"size", 0}, {"cut", false}, {"signal", 24}}, 60s).why,
                 std::string("reading it took longer than 60 seconds"));
    }

    void whoseFaultAnErrorIs() {
        const auto of = [](ErrorCode code) { return judge(fail(code, "the machine says: trust me"), 60s); };
        QVERIFY(of(ErrorCode::Malformed).fault == Fault::Document);
        for (const auto code : {ErrorCode::Expired, ErrorCode::Cancelled, ErrorCode::Unavailable, ErrorCode::Refused, ErrorCode::Internal}) {
            QVERIFY(of(code).fault == Fault::Machine);
            QVERIFY(of(code).why.find("trust me") == std::string::npos);
        }
    }

    void aClerkThatBreaksTheForm() {
        for (const json::object& answer : {json::object{}, json::object{{"size", 1}, {"cut", false}},
                                          json::object{{"size", kMaxText + 1}, {"cut", false}, {"code", 0}},
                                          json::object{{"size", 1}, {"cut", false}, {"code", 0}, {"signal", 1}},
                                          json::object{{"size", 1}, {"cut", false}, {"code", 0}, {"text", "more"}}}) {
            QVERIFY(judge(answer, 60s).fault == Fault::Machine);
        }
    }
};

QTEST_GUILESS_MAIN(TestExtraction)
#include "test_extraction.moc"
