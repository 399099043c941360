// SPDX-License-Identifier: Apache-2.0
#include "app/api/home.h"

#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::api {

namespace fs = std::filesystem;

namespace {

std::optional<fs::path> absoluteFromEnvironment(const char* name) {
    const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nothing of ours sets variables
    if (value == nullptr || value[0] != '/') {
        return std::nullopt;
    }
    return fs::path(value);
}

Result<fs::path> userFolder() {
    if (auto home = absoluteFromEnvironment("HOME")) {
        return *home;
    }
    const passwd* entry = ::getpwuid(::geteuid()); // NOLINT(concurrency-mt-unsafe): called from main
    if (entry == nullptr || entry->pw_dir == nullptr || entry->pw_dir[0] != '/') {
        return fail(ErrorCode::NotFound, "the user has no home folder",
                    "Set CARREL_HOME to the folder that Carrel shall keep its data in.");
    }
    return fs::path(entry->pw_dir);
}

Result<std::string> idOf(const fs::path& folder) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    const std::string& text = folder.native();
    if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
        return fail(ErrorCode::Internal, "SHA-256 is not available in the cryptographic library");
    }
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string id;
    for (std::size_t i = 0; i < 8; ++i) {
        id += kDigits[digest[i] >> 4U];
        id += kDigits[digest[i] & 0xfU];
    }
    return id;
}

enum class Others {
    MayNotEnter, // nobody but the owner has any right
    MayNotWrite, // reading is the owner's own decision
};

Status checkOurs(const fs::path& folder, Others others) {
    struct stat info {};
    if (::lstat(folder.c_str(), &info) != 0) {
        return failErrno("cannot look at the folder " + folder.string());
    }
    if (!S_ISDIR(info.st_mode)) {
        return fail(ErrorCode::Refused, folder.string() + " is not a folder");
    }
    const mode_t forbidden = others == Others::MayNotEnter ? 077 : 022;
    if (info.st_uid != ::geteuid()) {
        return fail(ErrorCode::Refused, "the folder " + folder.string() + " belongs to another user",
                    "Set CARREL_HOME to a folder of your own.");
    }
    if ((info.st_mode & forbidden) != 0) {
        return fail(ErrorCode::Refused, "other users have access to the folder " + folder.string(),
                    "Take it away with: chmod 700 '" + folder.string() + "'");
    }
    return {};
}

// Parents get the usual mode, the folder itself 0700.
Status makePrivate(const fs::path& folder) {
    std::error_code ec;
    fs::create_directories(folder.parent_path(), ec);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(errnoError("cannot make the folder " + folder.string())
                        .wrap("there is no place for Carrel's data",
                              "Set CARREL_HOME to a folder that you may write to."));
    }
    return {};
}

// The runtime folder, where it is what the XDG Base Directory Specification promises.
std::optional<fs::path> runtimeFolder() {
    auto folder = absoluteFromEnvironment("XDG_RUNTIME_DIR");
    if (!folder || !checkOurs(*folder, Others::MayNotEnter)) {
        return std::nullopt;
    }
    return folder;
}

} // namespace

Result<Home> openHome() {
    if (auto chosen = absoluteFromEnvironment("CARREL_HOME")) {
        return openHome(*chosen);
    }
    if (const char* relative = std::getenv("CARREL_HOME"); // NOLINT(concurrency-mt-unsafe)
        relative != nullptr && relative[0] != '\0') {
        return fail(ErrorCode::InvalidArgument, "CARREL_HOME is not an absolute path",
                    "Write it from the root on, beginning with a slash.");
    }
    if (auto data = absoluteFromEnvironment("XDG_DATA_HOME")) {
        return openHome(*data / "carrel");
    }
    auto user = userFolder();
    if (!user) {
        return fail(std::move(user).error());
    }
    return openHome(*user / ".local" / "share" / "carrel");
}

Result<Home> openHome(const fs::path& folder) {
    fs::path wanted = folder.lexically_normal();
    if (!wanted.has_filename()) { // a trailing slash
        wanted = wanted.parent_path();
    }
    CARREL_TRY(makePrivate(wanted));
    std::error_code ec;
    Home home;
    home.folder = fs::canonical(wanted, ec);
    if (ec) {
        return failErrno("cannot find the folder " + wanted.string(), ec.value());
    }
    CARREL_TRY(checkOurs(home.folder, Others::MayNotWrite));
    auto id = idOf(home.folder);
    if (!id) {
        return fail(std::move(id).error());
    }
    home.id = std::move(*id);
    return home;
}

Result<fs::path> socketPath(const Home& home) {
    const auto runtime = runtimeFolder();
    const fs::path folder = runtime ? *runtime / ("carrel-" + home.id) : home.folder / "run";
    const fs::path path = folder / "engine.sock";
    if (path.native().size() > kMaxSocketPath) {
        return fail(ErrorCode::InvalidArgument,
                    "the path of the engine's socket would be " + std::to_string(path.native().size()) +
                        " bytes long, and the system allows " + std::to_string(kMaxSocketPath),
                    runtime ? "Set XDG_RUNTIME_DIR to a folder with a shorter path."
                            : "Set XDG_RUNTIME_DIR, or set CARREL_HOME to a folder with a shorter path.");
    }
    CARREL_TRY(makePrivate(folder));
    CARREL_TRY(checkOurs(folder, Others::MayNotEnter));
    return path;
}

Result<fs::path> clientSocketPath(const Home& home) {
    auto owners = socketPath(home);
    if (!owners) {
        return owners;
    }
    const fs::path folder = owners->parent_path() / "client";
    static_assert(std::string_view("client/sock").size() == std::string_view("engine.sock").size());
    CARREL_TRY(makePrivate(folder));
    CARREL_TRY(checkOurs(folder, Others::MayNotEnter));
    return folder / "sock";
}

Status refuseRoot() {
    if (::geteuid() == 0) {
        return fail(ErrorCode::Refused, "Carrel does not run as root",
                    "Run it as the user whose folders the agents shall work on.");
    }
    return {};
}

} // namespace carrel::api
