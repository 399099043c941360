// SPDX-License-Identifier: Apache-2.0
#include "app/viewer/viewer_machine.h"

#include "app/files/line_diff.h"
#include "guest/protocol/control.h"
#include "guest/protocol/strict_json.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace carrel::viewer {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr hypervisor::Mebibytes kMemory{640}; // what a reader may take (viewer_spawner.h), and the rest of the machine
constexpr char kViewerArgument[] = " carrel.viewer=1"; // guest/init
constexpr std::chrono::seconds kClerkPatience{30};

// Where the clerk puts the text: of one size for good, so that a broken one cannot fill the host's memory by it.
Result<UniqueFd> textFile() {
    UniqueFd file(::memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(kMaxText)) != 0 ||
        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return failErrno("making room for a document's text");
    }
    return file;
}

Result<std::string> readText(int file, std::uint64_t size) {
    std::string text(size, '\0');
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t got = ::pread(file, text.data() + at, text.size() - at, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return failErrno("taking a document's text");
        }
        at += static_cast<std::size_t>(got);
    }
    return text;
}

} // namespace

ViewerMachine::ViewerMachine(std::unique_ptr<hypervisor::Machine> machine, fs::path folder)
    : m_machine(std::move(machine))
    , m_folder(std::move(folder)) {}

ViewerMachine::~ViewerMachine() {
    if (m_clerk) {
        m_clerk->leave();
    }
    (void)m_machine->stop().has_value(); // one that cannot be ended now is ended by the next engine
    std::error_code ignored;
    fs::remove_all(m_folder, ignored);
}

Result<std::unique_ptr<ViewerMachine>> ViewerMachine::start(const MachineSetup& setup) {
    auto boot = setup.boot();
    if (!boot) {
        return fail(std::move(boot).error());
    }
    auto id = hypervisor::AgentId::random();
    if (!id) {
        return fail(std::move(id).error());
    }
    std::error_code error;
    fs::create_directories(setup.folder, error);
    if (error) {
        return failErrno("making the folder " + setup.folder.string(), error.value());
    }
    const auto folder = setup.folder / id->text().substr(0, 8);
    hypervisor::MachineSpec spec{{setup.home, *id}};
    spec.memory = kMemory;
    spec.kernel = boot->kernel;
    spec.initrd = boot->initrd;
    spec.commandLine = boot->commandLine + kViewerArgument;
    spec.disk = hypervisor::DiskSpec{boot->base, {}};
    spec.runtimeFolder = folder;
    spec.accelerator = boot->accelerator;
    auto machine = setup.backend->create(spec);
    if (!machine) {
        return fail(std::move(machine).error());
    }
    if (auto started = (*machine)->start(); !started) {
        fs::remove_all(folder, error);
        return fail(std::move(started).error());
    }
    std::unique_ptr<ViewerMachine> viewer(new ViewerMachine(std::move(*machine), folder));
    CARREL_TRY(viewer->putClerk(setup.clerkProgram));
    CARREL_TRY(viewer->m_machine->resume());
    return viewer;
}

Status ViewerMachine::putClerk(const std::string& program) {
    // What it tells of itself is of no interest: whoever waits for an answer of it hears of its end.
    auto clerk = agents::ClerkProcess::start(program, {[](const std::string&, const json::object&) {}, [](const std::string&) {}});
    if (!clerk) {
        return fail(std::move(clerk).error());
    }
    m_clerk = std::move(*clerk);
    const auto confined = m_clerk->request("prepare", {{"agent", {{"id", "viewer"}, {"name", "viewer"}}}, {"shares", json::array{}}}, {}, {},
                                           kClerkPatience);
    if (!confined) {
        return fail(confined.error().wrap("The viewer's clerk could not be confined, so it gets nothing to do"));
    }
    JsonFields fields(*confined, "prepare");
    const auto landlock = fields.number("landlock_abi", 1000);
    const bool seccomp = fields.boolean("seccomp");
    CARREL_TRY(fields.finish());
    if (landlock == 0 || !seccomp) {
        return fail(ErrorCode::Refused, "the viewer's clerk is not confined");
    }
    auto channel = m_machine->openChannel(hypervisor::ChannelId::Terminals);
    if (!channel) {
        return fail(std::move(channel).error());
    }
    const auto attached = m_clerk->request("attach", {{"channels", {hypervisor::toString(hypervisor::ChannelId::Terminals)}}},
                                           {channel->get()}, {}, kClerkPatience);
    return attached ? Status{} : fail(attached.error());
}

ViewerMachine::Text ViewerMachine::read(int document, files::DocumentKind kind, std::chrono::seconds limit,
                                        std::chrono::seconds patience, std::stop_token stop) {
    auto file = textFile();
    if (!file) {
        return {{Fault::Machine, file.error().text()}, {}};
    }
    const auto session = m_documents++ % control::kMaxSessions + 1;
    const auto answer = m_clerk->request(
        "document.read", {{"session", session}, {"argv", extractCommand(kind, limit)}, {"max_text", kMaxText}},
        {document, file->get()}, std::move(stop), patience);
    auto verdict = judge(answer, limit);
    if (verdict.fault != Fault::None) {
        return {std::move(verdict), {}};
    }
    auto text = readText(file->get(), verdict.size);
    if (!text || !files::looksLikeText(*text)) { // the clerk has looked, and may be broken
        return {{Fault::Machine, text ? "what the viewer's clerk handed on is no text" : text.error().text()}, {}};
    }
    return {std::move(verdict), std::move(*text)};
}

} // namespace carrel::viewer
