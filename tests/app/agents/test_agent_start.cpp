// SPDX-License-Identifier: Apache-2.0
// Starts that do not succeed, over a back end without machines: each is explained, written down, and leaves
// an agent that can be started again.
#include "app/agents/agent.h"
#include "hypervisor/fake/fake_backend.h"

#include <QTemporaryDir>
#include <QTest>

#include <thread>

using namespace carrel;
using namespace carrel::agents;

namespace {

const auto kHome = hypervisor::HomeId::parse("0123456789abcdef");

} // namespace

class TestAgentStart : public QObject {
    Q_OBJECT
private slots:
    void init();
    void cleanup();
    void clerkMissing();
    void imageMissing();
    void backendRefuses();
    void machineEndsAtStart();
    void nothingRunsBeforeAStart();

private:
    void startFails(const char* word);
    std::unique_ptr<QTemporaryDir> m_folder;
    std::shared_ptr<hypervisor::FakeWorld> m_world;
    std::unique_ptr<hypervisor::Backend> m_backend;
    std::optional<Services> m_services;
    std::shared_ptr<Agent> m_agent;
};

void TestAgentStart::init() {
    m_folder = std::make_unique<QTemporaryDir>("/tmp/carrel-start-XXXXXX");
    const std::filesystem::path folder = m_folder->path().toStdString();
    for (const char* part : {"kernel", "initrd", "base"}) {
        QFile file(m_folder->filePath(part));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("x");
    }
    m_world = std::make_shared<hypervisor::FakeWorld>();
    m_backend = hypervisor::makeFakeBackend(m_world);
    QVERIFY(kHome);
    m_services.emplace(Services{
        m_backend.get(), *kHome, folder / "agents", folder / "run", CARREL_BIN_DIR "/carrel-clerk", {},
        [folder](const std::string&, const auto&) -> Result<BootFiles> {
            return BootFiles{folder / "kernel", folder / "initrd", folder / "base", "quiet"};
        },
        [](const auto&) -> Result<hypervisor::Accelerator> { return hypervisor::Accelerator::Software; },
        [](const std::filesystem::path&) -> Status { return {}; }});
    m_services->complain = [](std::string_view) {};
    std::filesystem::create_directories(folder / "agents");
    std::filesystem::create_directories(folder / "run");
    NewAgent wanted;
    wanted.name = "ann";
    wanted.image = "image";
    auto made = Agent::create(*m_services, wanted);
    QVERIFY2(made.has_value(), made ? "" : made.error().text().c_str());
    m_agent = *made;
}

void TestAgentStart::cleanup() {
    m_agent.reset();
    m_backend.reset();
    m_folder.reset();
}

void TestAgentStart::startFails(const char* word) {
    const auto started = m_agent->start([](std::string_view, std::string_view) {}, {});
    QVERIFY(!started);
    QVERIFY2(started.error().text().find(word) != std::string::npos, started.error().text().c_str());
    QVERIFY2(!started.error().hint.empty(), started.error().text().c_str());
    QVERIFY(m_agent->state() == AgentState::Failed);
    const auto told = m_agent->describe();
    QVERIFY(told.at("reason").as_string().find(word) != boost::json::string::npos);
    const auto events = m_agent->log().query({});
    QVERIFY(events);
    // Written down before and after: it was to start, and it failed.
    std::vector<std::string> states;
    for (const auto& each : *events) {
        if (each.event.kind == activity::EventKind::VmState) {
            states.push_back(each.event.subject);
        }
    }
    const std::vector<std::string> wanted{"starting", "failed"};
    QVERIFY(states == wanted);
    // No machine stays behind.
    const auto left = m_backend->adopt(*kHome);
    QVERIFY(left && left->empty());
}

void TestAgentStart::clerkMissing() {
    m_services->clerkProgram = "/nonexistent/carrel-clerk";
    startFails("clerk");
}

void TestAgentStart::imageMissing() {
    m_services->bootFiles = [](const std::string&, const auto&) -> Result<BootFiles> {
        return fail(ErrorCode::NotFound, "the image is gone", "Build it again");
    };
    startFails("image is gone");
}

void TestAgentStart::backendRefuses() {
    m_world->failNextStart(
        Error{ErrorCode::LimitExceeded, "there is not enough memory", "Close something", 0, nullptr});
    startFails("not enough memory");
}

void TestAgentStart::machineEndsAtStart() {
    const auto id = hypervisor::AgentId::parse(m_agent->id());
    QVERIFY(id);
    // As soon as it runs: the fake prints on the console when it is first resumed, and knows of it from its
    // start on.
    std::jthread end([&](std::stop_token stop) {
        while (!stop.stop_requested() &&
               !m_world->end({*kHome, *id}, hypervisor::ExitReason::Crashed, "Kernel panic - not syncing")) {
            std::this_thread::yield();
        }
    });
    const auto started = m_agent->start([](std::string_view, std::string_view) {}, {});
    end.request_stop();
    QVERIFY(!started);
    QVERIFY(m_agent->state() == AgentState::Failed);
    const auto text = started.error().text();
    QVERIFY2(text.find("machine") != std::string::npos && text.find("folder") == std::string::npos,
             text.c_str());
    const auto left = m_backend->adopt(*kHome);
    QVERIFY(left && left->empty());
}

void TestAgentStart::nothingRunsBeforeAStart() {
    UniqueFd socket;
    const auto ran = m_agent->exec({{"argv", boost::json::array{"true"}}}, socket);
    QVERIFY(!ran);
    QVERIFY(ran.error().code == ErrorCode::Refused);
    QVERIFY2(ran.error().hint.find("carrel start ann") != std::string::npos, ran.error().hint.c_str());
    QVERIFY(!socket);
    const auto frozen = m_agent->freeze([](std::string_view, std::string_view) {}, {});
    QVERIFY(!frozen && frozen.error().code == ErrorCode::Refused);
    QVERIFY(!m_agent->stop([](std::string_view, std::string_view) {}).value_or(true));
}

QTEST_GUILESS_MAIN(TestAgentStart)
#include "test_agent_start.moc"
