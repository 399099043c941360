// SPDX-License-Identifier: Apache-2.0
// What the tests of the verbs have in common: the scripted engine in a home of its own, and its requests held against the
// schemas.
#pragma once

#include "tests/app/cli/fake_engine.h"
#include "tests/app/cli/program_run.h"

#include <QStringList>
#include <QTemporaryDir>
#include <QTest>

namespace carrel::test {

class CliTest {
protected:
    QTemporaryDir m_folder;
    std::unique_ptr<FakeEngine> m_engine;
    QString m_program = CARREL_BIN_DIR "/carrel";

    [[nodiscard]] Ran run(const QStringList& arguments, const QByteArray& input = {}) const {
        return runOnPipes(m_program, arguments, input);
    }
    [[nodiscard]] Ran type(const QStringList& arguments, const Typed& typed,
                           std::vector<std::pair<std::string, std::string>> variables = {}) const {
        variables.insert(variables.begin(), {"TERM", "dumb"}); // no pager and no colours, unless a test wants them
        return runAtTerminal(m_program, arguments, typed, variables);
    }
    [[nodiscard]] json::object example(const std::string& verb, std::size_t number = 0) const {
        return m_engine->schemas().load(verb + ".json").at("examples").as_array().at(number).at("result").as_object();
    }
    // The verbs asked since; one whose parameters do not fit its schema with what is wrong.
    [[nodiscard]] QStringList asked() {
        m_requests = m_engine->takeRequests();
        QStringList out;
        for (const auto& request : m_requests) {
            const auto schema = m_engine->schemas().load(request.verb + ".json").as_object();
            const auto& params = schema.at("properties").as_object().at("params").as_object();
            out << QString::fromStdString(request.verb + m_engine->schemas().check(request.params, params));
        }
        return out;
    }
    // Of the last one that asked() told of.
    [[nodiscard]] QByteArray lastParams() const {
        return m_requests.empty() ? QByteArray() : QByteArray::fromStdString(json::serialize(m_requests.back().params));
    }
    // The program says and asks what it should; and with --json it prints the answer, which fits the schema.
    void checkVerb(const QStringList& arguments, const QString& verb, const QByteArray& params, const QByteArray& shown) {
        const auto ran = run(arguments);
        QVERIFY2(ran.out.contains(shown), ran.out + ran.err);
        QCOMPARE(ran.status, 0);
        QCOMPARE(ran.err, QByteArray());
        QCOMPARE(asked().last(), verb);
        QVERIFY2(json::value(m_requests.back().params) == json::parse(params.toStdString()), lastParams().constData());
        const auto machine = run(arguments + QStringList{"--json"});
        QCOMPARE(machine.status, 0);
        QCOMPARE(asked().last(), verb);
        const auto schema = m_engine->schemas().load(verb.toStdString() + ".json").as_object();
        const auto& result = schema.at("properties").as_object().at("result").as_object();
        const auto problem = m_engine->schemas().check(json::parse(machine.out.toStdString()), result);
        QVERIFY2(problem.empty(), problem.c_str());
    }

    // For the slots of those names.
    void prepareAll() {
        qputenv("XDG_RUNTIME_DIR", "");
        qputenv("CARREL_HOME", m_folder.filePath("home").toUtf8());
        qputenv("TZ", "UTC");
    }
    void beginEngine() { m_engine = std::make_unique<FakeEngine>(*api::openHome(), CARREL_SOURCE_DIR "/app/api/schema"); }
    void endEngine() { m_engine.reset(); }

private:
    std::vector<FakeEngine::Request> m_requests;
};

} // namespace carrel::test
