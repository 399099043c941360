// SPDX-License-Identifier: Apache-2.0
#include "app/files/folder_links.h"

#include <array>
#include <climits>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

namespace carrel::files {

namespace {

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

// A folder yet to be read, in both of its places.
struct Waiting {
    SharePath from, to;
};

class LinkWalk {
public:
    LinkWalk(int root, std::size_t& budget)
        : m_root(root)
        , m_budget(budget) {}

    Result<std::string> look(const SharePath& from, const SharePath& to) {
        std::vector<Waiting> waiting{{from, to}};
        while (!waiting.empty()) {
            const Waiting next = std::move(waiting.back());
            waiting.pop_back();
            auto why = inFolder(next, waiting);
            if (!why || !why->empty()) {
                return why;
            }
        }
        return std::string();
    }

private:
    Result<std::string> inFolder(const Waiting& folder, std::vector<Waiting>& waiting) {
        auto place = pin(m_root, folder.from);
        if (!place) {
            return fail(std::move(place).error());
        }
        auto opened = openFolder(*place);
        if (!opened && opened.error().code == ErrorCode::Conflict) {
            return std::string(); // what is mounted there goes along, and its links are none of the share's
        }
        if (!opened) {
            return fail(std::move(opened).error());
        }
        UniqueFd fd = std::move(*opened);
        const Listing dir(::fdopendir(fd.get()), ::closedir);
        if (!dir) {
            return failErrno("cannot look into the folder");
        }
        const int at = fd.release(); // the listing's now
        for (errno = 0; const dirent* item = ::readdir(dir.get()); errno = 0) {
            if (std::strcmp(item->d_name, ".") == 0 || std::strcmp(item->d_name, "..") == 0) {
                continue;
            }
            if (m_budget == 0) {
                return std::string("the moved folders hold too many entries to look for links in");
            }
            --m_budget;
            struct stat st {};
            if (::fstatat(at, item->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
                if (errno == ENOENT) {
                    continue; // gone meanwhile
                }
                return failErrno("cannot look into the folder");
            }
            if (!S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode)) {
                continue;
            }
            auto from = folder.from.child(item->d_name);
            auto to = folder.to.child(item->d_name);
            if (!from || !to) {
                return std::string("a path in it would grow too long");
            }
            if (S_ISDIR(st.st_mode)) {
                waiting.push_back({std::move(*from), std::move(*to)});
            } else if (leadsOutOnlyThere(at, item->d_name, *from, *to)) {
                return std::string("a link in it would lead out of the shared folder");
            }
        }
        if (errno != 0) {
            return failErrno("cannot look into the folder");
        }
        return std::string();
    }

    static bool leadsOutOnlyThere(int folder, const char* name, const SharePath& from, const SharePath& to) {
        std::array<char, PATH_MAX> text;
        const ssize_t size = ::readlinkat(folder, name, text.data(), text.size());
        if (size < 0) {
            return errno != ENOENT;
        }
        const std::string_view target(text.data(), static_cast<std::size_t>(size));
        return staysInside(-1, from, target) && !staysInside(-1, to, target);
    }

    int m_root;
    std::size_t& m_budget;
};

} // namespace

Result<std::string> whyLinksForbid(int root, const SharePath& from, const SharePath& to, std::size_t& budget) {
    if (to.components().size() >= from.components().size()) {
        return std::string(); // ".." from there reaches no higher
    }
    return LinkWalk(root, budget).look(from, to);
}

} // namespace carrel::files
