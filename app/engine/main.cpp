// SPDX-License-Identifier: Apache-2.0
// carrel-engine [--ready-fd N]: serves the home named by CARREL_HOME until it is told to stop (engine.stop, SIGTERM,
// SIGINT). Machines go on without it; the next engine takes them over.
#include "app/api/own_programs.h"
#include "app/desktop/alarm_notices.h"
#include "app/desktop/task_notices.h"
#include "app/desktop/approval_notices.h"
#include "app/desktop/desktop_notifier.h"
#include "app/desktop/keyring_secrets.h"
#include "app/desktop/seal_keepers.h"
#include "app/desktop/session_bus_address.h"
#include "app/engine/engine.h"
#include "app/engine/log_for_people.h"
#include "app/engine/version.h"
#include "hypervisor/libvirt/backend.h"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace {

using namespace carrel;

constexpr std::chrono::milliseconds kLastEnginesPatience{15'000};

Result<UniqueFd> lockHome(const api::Home& home) {
    UniqueFd lock(::open(home.engineLock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
        return failErrno("opening " + home.engineLock().string());
    }
    // One that was told to end has machines and clerks to let go of first, and no longer answers meanwhile.
    constexpr auto kPause = std::chrono::milliseconds(50);
    auto left = kLastEnginesPatience;
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK && left.count() > 0) {
        std::this_thread::sleep_for(kPause);
        left -= kPause;
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) { // where it is ours already, it stays so
        return fail(ErrorCode::AlreadyExists, "another engine serves " + home.folder.string() + " already");
    }
    return lock;
}

void raiseDescriptorLimit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &files);
    }
}

Status serve(int readyFd) {
    CARREL_TRY(api::refuseRoot());
    auto home = api::openHome();
    if (!home) {
        return fail(std::move(home).error());
    }
    auto lock = lockHome(*home);
    if (!lock) {
        return fail(std::move(lock).error());
    }
    auto places = api::OwnPlaces::ofThisProgram();
    if (!places) {
        return fail(std::move(places).error());
    }
    auto installation = engine::findInstallation(*places);
    if (!installation) {
        return fail(std::move(installation).error());
    }
    hypervisor::LibvirtOptions options;
    options.emulator = installation->qemu;
    auto backend = hypervisor::makeLibvirtBackend(options);
    if (!backend) {
        return fail(std::move(backend).error());
    }
    engine::Engine* names = nullptr;
    desktop::DesktopNotifier::Options notifying;
    notifying.tell = [](const std::string& line) { spdlog::warn("{}", line); };
    desktop::DesktopNotifier notifier(std::move(notifying));
    const auto nameOf = [&names](std::string_view agent) {
        return names == nullptr ? std::string(agent) : names->approvals().nameOf(std::string(agent));
    };
    desktop::ApprovalNotices notices(notifier, nameOf);
    desktop::AlarmNotices alarms(notifier, nameOf);
    desktop::TaskNotices taskNotices(notifier, nameOf);
    engine::Engine::Session session;
    session.keeper = desktop::chosenSealKeeper({home->folder / "seal.place", home->folder / "rules.key",
                                                {desktop::sessionBusAddress(), home->id, "Carrel: the seal of the rules"}});
    desktop::SecretServiceKeeper::Options logKey{desktop::sessionBusAddress(), home->id + " logs", "Carrel: what signs the agents' logs"};
    logKey.words = {"the key that signs the agents' logs", "The logs go on, and are signed when it is there again",
                    "Take that item out of the keyring: Carrel then makes a new key. What is signed already needs the old public key to be verified",
                    "Take it away: Carrel then makes a new key. What is signed already needs the old public key to be verified",
                    "Carrel then makes a new key. What is signed already needs the old public key to be verified"};
    session.logKey = desktop::chosenSealKeeper({home->folder / "log-key.place", home->folder / "log.key", std::move(logKey)});
    session.keyring = std::make_unique<desktop::KeyringSecrets>(desktop::KeyringSecrets::Options{desktop::sessionBusAddress(), home->id});
    session.listeners = {&notices};
    session.alarm = [&alarms](const std::string& agent, agents::Alarm what) {
        if (what == agents::Alarm::Over) {
            alarms.over(agent);
        } else {
            alarms.raised(agent, what == agents::Alarm::CanaryLeft ? desktop::Waiting::What::CanaryLeft : desktop::Waiting::What::CanaryStillRuns);
        }
    };
    session.attention = [&taskNotices](const std::string& agent, std::uint64_t task, tasks::Attention why) {
        using What = desktop::Waiting::What;
        switch (why) {
        case tasks::Attention::None:
            return taskNotices.over(agent, task);
        case tasks::Attention::Permission:
            return taskNotices.raised(agent, task, What::TaskAsks);
        case tasks::Attention::Budget:
            return taskNotices.raised(agent, task, What::TaskBudget);
        case tasks::Attention::Machine:
            return taskNotices.raised(agent, task, What::TaskMachine);
        case tasks::Attention::Provider:
            return taskNotices.raised(agent, task, What::TaskModel);
        case tasks::Attention::Review:
            return taskNotices.raised(agent, task, What::TaskReview);
        case tasks::Attention::Done:
            return taskNotices.raised(agent, task, What::TaskDone);
        case tasks::Attention::Failed:
            return taskNotices.raised(agent, task, What::TaskFailed);
        }
    };
    session.proxies = egress::ProxySettings::fromEnvironment();
    if (const auto& proxies = *session.proxies; !proxies) { // the agents' connections end with this, and the owner finds it here, too
        spdlog::error("{}. {}", proxies.error().text(), proxies.error().hint);
    }
    auto engine = engine::Engine::create(*home, *installation, std::move(*backend), std::move(session));
    if (!engine) {
        return fail(std::move(engine).error());
    }
    names = engine->get();
    CARREL_TRY((*engine)->open());
    auto socket = api::socketPath(*home);
    if (!socket) {
        return fail(std::move(socket).error());
    }
    auto clientSocket = api::clientSocketPath(*home);
    if (!clientSocket) {
        return fail(std::move(clientSocket).error());
    }
    api::Server* running = nullptr;
    auto server = api::Server::start(api::Listening{*socket, (*engine)->clients().gate(*clientSocket)},
                                     (*engine)->handlers([&running] { running->requestStop(); }));
    if (!server) {
        return fail(std::move(server).error());
    }
    running = server->get();
    spdlog::info("Carrel {} serves {}", engine::kVersion, home->folder.string());
    if (readyFd >= 0) {
        const UniqueFd ready(readyFd);
        (void)!::write(ready.get(), "\n", 1);
    }
    // Signals were blocked before any thread began; one thread waits for them.
    std::thread signals([running] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGUSR2); // our own, to end this thread
        int which = 0;
        (void)::sigwait(&set, &which);
        running->requestStop();
    });
    (*server)->waitStopRequested();
    (void)::pthread_kill(signals.native_handle(), SIGUSR2);
    signals.join();
    (*server)->stop();
    return {};
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Carrel's engine: decides, applies, writes down. Started by the carrel command when it is needed."};
    int readyFd = -1;
    app.add_option("--ready-fd", readyFd, "Descriptor that gets one newline when the engine serves");
    app.set_version_flag("--version", std::string(engine::kVersion));
    CLI11_PARSE(app, argc, argv);
    engine::logToStandardError();
    (void)::prctl(PR_SET_DUMPABLE, 0); // I6: no core files
    (void)::signal(SIGPIPE, SIG_IGN);
    (void)::signal(SIGIO, SIG_IGN); // another program breaks the lease that asks whether it writes (fcntl(2))
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int each : {SIGTERM, SIGINT, SIGUSR2}) {
        sigaddset(&blocked, each);
    }
    (void)::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    raiseDescriptorLimit();
    if (auto served = serve(readyFd); !served) {
        const auto& error = served.error();
        spdlog::error("{}{}", error.text(), error.hint.empty() ? "" : ". " + error.hint);
        return 1;
    }
    return 0;
}
