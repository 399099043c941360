// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/program/session_store.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::agent {

namespace {

constexpr std::size_t kIdBytes = 16;
constexpr char kDigits[] = "0123456789abcdef";

// A folder and those above it.
Status makeFolder(const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        if (::mkdir(path.substr(0, end).c_str(), 0700) != 0 && errno != EEXIST) {
            return failErrno("making the folder of the conversations, " + path);
        }
        if (end == std::string::npos) {
            return {};
        }
    }
}

// A name of newId(): nothing else becomes a path.
bool isId(std::string_view id) {
    return id.size() == 2 * kIdBytes && id.find_first_not_of(kDigits) == std::string_view::npos;
}

} // namespace

Result<std::string> SessionStore::newId() const {
    CARREL_TRY(makeFolder(m_folder));
    unsigned char bytes[kIdBytes];
    if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) {
        return failErrno("naming a conversation");
    }
    std::string out;
    for (const auto byte : bytes) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 0xfU];
    }
    return out;
}

Status SessionStore::has(std::string_view id) const {
    if (!isId(id) || ::access(path(id).c_str(), F_OK) != 0) {
        return fail(ErrorCode::NotFound, "there is no conversation of this name here", "begin a new one");
    }
    return {};
}

std::string SessionStore::path(std::string_view id) const {
    return m_folder + "/" + std::string(id) + ".jsonl";
}

} // namespace carrel::agent
