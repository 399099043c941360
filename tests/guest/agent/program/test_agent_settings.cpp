// SPDX-License-Identifier: Apache-2.0
// What the environment says, and what of it is refused.
#include "guest/agent/program/agent_settings.h"

#include <QTest>

#include <map>

using namespace carrel;
using namespace carrel::agent;

class TestAgentSettings : public QObject {
    Q_OBJECT

    std::map<std::string, std::string> m_variables;
    Result<AgentSettings> read() {
        return agentSettings([this](const char* name) {
            const auto found = m_variables.find(name);
            return found == m_variables.end() ? nullptr : found->second.c_str();
        });
    }

private slots:
    void init() {
        m_variables = {{"CARREL_MODEL_API", "openai"}, {"CARREL_MODEL_URL", "http://localhost:11434/v1"}, {"CARREL_MODEL", "qwen3:8b"}, {"HOME", "/home/ada"}};
    }

    void reads() {
        m_variables["CARREL_MODEL_WINDOW"] = "32768";
        m_variables["CARREL_MODEL_KEY"] = "sk-abc";
        const auto settings = read();
        QVERIFY(settings && settings->model);
        QVERIFY(settings->model->api == ModelApi::OpenAi && settings->mode == WorkMode::Work);
        QCOMPARE(settings->model->address.port, std::uint16_t(11434));
        QCOMPARE(settings->model->name, std::string("qwen3:8b"));
        QCOMPARE(settings->model->window, std::uint64_t(32768));
        QCOMPARE(settings->home, std::string("/home/ada/.local/share/carrel-agent"));
        m_variables["CARREL_AGENT_HOME"] = "/x";
        m_variables["CARREL_AGENT_MODE"] = "ask";
        QVERIFY(read()->home == "/x" && read()->mode == WorkMode::Ask);
    }

    void withoutAModelItSaysWhatToDo() {
        m_variables = {{"HOME", "/home/ada"}};
        const auto settings = read();
        QVERIFY(settings && !settings->model);
        QVERIFY(settings->model.error().code == ErrorCode::Refused);
        QVERIFY(settings->model.error().hint.find("carrel provider use") != std::string::npos);
    }

    void refuses_data() {
        QTest::addColumn<QByteArray>("name");
        QTest::addColumn<QByteArray>("value");
        const auto row = [](const char* name, const char* value) { QTest::addRow("%s=%s", name, value) << QByteArray(name) << QByteArray(value); };
        row("CARREL_MODEL_API", "");
        row("CARREL_MODEL_API", "Anthropic");
        row("CARREL_MODEL_URL", "");
        row("CARREL_MODEL_URL", "https://ada:key@example.org");
        row("CARREL_MODEL", "");
        row("CARREL_MODEL", "a\nb");
        row("CARREL_MODEL_KEY", "a\r\nX-Other: b");
        row("CARREL_MODEL_WINDOW", "many");
        row("CARREL_MODEL_WINDOW", "100");
        row("CARREL_MODEL_WINDOW", "-1");
        row("CARREL_MODEL_WINDOW", "32768k");
    }
    void refuses() {
        QFETCH(QByteArray, name);
        QFETCH(QByteArray, value);
        m_variables[name.toStdString()] = value.toStdString();
        const auto settings = read();
        QVERIFY(settings && !settings->model);
        QVERIFY(settings->model.error().code == ErrorCode::InvalidArgument && !settings->model.error().hint.empty());
    }

    void refusesAHomeThatIsNone() {
        m_variables["CARREL_AGENT_HOME"] = "x";
        QVERIFY(!read());
        m_variables.erase("CARREL_AGENT_HOME");
        m_variables.erase("HOME");
        QVERIFY(!read());
        m_variables["HOME"] = "/home/ada";
        m_variables["CARREL_AGENT_MODE"] = "yolo";
        QVERIFY(!read());
    }
};

QTEST_GUILESS_MAIN(TestAgentSettings)
#include "test_agent_settings.moc"
