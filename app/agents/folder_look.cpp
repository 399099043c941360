// SPDX-License-Identifier: Apache-2.0
#include "app/agents/folder_look.h"

#include "guest/protocol/unique_fd.h"

#include <deque>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace carrel::agents {

namespace json = boost::json;

namespace {

using Clock = std::chrono::steady_clock;
using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

class Walk {
public:
    Walk(int root, const FolderLookLimits& limits, FolderLook& look)
        : m_root(root)
        , m_left(limits.names)
        , m_until(Clock::now() + limits.patience)
        , m_look(look) {}

    // The folders next to the top first: what a person looks at, too.
    void run() {
        std::deque<std::string> waiting{"."};
        while (!waiting.empty()) {
            const std::string folder = std::move(waiting.front());
            waiting.pop_front();
            if (!inFolder(folder, waiting)) {
                m_look.inPart = true;
                return;
            }
        }
    }

private:
    // False: enough.
    bool inFolder(const std::string& folder, std::deque<std::string>& waiting) {
        open_how how{};
        how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
        const int fd = static_cast<int>(::syscall(SYS_openat2, m_root, folder.c_str(), &how, sizeof how));
        const Listing dir(fd >= 0 ? ::fdopendir(fd) : nullptr, ::closedir);
        if (!dir) {
            UniqueFd(fd).reset();
            return true; // not the agent's to read either
        }
        while (const dirent* item = ::readdir(dir.get())) {
            const std::string_view name(item->d_name);
            if (name == "." || name == "..") {
                continue;
            }
            if (m_left == 0 || Clock::now() >= m_until) {
                return false;
            }
            --m_left;
            take(fd, *item, folder, waiting);
        }
        return true;
    }

    void take(int fd, const dirent& item, const std::string& folder, std::deque<std::string>& waiting) {
        const bool maybe = clerk::placeholderOf(item.d_name, 0).has_value(); // by its name
        if (item.d_type != DT_UNKNOWN && item.d_type != DT_DIR && !maybe) {
            return;
        }
        mode_t mode = item.d_type == DT_DIR ? S_IFDIR : 0;
        std::uint64_t size = 0;
        if (mode == 0) {
            struct stat st {};
            if (::fstatat(fd, item.d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
                return;
            }
            mode = st.st_mode;
            size = static_cast<std::uint64_t>(st.st_size);
        }
        if (S_ISDIR(mode)) {
            waiting.push_back(folder + "/" + item.d_name);
        } else if (const auto kind = clerk::placeholderOf(item.d_name, size); kind && S_ISREG(mode)) {
            ++m_look.placeholders[*kind];
        }
    }

    int m_root;
    std::size_t m_left;
    Clock::time_point m_until;
    FolderLook& m_look;
};

} // namespace

FolderLook lookThrough(int folder, const FolderLookLimits& limits) {
    FolderLook look;
    look.unreported = limits.reports(folder) == clerk::Reports::OnlyItsOwn;
    Walk(folder, limits, look).run();
    return look;
}

void tell(const FolderLook& look, json::object& share) {
    if (!look.placeholders.empty()) {
        json::array kinds;
        for (const auto& [kind, files] : look.placeholders) {
            kinds.push_back({{"program", clerk::programOf(kind)}, {"files", files}});
        }
        share["placeholders"] = std::move(kinds);
        if (look.inPart) {
            share["looked_in_part"] = true;
        }
    }
    if (look.unreported) {
        share["unreported"] = true;
    }
}

} // namespace carrel::agents
