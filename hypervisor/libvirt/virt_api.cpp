// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/virt_api.h"

#include "guest/protocol/unique_fd.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

struct CloseConnection {
    void operator()(virConnectPtr connection) const { virConnectClose(connection); }
};
struct FreeDomain {
    void operator()(virDomainPtr domain) const { virDomainFree(domain); }
};
using Domain = std::unique_ptr<virDomain, FreeDomain>;
using Connection = std::shared_ptr<virConnect>;

ErrorCode codeOf(int virCode) {
    switch (virCode) {
    case VIR_ERR_NO_DOMAIN:
        return ErrorCode::NotFound;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_OPERATION_DENIED:
    case VIR_ERR_AUTH_FAILED:
        return ErrorCode::Refused;
    case VIR_ERR_DOM_EXIST:
        return ErrorCode::AlreadyExists;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
    case VIR_ERR_RPC:
    case VIR_ERR_SYSTEM_ERROR:
    case VIR_ERR_OPERATION_TIMEOUT:
        return ErrorCode::Unavailable;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
        return ErrorCode::Unsupported;
    default:
        return ErrorCode::Io;
    }
}

std::string hintOf(ErrorCode code) {
    switch (code) {
    case ErrorCode::Unavailable:
        return "check that libvirt is installed (package libvirt-daemon) and that \"virsh -c qemu:///session "
               "list\" works";
    case ErrorCode::Unsupported:
        return "check that QEMU is installed (package qemu-system-x86)";
    default:
        return {};
    }
}

Error takeError(std::string doing) {
    const virError* last = virGetLastError();
    Error cause;
    cause.code = last != nullptr ? codeOf(last->code) : ErrorCode::Io;
    cause.message = last != nullptr && last->message != nullptr ? last->message : "libvirt gave no reason";
    if (cause.message.size() > 2000) { // it may quote what QEMU wrote
        cause.message.resize(2000);
    }
    std::ranges::replace_if(
        cause.message, [](char c) { return c < 0x20 || c == 0x7f; }, ' ');
    cause.hint = hintOf(cause.code);
    return cause.wrap(std::move(doing));
}

tl::unexpected<Error> failVir(std::string doing) {
    return fail(takeError(std::move(doing)));
}

// A daemon that is just ending takes a connection and drops it; a moment later a new one is started for the next.
constexpr int kOpenAgain = 3;
constexpr std::chrono::milliseconds kOpenAgainAfter{100};

class LibvirtApi final : public VirtApi {
public:
    explicit LibvirtApi(std::string uri)
        : m_uri(std::move(uri)) {
        virSetErrorFunc(nullptr, [](void*, virErrorPtr) {}); // the default writes to standard error
    }

    Result<VirtVersions> versions() override {
        auto connection = connect();
        if (!connection) {
            return fail(connection.error());
        }
        VirtVersions versions;
        if (virConnectGetVersion(connection->get(), &versions.qemu) != 0 ||
            virConnectGetLibVersion(connection->get(), &versions.libvirt) != 0) {
            return failVir("libvirt does not know the version of QEMU");
        }
        return versions;
    }

    Result<std::vector<DomainRecord>> listActive() override {
        auto connection = connect();
        if (!connection) {
            return fail(connection.error());
        }
        virDomainPtr* raw = nullptr;
        const int count = virConnectListAllDomains(connection->get(), &raw, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
        if (count < 0) {
            return failVir("libvirt does not list its machines");
        }
        std::vector<DomainRecord> records;
        for (int i = 0; i < count; ++i) {
            const Domain domain(raw[i]);
            char uuid[VIR_UUID_STRING_BUFLEN] = {};
            const char* name = virDomainGetName(domain.get());
            if (name != nullptr && virDomainGetUUIDString(domain.get(), uuid) == 0) {
                records.push_back({name, uuid});
            }
        }
        std::free(raw);
        return records;
    }

    Status createPaused(const std::string& xml) override {
        auto connection = connect();
        if (!connection) {
            return fail(connection.error());
        }
        const Domain domain(virDomainCreateXML(connection->get(), xml.c_str(), VIR_DOMAIN_START_PAUSED));
        if (!domain) {
            return failVir("libvirt did not start it");
        }
        return {};
    }

    Result<DomainState> state(const std::string& uuid) override {
        auto domain = find(uuid);
        if (!domain) {
            return fail(domain.error());
        }
        int state = VIR_DOMAIN_NOSTATE;
        if (virDomainGetState(domain->get(), &state, nullptr, 0) != 0) {
            return failVir("libvirt does not tell the machine's state");
        }
        switch (state) {
        case VIR_DOMAIN_PAUSED:
            return DomainState::Paused;
        case VIR_DOMAIN_PMSUSPENDED:
            return DomainState::Asleep;
        case VIR_DOMAIN_SHUTDOWN:
            return DomainState::ShuttingDown;
        case VIR_DOMAIN_SHUTOFF:
            return DomainState::Gone;
        case VIR_DOMAIN_CRASHED:
            return DomainState::Crashed;
        default:
            return DomainState::Running;
        }
    }

    Status resume(const std::string& uuid) override {
        return act(uuid, "the machine does not resume",
                   [](virDomainPtr domain) { return virDomainResume(domain); });
    }
    Status suspend(const std::string& uuid) override {
        return act(uuid, "the machine does not pause",
                   [](virDomainPtr domain) { return virDomainSuspend(domain); });
    }
    Status destroy(const std::string& uuid) override {
        return act(uuid, "the machine does not stop", [](virDomainPtr domain) {
            // QEMU flushes its disks at SIGTERM; one that does not end on its own is killed.
            return virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_GRACEFUL) == 0 ? 0
                                                                                   : virDomainDestroy(domain);
        });
    }

    Result<std::chrono::nanoseconds> cpuTime(const std::string& uuid) override {
        auto domain = find(uuid);
        if (!domain) {
            return fail(domain.error());
        }
        virDomainInfo info{};
        if (virDomainGetInfo(domain->get(), &info) != 0) {
            return failVir("libvirt does not tell what the machine uses");
        }
        return std::chrono::nanoseconds(static_cast<std::int64_t>(info.cpuTime));
    }

    Result<std::string> metadata(const std::string& uuid, const std::string& space) override {
        auto domain = find(uuid);
        if (!domain) {
            return fail(domain.error());
        }
        char* text = virDomainGetMetadata(domain->get(), VIR_DOMAIN_METADATA_ELEMENT, space.c_str(), 0);
        if (text == nullptr) {
            return failVir("the machine has no note of ours");
        }
        std::string out(text);
        std::free(text);
        return out;
    }

    std::string logTail(const std::string& name, std::size_t bytes) override {
        const UniqueFd file(
            ::open((logFolder() + "/" + name + ".log").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        struct stat info {};
        if (!file || ::fstat(file.get(), &info) != 0) {
            return {};
        }
        const off_t from = std::max<off_t>(0, info.st_size - static_cast<off_t>(bytes));
        std::string text(bytes, '\0');
        const ssize_t got = ::pread(file.get(), text.data(), text.size(), from);
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return text;
    }

private:
    // That the daemon is gone virConnectIsAlive learns only from a call that failed. A call that says little costs a tenth of a
    // millisecond; without it a daemon that ended, by itself or not, costs the user a start.
    static bool answers(virConnectPtr connection) {
        unsigned long version = 0;
        return virConnectIsAlive(connection) == 1 && virConnectGetLibVersion(connection, &version) == 0;
    }

    Result<Connection> connect() {
        const std::lock_guard lock(m_mutex);
        if (m_connection && answers(m_connection.get())) {
            return m_connection;
        }
        m_connection.reset();
        virConnectPtr raw = virConnectOpen(m_uri.c_str());
        for (int again = 0; raw == nullptr && again < kOpenAgain; ++again) {
            std::this_thread::sleep_for(kOpenAgainAfter);
            raw = virConnectOpen(m_uri.c_str());
        }
        if (raw == nullptr) {
            Error error = takeError("libvirt cannot be reached at " + m_uri);
            error.code = ErrorCode::Unavailable;
            if (error.hint.empty()) {
                error.hint = hintOf(ErrorCode::Unavailable);
            }
            return fail(std::move(error));
        }
        m_connection = Connection(raw, CloseConnection{});
        return m_connection;
    }

    Result<Domain> find(const std::string& uuid) {
        auto connection = connect();
        if (!connection) {
            return fail(connection.error());
        }
        Domain domain(virDomainLookupByUUIDString(connection->get(), uuid.c_str()));
        if (!domain) {
            return failVir("no such machine");
        }
        return domain;
    }

    template <class Function> Status act(const std::string& uuid, const char* doing, Function function) {
        auto domain = find(uuid);
        if (!domain) {
            return fail(domain.error());
        }
        if (function(domain->get()) != 0) {
            return failVir(doing);
        }
        return {};
    }

    // Where the QEMU driver keeps a domain's log (libvirt's "drvqemu" page): per user in session mode.
    [[nodiscard]] std::string logFolder() const {
        if (m_uri.find("/session") == std::string::npos) {
            return "/var/log/libvirt/qemu";
        }
        const char* cache = std::getenv("XDG_CACHE_HOME");
        const char* home = std::getenv("HOME");
        const std::string base = cache != nullptr && *cache == '/'
                                     ? std::string(cache)
                                     : std::string(home != nullptr ? home : "") + "/.cache";
        return base + "/libvirt/qemu/log";
    }

    const std::string m_uri;
    std::mutex m_mutex; // guards m_connection; libvirt's objects are safe by themselves
    Connection m_connection;
};

} // namespace

std::shared_ptr<VirtApi> makeVirtApi(std::string uri) {
    return std::make_shared<LibvirtApi>(std::move(uri));
}

} // namespace carrel::hypervisor
