// SPDX-License-Identifier: Apache-2.0
// A whole engine over machines that are none, with clerks and staged work that the test plays, listening where a desktop looks for
// it; and what a test of the desktop needs to find its widgets.
#pragma once

#include "app/api/home.h"
#include "app/api/server.h"
#include "app/engine/engine.h"
#include "hypervisor/fake/fake_backend.h"
#include "tests/app/agents/played_guest.h"
#include "tests/app/images/image_fixture.h"
#include "ui/engine/engine_link.h"

#include <QApplication>
#include <QSettings>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

#include <fcntl.h>

namespace carrel::ui::test {

// Long enough for a busy computer; only a test that fails waits for it.
inline constexpr int kPatience = 60'000;

class DesktopWorld {
public:
    enum class Image { There, Missing };

    explicit DesktopWorld(Image image = Image::There, std::unique_ptr<egress::SecretStore> keyring = nullptr) {
        QStandardPaths::setTestModeEnabled(true);
        QSettings().clear();
        qputenv("XDG_RUNTIME_DIR", dir.path().toUtf8());
        qputenv("CARREL_HOME", (dir.path() + "/home").toUtf8());
        for (const char* part : {"kernel", "initrd", "base", "modules"}) {
            carrel::test::writeFile(dir.filePath(part), part == std::string_view("base")      ? carrel::test::fakeExt4()
                                                        : part == std::string_view("modules") ? carrel::test::fakeModules()
                                                                                              : carrel::test::fakeElf());
        }
        std::filesystem::create_directory(papers());
        engine::Engine::Session session;
        session.resolver = [names = names] { // no test asks the network's own
            egress::SystemResolver::Setup setup;
            setup.lookUp = [names](const egress::HostName& name) -> egress::Addresses {
                const std::lock_guard lock(names->mutex);
                const auto at = names->addresses.find(name.text());
                if (at == names->addresses.end()) {
                    return fail(ErrorCode::NotFound, "no address is known for that name");
                }
                return std::vector{egress::Address::parse(at->second).value()};
            };
            return std::make_shared<egress::SystemResolver>(std::move(setup));
        };
        session.keyring = std::move(keyring);
        session.sealing = egress::SealedFile::Cost{4, 1, 1};
        carrel::test::writeFile(dir.filePath("roots"), "roots"); // nobody's: no clerk here verifies by them
        session.roots = [file = folder() / "roots"]() -> Result<UniqueFd> {
            UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
            return fd ? Result<UniqueFd>(std::move(fd)) : failErrno("reading the roots");
        };
        auto made = engine::Engine::create(api::openHome().value(), engine::Installation{}, hypervisor::makeFakeBackend(machines), std::move(session));
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        engine = std::move(*made);
        auto& services = engine->services();
        services.clerkProgram = clerks.program();
        services.bootFiles = [this](const std::string&, const auto&) -> Result<agents::BootFiles> {
            if (const auto trouble = bootTrouble()) {
                return fail(*trouble);
            }
            return agents::BootFiles{folder() / "kernel", folder() / "initrd", folder() / "base", "quiet"};
        };
        services.accelerator = [](const auto&) -> Result<hypervisor::Accelerator> { return hypervisor::Accelerator::Software; };
        services.mayShare = [](const std::filesystem::path&) -> Status { return {}; };
        services.patience.supervising = std::chrono::milliseconds(50);
        if (image == Image::There &&
            !engine->images().importRaw({folder() / "base", folder() / "kernel", folder() / "modules", "6.1-test"})) {
            qFatal("no image");
        }
        // As a guest does that is asked to power off.
        clerks.on("power.off", [this](const boost::json::object&) {
            for (const auto& agent : engine->allAgents()) {
                if (const auto id = hypervisor::AgentId::parse(agent->id())) {
                    (void)machines->end({engine->services().home, *id}, hypervisor::ExitReason::GuestShutdown).has_value();
                }
            }
            return boost::json::object{{"staged", boost::json::array{boost::json::object{{"share", 1}, {"staged", m_staged.load()}}}}};
        });
        if (auto opened = engine->open(); !opened) {
            qFatal("%s", opened.error().text().c_str());
        }
        comeUp();
    }
    ~DesktopWorld() {
        goDown();
        guest.reset();
        engine.reset();
    }
    DesktopWorld(const DesktopWorld&) = delete;
    DesktopWorld& operator=(const DesktopWorld&) = delete;

    // The engine's socket goes and comes.
    void goDown() { server.reset(); }
    void comeUp() {
        auto handlers = engine->handlers([] {});
        if (playMore) {
            playMore(handlers);
        }
        server = std::move(api::Server::start(api::socketPath(engine->home()).value(), std::move(handlers)).value());
    }
    // Verbs that the test plays in the engine's place, from the next comeUp() on.
    std::function<void(api::Handlers&)> playMore;
    [[nodiscard]] std::filesystem::path folder() const { return dir.path().toStdString(); }
    [[nodiscard]] std::filesystem::path papers() const { return folder() / "papers"; }
    // An agent with the folder papers, and its machine running; what is staged there is the test's.
    void addAgent(const QString& name, bool started = true) {
        agents::NewAgent wanted;
        wanted.name = name.toStdString();
        wanted.shares.push_back({papers().string(), agents::ShareMode::Review});
        auto agent = engine->createAgent(wanted);
        if (!agent) {
            qFatal("%s", agent.error().text().c_str());
        }
        if (!guest) {
            guest = std::make_unique<agents::test::PlayedGuest>(clerks, papers(), [this](std::size_t staged) { m_staged = staged; });
        }
        if (started && !(*agent)->start(agents::test::quiet, {})) {
            qFatal("no machine");
        }
    }
    // Where a name leads to.
    void nameLeads(const std::string& name, const std::string& address) {
        const std::lock_guard lock(names->mutex);
        names->addresses[name] = address;
    }
    // The next starts fail with it; nothing: they go well.
    void failStarts(std::optional<Error> why) {
        const std::lock_guard lock(m_mutex);
        m_bootTrouble = std::move(why);
    }

    struct Names {
        std::mutex mutex;
        std::map<std::string, std::string> addresses;
    };
    std::shared_ptr<Names> names = std::make_shared<Names>();
    QTemporaryDir dir{"/tmp/carrel-desktop-XXXXXX"};
    std::shared_ptr<hypervisor::FakeWorld> machines = std::make_shared<hypervisor::FakeWorld>();
    agents::test::StandInClerks clerks;
    std::unique_ptr<engine::Engine> engine;
    std::unique_ptr<agents::test::PlayedGuest> guest;
    std::unique_ptr<api::Server> server; // first to go

private:
    [[nodiscard]] std::optional<Error> bootTrouble() {
        const std::lock_guard lock(m_mutex);
        return m_bootTrouble;
    }
    std::mutex m_mutex;
    std::optional<Error> m_bootTrouble;
    std::atomic<std::size_t> m_staged = 0;
};

// The widget of that name, which there has to be.
template <class Widget> Widget* find(const QObject& within, const char* name) {
    auto* const found = within.findChild<Widget*>(QString::fromLatin1(name));
    if (found == nullptr) {
        qFatal("there is no %s", name);
    }
    return found;
}

inline void click(QWidget* widget) {
    QApplication::processEvents(); // so that it stands where it will be
    QTest::mouseClick(widget, Qt::LeftButton);
}

// The dialog of that name that stands in front of everything.
template <class Dialog> Dialog* dialog(const char* name) {
    for (auto* const widget : QApplication::topLevelWidgets()) {
        if (widget->objectName() == QLatin1String(name) && widget->isVisible()) {
            return qobject_cast<Dialog*>(widget);
        }
    }
    return nullptr;
}

} // namespace carrel::ui::test
