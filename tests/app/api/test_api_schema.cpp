// SPDX-License-Identifier: Apache-2.0
// Every verb has a schema, says in it which roles may call it, and the examples in it fit it. And the checker itself can
// say no.
#include "app/api/roles.h"
#include "tests/support/json_schema.h"

#include <QDir>
#include <QStringList>
#include <QTest>

using namespace carrel::test;

namespace {
const std::string kFolder = CARREL_SOURCE_DIR "/app/api/schema";
const QStringList kVerbs{"doctor",       "image.build", "image.list",   "image.verify", "image.import",
                         "agent.create", "agent.start", "agent.stop",   "agent.delete", "agent.list",
                         "exec.open",    "share.add",   "share.remove", "share.list",   "changes",
                         "diff",         "apply",       "discard",      "undo",         "timeline",
                         "agent.pause",  "agent.resume", "agent.pause_all", "agent.resume_all", "agent.wait",
                         "engine.info",  "engine.stop", "demo",         "history",
                         "changes.wait", "share.mode",  "share.revoke", "auth",         "token.create",
                         "token.list",   "token.revoke",
                         "approval.list", "approval.wait", "approval.show", "approval.shown", "approval.hold",
                         "approval.reopen", "approval.preview", "approval.decide", "approval.stats",
                         "rule.list", "rule.show", "rule.preview", "rule.add", "rule.remove", "rule.test",
                         "rule.export", "rule.presets", "rule.import",
                         "net.mode", "net.limit", "net.live", "net.cut", "net.presets", "net.allow",
                         "forward.open", "forward.list", "forward.close",
                         "secret.open", "credential.add", "credential.list", "credential.remove", "credential.test",
                         "credential.unlock", "credential.lock", "canary.add", "canary.list", "canary.plant", "canary.remove",
                         "provider.add", "provider.list", "provider.presets", "provider.test", "provider.remove", "provider.use",
                         "budget.set", "budget.show", "programs.show", "programs.set", "programs.allow", "programs.deny", "programs.remove", "task.add", "task.say", "task.list", "task.wait", "task.watch", "task.cancel", "task.answer", "task.programs",
                         "task.install", "log.head", "log.search", "log.keep", "recording.list", "recording.read"};
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
    // The table that the engine goes by, and what the schemas say. A verb that says nothing fails here, and is the owner's
    // alone in the engine until then.
    void everyVerbNamesItsRoles_data() { everyVerbHasOne_data(); }
    void everyVerbNamesItsRoles() {
        QFETCH(QString, verb);
        const auto schema = Schemas(kFolder).load(verb.toStdString() + ".json").as_object();
        const auto* roles = schema.if_contains("x-roles");
        QVERIFY(roles != nullptr && roles->is_array() && !roles->get_array().empty());
        bool owner = false;
        bool client = false;
        for (const auto& role : roles->get_array()) {
            owner = owner || role == "owner";
            client = client || role == "client";
            QVERIFY(role == "owner" || role == "client");
        }
        if (verb == "auth") { // the clients' socket answers it before there is a role
            QVERIFY(!owner && client);
            return;
        }
        QVERIFY(owner);
        QCOMPARE(carrel::api::mayCall(carrel::api::Role::Client, verb.toStdString()), client);
    }
    void noRoleWithoutVerb() {
        for (const auto verb : carrel::api::kClientVerbs) {
            QVERIFY(kVerbs.contains(QString::fromStdString(std::string(verb))));
        }
        // The design's own list, whatever the table says some day.
        for (const char* never : {"apply", "undo", "discard", "allow", "deny", "share.add", "share.mode", "share.remove",
                                  "share.revoke", "token.create", "token.revoke", "token.list", "agent.start",
                                  "agent.stop", "agent.pause", "agent.resume", "agent.pause_all", "agent.resume_all", "engine.stop", "approval.decide", "approval.reopen", "approval.list", "rule.add",
                                  "rule.remove", "rule.import", "net.mode", "net.limit", "net.allow", "net.live", "net.cut", "forward.open", "budget.set", "budget.show", "programs.set", "programs.allow", "programs.deny", "log.head", "log.search", "log.keep", "recording.list", "recording.read", "no.such.verb", ""}) {
            QVERIFY2(!carrel::api::mayCall(carrel::api::Role::Client, never), never);
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
