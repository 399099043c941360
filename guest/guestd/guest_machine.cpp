// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/guest_machine.h"

#include "guest/ask/ask_places.h"
#include "guest/guestd/end_signals.h"
#include "guest/guestd/machine_settings.h"
#include "guest/guestd/ports.h"
#include "guest/guestd/shared_window.h"
#include "guest/protocol/control.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::guestd {

namespace {

constexpr std::chrono::milliseconds kLastWords{
    2000}; // for the answer to power.off; the machine goes off either way

void writeLine(std::string line) {
    line += '\n'; // one write: lines of the kernel's cannot cut it
    [[maybe_unused]] const ssize_t done = ::write(STDOUT_FILENO, line.data(), line.size());
}

// A number that no other start of guestd has; exact in every reader of JSON.
std::uint64_t newBook() {
    std::uint64_t random = 0;
    while (random == 0) {
        [[maybe_unused]] const ssize_t got = ::getrandom(&random, sizeof random, 0);
        random >>= 12U;
    }
    return random;
}

Status makePrivateFolder(const std::string& path) {
    if ((::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) || ::chmod(path.c_str(), 0700) != 0) {
        return failErrno("making " + path);
    }
    return {};
}

} // namespace

void say(std::string_view text) {
    writeLine("carrel-guestd: " + std::string(text));
}

void sayStage(std::string_view name) {
    writeLine("carrel-guestd: stage " + std::string(name));
}

GuestMachine::GuestMachine()
    : m_window(openSharedWindow())
    , m_network({.log = say, .refused = [this](const net::Opening& meant, const net::Answer& why) { m_refusals.note(meant, why); }})
    , m_runner({.spawners = [this] { return spawner(); }})
    , m_agent({.workspace = kWorkspace, .shelf = kAgentShelf},
              [this](AgentSpace& space) {
                  m_network.adopt(space.networkNamespace());
                  m_runner.accountEnded();
              },
              [this](std::string_view text) {
                  say(text);
                  m_control.notify("log", {{"level", "warning"}, {"text", text}});
              })
    , m_shares({.workspace = kWorkspace,
                .staged = kStagedFolder,
                .owner = kAgentFirstId,
                .window = m_window.empty() ? nullptr
                                          : std::make_shared<worktree::ReadWindow>(m_window.first(windowParts(m_window.size()).files)),
                .touched =
                    [this](std::uint32_t share) {
                        m_control.notify("changes.touched", {{"share", share}});
                    }})
    , m_control(m_shares, *this)
    , m_known(m_control.asks(), {.apply = [this](const bpf::GatePolicy& policy) { return m_gate.apply(policy); },
                                 .log =
                                     [this](std::string_view text) {
                                         m_control.notify("log", {{"level", "warning"}, {"text", text}});
                                     },
                                 .installed = [this](const std::string& sha256, PackageDesk::Looked looked) { m_packages.ask(sha256, std::move(looked)); }})
    , m_fetched(packages::Places())
    , m_packages(m_control.asks(), {.isNew = [this] { return m_fetched.isNew(); },
                                    .look = [this](const PackageDesk::Found& found, std::stop_token stop) { return m_fetched.look(found, std::move(stop)); },
                                    .forget = [this] { m_fetched.forget(); },
                                    .log =
                                        [this](std::string_view text) {
                                            m_control.notify("log", {{"level", "warning"}, {"text", text}});
                                        }})
    , m_asks(m_control.asks(), m_refusals,
             [this](std::string_view name) -> std::optional<std::uint32_t> {
                 for (const auto& share : m_shares.mounted()) {
                     if (share.name == name) {
                         return share.id;
                     }
                 }
                 return std::nullopt;
             })
    , m_sessions([this] { return spawner(); })
    , m_watched(newBook())
    , m_watch(m_watched, [this](std::string_view address) { return m_network.nameAt(address); }) {}

std::shared_ptr<Spawner> GuestMachine::spawner() {
    auto spawner = m_agent.spawner();
    m_network.waitUntilServed(); // a program may ask for a name at once
    return spawner;
}

GuestMachine::~GuestMachine() {
    // Nobody calls into what goes first.
    for (auto* channel : {&m_controlChannel, &m_filesChannel, &m_networkChannel, &m_terminalsChannel}) {
        if (*channel) {
            (*channel)->stop();
        }
    }
    m_packages.stop();
    m_watch.stop();
    m_watched.stop();
    m_network.stop();
    m_runner.stop(); // it may have waited for the network
    m_asks.stop();
    m_sessions.stop();
    m_control.stop();
}

Status GuestMachine::start() {
    CARREL_TRY(prepareFolders());
    if (const auto grown = growFileSystem("/disk"); !grown) {
        say("the disk keeps its size: " + grown.error().text()); // usable, only smaller
    }
    // Where everything runs that is not denied, no package needs to be known.
    m_asks.onPackages([this](std::function<void()> done) {
        if (!m_known.onlyListedRuns() || !m_packages.ask({}, [done](bool) { done(); })) {
            done();
        }
    });
    CARREL_TRY(m_asks.start(std::string(kAgentShelf) + ask::kSocketName));
    CARREL_TRY(m_network.start());
    m_packages.start();
    CARREL_TRY(m_gate.start([this](const bpf::Refusal& refusal) { m_known.refused(refusal, KnownPrograms::Clock::now()); }));
    // Only the folder's content is the agent's; nothing the agent can reach shows guestd's own.
    CARREL_TRY(m_agent.start());
    if (const auto watched = m_watch.start(AgentPlaces().cgroup, m_gate.lent()); !watched) {
        say("not watched: " + watched.error().text()); // the host tells it to people (watch.silent)
    }
    // After the agent's network exists: making a dummy interface may load its module.
    for (const auto& missing : sealKernelSettings()) {
        say("not sealed: " + missing);
    }
    sayStage("agent");
    return openChannels();
}

Status GuestMachine::prepareFolders() {
    CARREL_TRY(makePrivateFolder(kPrivateFolder));
    CARREL_TRY(makePrivateFolder(kStagedFolder));
    CARREL_TRY(makePrivateFolder("/run/carrel"));
    // For everybody to read, and to nobody of the agent's to write: it belongs to the machine's root.
    if ((::mkdir(kAgentShelf, 0755) != 0 && errno != EEXIST) || ::chmod(kAgentShelf, 0755) != 0) {
        return failErrno("making the agent's shelf");
    }
    // What an earlier guestd mounted serves nobody any more.
    while (::umount2(kWorkspace, MNT_DETACH) == 0) {
    }
    if (::mkdir(kWorkspace, 0755) != 0 && errno != EEXIST) {
        return failErrno("making the workspace");
    }
    // Owned by the machine's root: in the agent's world nobody, so that nothing but shares can be put there,
    // where it would look shared and be seen by no one. Shared: later mounts appear in the agent's world.
    if (::mount("tmpfs", kWorkspace, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") != 0 ||
        ::mount(nullptr, kWorkspace, nullptr, MS_SHARED, nullptr) != 0) {
        return failErrno("mounting the workspace");
    }
    return {};
}

Status GuestMachine::openChannels() {
    struct Wanted {
        const char* port;
        std::unique_ptr<Channel>* channel;
        Channel::Options options;
    };
    const auto parts = windowParts(m_window.size());
    const RingReader ring{parts.ringSlots, m_window.subspan(parts.ringAt, parts.ringSlots * kRingSlotBytes)};
    Wanted all[] = {
        {control::kPortControl,
         &m_controlChannel,
         {"control", ControlService::accept,
          [this](ChannelEvent&& event) { m_control.handle(std::move(event)); }}},
        {control::kPortFiles,
         &m_filesChannel,
         {"files", UnionShares::accept, [this](ChannelEvent&& event) { m_shares.handle(std::move(event)); },
          Channel::TellWritable::No}},
        {control::kPortNetwork,
         &m_networkChannel,
         {"network", NetService::accept, [this](ChannelEvent&& event) { m_network.handle(std::move(event)); }, Channel::TellWritable::WhenAsked, ring}},
        {control::kPortTerminals,
         &m_terminalsChannel,
         {"terminals", SessionServer::accept,
          [this](ChannelEvent&& event) { m_sessions.handle(std::move(event)); }}},
    };
    for (auto& wanted : all) {
        auto port = openPort(wanted.port);
        if (!port) {
            return fail(port.error());
        }
        *wanted.channel = std::make_unique<Channel>(std::move(*port), std::move(wanted.options));
    }
    m_control.start(*m_controlChannel, *m_filesChannel);
    m_shares.start(*m_filesChannel);
    m_network.connect(*m_networkChannel);
    CARREL_TRY(m_sessions.start(*m_terminalsChannel));
    for (auto& wanted : all) {
        if (wanted.channel != &m_terminalsChannel) {
            CARREL_TRY((*wanted.channel)->start());
        }
    }
    return {};
}

// Not before: a command that starts while its share is not there yet fails, or works in an empty folder. So the
// host hears from this channel last when guestd starts again, too.
Status GuestMachine::takeCommands() {
    if (!m_takesCommands) {
        CARREL_TRY(m_terminalsChannel->start());
        m_takesCommands = true;
        // Every device is set up by now, the shared window as the last (openSharedWindow); fullCommandLine() of domain_xml.h says
        // why not before. Nobody waits for them: to start one takes an emulated machine half a second.
        m_processors = std::async(std::launch::async, [] {
            if (const auto all = startProcessors(); !all) {
                say("fewer processors: " + all.error().text()); // usable, only slower
            }
        });
    }
    return {};
}

bool GuestMachine::waitForEnd() {
    const int number = waitForEndSignal();
    if (number == SIGTERM) { // from carrel-init: the machine goes off without the host having asked guestd
        endAgent();
        static_cast<void>(settleDown());
    }
    return number == SIGUSR1;
}

Status GuestMachine::setClock(std::chrono::nanoseconds sinceEpoch) {
    return guestd::setClock(sinceEpoch);
}

std::string GuestMachine::bootId() {
    return guestd::bootId();
}

Status GuestMachine::adoptAgent(const std::string& name) {
    return m_agent.setName(name);
}

Status GuestMachine::trust(const AuthorityCertificate& authority) {
    return m_agent.setAuthority(authority);
}

// Only on a machine that has just started: an earlier guestd's policy is in force still.
Status GuestMachine::expectPolicy() {
    if (m_known.hasPolicy() || m_gate.origin() == bpf::KernelPrograms::Origin::Found) {
        return {};
    }
    return m_gate.apply({.mode = bpf::GateMode::Allow, .age = 0, .deny = {}, .allow = {}, .makesCode = {}});
}

void GuestMachine::talk(talk::Call call, AgentAnswer answer) {
    m_runner.call(std::move(call), std::move(answer));
}

void GuestMachine::watch(const watch::Ask& ask, AgentAnswer answer) {
    m_watched.ask(ask, std::move(answer));
}

void GuestMachine::endAgent() {
    m_runner.end(); // it may have something to write down
    m_agent.end();
    ::sync(); // before anything that may take long: the host's patience ends, and then it cuts the power
}

Status GuestMachine::settleDown() {
    m_shares.unmountAll();
    ::sync();
    return {};
}

void GuestMachine::powerOff() {
    m_controlChannel->flush(kLastWords);
    const UniqueFd wish(::open(kPowerOffWish, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ::kill(::getpid(), SIGUSR1); // blocked everywhere and taken by waitForEnd()
}

} // namespace carrel::guestd
