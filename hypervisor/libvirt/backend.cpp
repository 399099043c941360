// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/backend.h"

#include "hypervisor/libvirt/domain_operations.h"
#include "hypervisor/libvirt/host_check.h"
#include "hypervisor/libvirt/libvirt_machine.h"
#include "hypervisor/libvirt/overlay.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

Status ensureRuntimeFolder(const std::filesystem::path& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("cannot make the machine's folder " + folder.native());
    }
    struct stat info {};
    if (::lstat(folder.c_str(), &info) != 0) {
        return failErrno("cannot look at the machine's folder " + folder.native());
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid()) {
        return fail(ErrorCode::Refused,
                    "the machine's folder " + folder.native() + " is not a folder of yours");
    }
    if (::chmod(folder.c_str(), 0700) != 0) {
        return failErrno("cannot close the machine's folder to others");
    }
    return {};
}

// Made anew for each machine: nothing of the last one's is in it.
Status makeWindow(const MachineSpec& spec) {
    const auto path = windowPath(spec.runtimeFolder);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return failErrno("removing the last machine's window");
    }
    if (!spec.window) {
        return {};
    }
    const UniqueFd window(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!window || ::ftruncate(window.get(), static_cast<off_t>(spec.window->size.value << 20U)) != 0) {
        return failErrno("making the machine's window");
    }
    return {};
}

class LibvirtBackend final : public Backend {
public:
    LibvirtBackend(LibvirtOptions options, std::shared_ptr<VirtApi> api)
        : m_options(std::move(options))
        , m_api(std::move(api)) {}

    std::string_view name() const override { return "libvirt"; }
    Capabilities capabilities() const override { return {.adopt = true, .software = true}; }

    Result<HostReport> checkHost(const HostProbe& probe, const Progress& progress,
                                 std::stop_token stop) override {
        return hypervisor::checkHost(*this, HostFacts::read(*m_api, m_options.emulator, probe), probe,
                                     progress, std::move(stop));
    }

    Result<std::unique_ptr<Machine>> create(const MachineSpec& spec) override {
        CARREL_TRY(validate(spec));
        if (auto note = checkOwn(*m_api, spec.id); note) {
            return fail(ErrorCode::AlreadyExists, "this agent's machine runs already");
        } else if (note.error().code != ErrorCode::NotFound) {
            return fail(note.error());
        }
        CARREL_TRY(ensureRuntimeFolder(spec.runtimeFolder));
        CARREL_TRY(makeWindow(spec));
        if (spec.disk) {
            CARREL_TRY(ensureOverlay(*spec.disk));
        }
        return std::make_unique<LibvirtMachine>(m_api, spec.id, spec.runtimeFolder,
                                                buildDomainXml(spec, m_options.emulator));
    }

    Result<std::vector<std::unique_ptr<Machine>>> adopt(const HomeId& home) override {
        auto notes = listOwn(*m_api, home);
        if (!notes) {
            return fail(notes.error());
        }
        std::vector<std::unique_ptr<Machine>> machines;
        for (MachineNote& note : *notes) {
            machines.push_back(
                std::make_unique<LibvirtMachine>(m_api, note.id, std::move(note.runtimeFolder)));
        }
        return machines;
    }

private:
    const LibvirtOptions m_options;
    const std::shared_ptr<VirtApi> m_api;
};

} // namespace

Result<std::unique_ptr<Backend>> makeLibvirtBackend(LibvirtOptions options) {
    if (::geteuid() == 0) {
        return fail(ErrorCode::Refused, "Carrel does not run as root",
                    "start it as an ordinary user; machines need no special rights");
    }
    auto api = makeVirtApi(options.uri);
    return makeLibvirtBackend(std::move(options), std::move(api));
}

Result<std::unique_ptr<Backend>> makeLibvirtBackend(LibvirtOptions options, std::shared_ptr<VirtApi> api) {
    if (!options.emulator.is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "the path of carrel-qemu must be absolute");
    }
    return std::make_unique<LibvirtBackend>(std::move(options), std::move(api));
}

} // namespace carrel::hypervisor
