// SPDX-License-Identifier: Apache-2.0
// Agent programs of others as they are, from the npm registry: installed in a real machine on request, told of a model that a test plays on
// this computer, given a task, and what they changed reviewed and applied. Where no registry is reached there is nothing to test.
#include "app/egress/address_policy.h"
#include "app/egress/presets.h"
#include "tests/live/app/chain_checks.h"
#include "tests/live/app/chain_world.h"
#include "tests/support/model_server/model_server.h"

#include <QTest>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <set>

using namespace carrel;
using namespace carrel::live;
using carrel::test::model::ModelServer;
using carrel::test::model::parseScenario;

namespace {

const QString kAgent = "ann";
constexpr int kInstallGuardMs = 2'700'000; // npm itself comes from Debian in some hundred packages
constexpr int kTaskGuardMs = 1'200'000;

struct Registries {
    bool reached = false;
    std::set<std::string> special; // addresses that a rule has to name, as of a mirror in one's own network
};

bool connects(const addrinfo& at) {
    const UniqueFd socket(::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return false;
    }
    (void)::connect(socket.get(), at.ai_addr, at.ai_addrlen);
    pollfd wait{socket.get(), POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    return ::poll(&wait, 1, 10'000) == 1 && ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

// What the preset names first of Debian's and of npm's has to be there.
Registries registries() {
    Registries out;
    const auto preset = egress::networkPreset("package-registries");
    for (const auto& rule : preset ? preset->set.rules : std::vector<policy::Rule>()) {
        if (!rule.note.starts_with("Debian") && !rule.note.starts_with("JavaScript")) {
            continue;
        }
        const auto& port = rule.fields.at("port").front();
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        if (::getaddrinfo(rule.fields.at("host").front().c_str(), port.c_str(), &hints, &list) != 0) {
            return {};
        }
        const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(list, ::freeaddrinfo);
        bool reached = false;
        for (const auto* each = list; each != nullptr; each = each->ai_next) {
            sockaddr_storage copy{};
            std::memcpy(&copy, each->ai_addr, each->ai_addrlen);
            const auto address = egress::Address::of(copy);
            if (address && egress::specialOf(*address)) {
                out.special.insert(address->text());
            }
            reached = reached || connects(*each);
        }
        if (!reached) {
            return {};
        }
        out.reached = true;
    }
    return out;
}

} // namespace

class TestOtherAgents : public QObject {
    Q_OBJECT
private slots:
    void initTestCase();
    void cleanupTestCase();
    void aTaskSaysWhatIsMissing();
    void aTaskIsDone_data();
    void aTaskIsDone();

private:
    [[nodiscard]] Ran patiently(const QStringList& arguments, int guardMs) const;
    std::unique_ptr<ChainWorld> m_world;
};

Ran TestOtherAgents::patiently(const QStringList& arguments, int guardMs) const {
    auto process = m_world->begin(arguments);
    process->closeWriteChannel();
    (void)process->waitForFinished(guardMs);
    return finish(*process);
}

void TestOtherAgents::initTestCase() {
    if (const auto why = ChainWorld::whyNot(); !why.isEmpty()) {
        QSKIP(qPrintable(why));
    }
    if (!qEnvironmentVariableIsSet("CARREL_TEST_OTHER_AGENTS")) {
        QSKIP("it fetches half a gigabyte and takes half an hour by emulation: set CARREL_TEST_OTHER_AGENTS=1");
    }
    const auto there = registries();
    if (!there.reached) {
        QSKIP("this computer reaches no package registries, from which these programs come");
    }
    m_world = std::make_unique<ChainWorld>(kAgent.toStdString());
    QVERIFY(m_world->prepare());
    std::filesystem::create_directories(m_world->folder() / "papers");
    writeFile(m_world->folder() / "papers/receipt.txt", "milk 1.20\n");
    QSTATUS(m_world->carrel({"create", kAgent, "--memory", "1536", "--share", m_world->path("papers")}), 0);
    QSTATUS(m_world->carrel({"start", kAgent}), 0);
    QSTATUS(m_world->carrel({"net", "mode", kAgent, "allowlist"}), 0);
    QSTATUS(m_world->carrel({"net", "allow", kAgent, "package-registries", "--yes"}), 0);
    for (const auto& address : there.special) {
        for (const char* port : {"80", "443"}) {
            QSTATUS(m_world->carrel({"rules", "add", "--allow", "--high", "--agent", kAgent, "--action", "network", "--field", "host=" + QString::fromStdString(address),
                                     "--field", "port=" + QString(port), "--yes"}), 0);
        }
    }
}

void TestOtherAgents::cleanupTestCase() {
    if (m_world) {
        const auto left = m_world->end();
        QVERIFY2(left.isEmpty(), qPrintable(left));
    }
}

void TestOtherAgents::aTaskSaysWhatIsMissing() {
    QSTATUS(m_world->carrel({"provider", "add", "nowhere", "--api", "openai", "--url", "http://localhost:9/v1", "--model", "m", "--no-key", "--yes"}), 0);
    QSTATUS(m_world->carrel({"provider", "use", kAgent, "nowhere", "--yes"}), 0);
    const auto ran = m_world->carrel({"task", kAgent, "Write a note", "--program", "opencode", "--follow"});
    QVERIFY2(ran.status != 0 && ran.all().contains("carrel task install ann opencode"), ran.all().constData());
    QSTATUS(m_world->carrel({"task", "cancel", kAgent}), 0); // it would go on once it is there
}

void TestOtherAgents::aTaskIsDone_data() {
    QTest::addColumn<QString>("program");
    QTest::addColumn<QString>("api");
    QTest::addColumn<QString>("base"); // behind the server's address
    QTest::addColumn<QByteArray>("tool");
    QTest::addColumn<QByteArray>("field"); // of the file's path
    QTest::addColumn<QByteArray>("asides");
    QTest::addColumn<QByteArray>("before"); // turns
    QTest::newRow("OpenCode") << "opencode" << "openai" << "/v1" << QByteArray("write") << QByteArray("filePath")
                              << QByteArray(R"({"expect": {"system": "title generator"}, "answer": {"content": [{"text": "A note"}]}})") << QByteArray();
    QTest::newRow("Qwen Code") << "qwen" << "openai" << "/v1" << QByteArray("write_file") << QByteArray("file_path") << QByteArray() << QByteArray();
}

void TestOtherAgents::aTaskIsDone() {
    QFETCH(QString, program);
    QFETCH(QString, api);
    QFETCH(QString, base);
    QFETCH(QByteArray, tool);
    QFETCH(QByteArray, field);
    QFETCH(QByteArray, asides);
    QFETCH(QByteArray, before);
    const auto note = program + ".txt";
    const auto installed = patiently({"task", "install", kAgent, program, "--yes"}, kInstallGuardMs);
    QVERIFY2(installed.status == 0, installed.all().constData());
    for (const auto& each : m_world->ask({"task", "programs", kAgent}).value("programs").toArray()) {
        if (each.toObject().value("name").toString() == program) {
            QVERIFY(each.toObject().value("installed").toBool());
        }
    }
    // The model reads the receipt's folder through the program's own tool, and says that it is done.
    const auto scenario = parseScenario((R"({"key": "none", "models": ["played-1"], "asides": [)" + asides + R"(], "turns": [)" + before +
                                         R"({"expect": {"user": "Write a note", "tools": [")" + tool + R"("]},
                                             "answer": {"content": [{"text": "I write it."}, {"tool": ")" + tool + R"(", "arguments": {")" + field +
                                         R"(": "/workspace/papers/)" + note.toUtf8() + R"(", "content": "tea 3.10\n"}}]}},
                                            {"expect": {"tool_results": [{"tool": ")" + tool + R"("}]}, "answer": {"content": [{"text": "The note is written."}]}}]})")
                                            .toStdString());
    QVERIFY2(scenario, scenario ? "" : scenario.error().text().c_str());
    const auto server = ModelServer::start(*scenario);
    QVERIFY(server);
    const auto url = QString::fromStdString((*server)->url()).replace("127.0.0.1", "localhost") + base;
    QSTATUS(m_world->carrel({"provider", "add", program, "--api", api, "--url", url, "--model", "played-1", "--no-key", "--yes"}), 0);
    QSTATUS(m_world->carrel({"provider", "use", kAgent, program, "--yes"}), 0);

    const auto task = patiently({"task", kAgent, "Write a note", "--program", program, "--follow"}, kTaskGuardMs);
    const auto failures = (*server)->failures();
    QVERIFY2(failures.empty(), (QByteArray::fromStdString(failures.empty() ? "" : failures.front()) + "\n" + task.all()).constData());
    QVERIFY2(task.status == 0 && task.out.contains("The note is written."), task.all().constData());
    QVERIFY(!std::filesystem::exists(m_world->folder() / "papers" / note.toStdString()));
    QVERIFY(m_world->staged().contains("papers/" + note.toStdString()));
    QSTATUS(m_world->carrel({"apply", kAgent, "--yes"}), 0);
    QCOMPARE(readFile(m_world->folder() / "papers" / note.toStdString()), std::string("tea 3.10\n"));
    // It reached its model and nothing else: nobody was turned away.
    QCOMPARE(m_world->shell("carrel-ask why | grep -v 'port 9 '").out, QByteArray());
}

QTEST_GUILESS_MAIN(TestOtherAgents)
#include "test_other_agents.moc"
