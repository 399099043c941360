// SPDX-License-Identifier: Apache-2.0
// Every verb has a schema, and the examples in it fit it. And the checker itself can say no.
#include "tests/support/json_schema.h"

#include <QDir>
#include <QtTest>

using namespace carrel::test;

namespace {
const std::string kFolder = CARREL_SOURCE_DIR "/app/api/schema";
const QStringList kVerbs{"doctor",       "image.build", "image.list",   "image.verify", "image.import",
                         "agent.create", "agent.start", "agent.stop",   "agent.delete", "agent.list",
                         "exec.open",    "share.add",   "share.remove", "share.list",   "changes",
                         "diff",         "apply",       "discard",      "undo",         "timeline",
                         "engine.info",  "engine.stop", "demo",         "history",
                         "changes.wait", "share.mode",  "share.revoke"};
} // namespace

class TestApiSchema : public QObject {
    Q_OBJECT
private slots:
    void everyVerbHasOne_data() {
        QTest::addColumn<QString>("verb");
        for (const auto& verb : kVerbs) {
            QTest::newRow(qPrintable(verb)) << verb;
        }
    }
    void everyVerbHasOne() {
        QFETCH(QString, verb);
        const Schemas schemas(kFolder);
        const auto schema = schemas.load(verb.toStdString() + ".json").as_object();
        QCOMPARE(QString::fromStdString(std::string(schema.at("title").as_string())), verb);
        const auto& examples = schema.at("examples").as_array();
        QVERIFY(!examples.empty());
        for (const auto& example : examples) {
            const auto problem = schemas.check(example, schema);
            QVERIFY2(problem.empty(), problem.c_str());
        }
    }
    void noFileWithoutVerb() {
        const auto files = QDir(QString::fromStdString(kFolder)).entryList({"*.json"}, QDir::Files);
        QCOMPARE(files.size(), kVerbs.size() + 1); // and common.json
    }
    void theCheckerSaysNo() {
        const Schemas schemas(kFolder);
        const auto schema = schemas.load("apply.json").as_object();
        auto example = schema.at("examples").as_array().at(0).as_object();
        QVERIFY(schemas.check(example, schema).empty());
        auto unknown = example;
        unknown["params"].as_object()["force"] = true;
        QVERIFY(!schemas.check(unknown, schema).empty());
        auto missing = example;
        missing["params"].as_object().erase("review"); // the decision names what was reviewed (I12)
        QVERIFY(!schemas.check(missing, schema).empty());
        auto kind = example;
        kind["result"].as_object()["outcomes"].as_array()[0].as_object()["outcome"] = "perhaps";
        QVERIFY(!schemas.check(kind, schema).empty());
        auto type = example;
        type["result"].as_object()["apply"] = "1";
        QVERIFY(!schemas.check(type, schema).empty());
    }
};

QTEST_GUILESS_MAIN(TestApiSchema)
#include "test_api_schema.moc"
