// SPDX-License-Identifier: Apache-2.0
// The staged work of a guest that a test plays: what it says has changed, and the bytes of it. Settles and
// forgets as guestd does: by path and generation.
#pragma once

#include "guest/protocol/change_report.h"
#include "tests/app/agents/agent_world.h"

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <sys/stat.h>

namespace carrel::agents::test {

class PlayedGuest {
public:
    explicit PlayedGuest(AgentWorld& world)
        : PlayedGuest(world.clerks, world.share(), [&world](std::size_t staged) { world.stagedAtEnd = staged; }) {}
    // `told`: how much is staged now, under a lock of its own.
    PlayedGuest(StandInClerks& clerks, std::filesystem::path share, std::function<void(std::size_t)> told)
        : m_clerks(clerks)
        , m_share(std::move(share))
        , m_told(std::move(told)) {
        const auto here = [this, presence = m_presence](auto act) {
            return [this, presence, act](const boost::json::object& params) -> StandInClerks::Answer {
                const std::shared_lock lock(presence->mutex);
                return presence->gone ? StandInClerks::Answer(fail(ErrorCode::Unavailable, "the guest is gone")) : (this->*act)(params);
            };
        };
        clerks.on("changes.list", here(&PlayedGuest::list));
        clerks.on("changes.settle", here(&PlayedGuest::forget));
        clerks.on("changes.discard", here(&PlayedGuest::forget));
        clerks.onContent([this, presence = m_presence](const boost::json::object& params) -> std::optional<std::string> {
            const std::shared_lock lockOfPresence(presence->mutex);
            if (presence->gone) {
                return std::nullopt;
            }
            if (m_beforeContent) {
                m_beforeContent();
            }
            const std::lock_guard lock(m_mutex);
            const auto found = m_staged.find(pathOf(params));
            if (found == m_staged.end() ||
                params.at("generation").to_number<std::uint64_t>() != found->second.entry.generation) {
                return std::nullopt;
            }
            return found->second.content;
        });
    }
    ~PlayedGuest() {
        m_clerks.on("changes.list", {});
        m_clerks.on("changes.settle", {});
        m_clerks.on("changes.discard", {});
        m_clerks.onContent({});
        const std::lock_guard lock(m_presence->mutex); // what a clerk asks now has its answer first
        m_presence->gone = true;
    }
    PlayedGuest(const PlayedGuest&) = delete;
    PlayedGuest& operator=(const PlayedGuest&) = delete;

    // Called on a clerk's thread; set before anything is staged.
    void beforeList(std::function<void()> call) { m_beforeList = std::move(call); }
    void beforeContent(std::function<void()> call) { m_beforeContent = std::move(call); }
    // The list has been made, and is not answered yet.
    void afterList(std::function<void()> call) { m_afterList = std::move(call); }

    // Writes a file: new, or over what the folder holds now, which it says to be its base.
    void write(const std::string& path, std::string content, std::uint32_t mode = 0644) {
        auto entry = over(path);
        entry.kind = entry.base ? ChangeKind::Modified : ChangeKind::Created;
        entry.mode = mode;
        entry.size = content.size();
        entry.contentChanged = true;
        entry.mtimeNs = 1'600'000'000'000'000'000;
        stage(std::move(entry), std::move(content));
    }
    void makeFolder(const std::string& path) {
        auto entry = over(path);
        entry.kind = ChangeKind::Created;
        entry.type = EntryType::Directory;
        entry.mode = 0755;
        stage(std::move(entry), {});
    }
    void remove(const std::string& path) {
        auto entry = over(path);
        entry.kind = ChangeKind::Deleted;
        stage(std::move(entry), {});
    }
    void stage(ChangeEntry entry, std::string content) {
        const std::lock_guard lock(m_mutex);
        entry.generation = ++m_generation;
        const std::string path = entry.path.text();
        m_staged[path] = {std::move(entry), std::move(content)};
        m_told(m_staged.size());
    }
    // Says that what is staged at that path was made against those bytes.
    void nameBase(const std::string& path, const std::string& content) {
        const std::lock_guard lock(m_mutex);
        m_staged.at(path).entry.baseSha256 = files::Sha256::of(content).hex();
    }
    // Says that it was made against a version that never stood there.
    void forgetStamps(const std::string& path) {
        const std::lock_guard lock(m_mutex);
        m_staged.at(path).entry.base = BaseVersion{1, 2, 3, 4};
    }
    // An entry of that path against what the folder holds now.
    [[nodiscard]] ChangeEntry over(const std::string& path) const {
        ChangeEntry entry;
        entry.path = SharePath::parse(path).value();
        struct stat st {};
        if (::lstat((m_share / path).c_str(), &st) == 0) {
            const auto ns = [](const timespec& t) {
                return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
            };
            entry.base = BaseVersion{st.st_ino, static_cast<std::uint64_t>(st.st_size), ns(st.st_mtim),
                                     ns(st.st_ctim)};
            entry.mode = st.st_mode & 07777U;
        }
        return entry;
    }
    [[nodiscard]] std::vector<std::string> staged() const {
        const std::lock_guard lock(m_mutex);
        std::vector<std::string> paths;
        for (const auto& [path, item] : m_staged) {
            paths.push_back(path);
        }
        return paths;
    }

    // As it answers by itself, for a test that answers in its place.
    StandInClerks::Answer list(const boost::json::object& params) {
        if (m_beforeList) {
            m_beforeList();
        }
        auto answer = page(params);
        if (m_afterList) {
            m_afterList();
        }
        return answer;
    }

    // What the host said to have left there; empty: nothing stands there; none: it said nothing.
    [[nodiscard]] std::optional<boost::json::object> left(const std::string& path) const {
        const std::lock_guard lock(m_mutex);
        const auto found = m_left.find(path);
        return found == m_left.end() ? std::nullopt : std::optional(found->second);
    }

private:
    struct Item {
        ChangeEntry entry;
        std::string content;
    };
    static std::string pathOf(const boost::json::object& params) {
        const auto* path = params.if_contains("path");
        return path == nullptr ? std::string() : std::string(path->as_string());
    }
    StandInClerks::Answer page(const boost::json::object& params) {
        const std::lock_guard lock(m_mutex);
        const auto* from = params.if_contains("after");
        const std::string after = from == nullptr ? std::string() : std::string(from->as_string());
        boost::json::array entries;
        boost::json::value next;
        for (const auto& [path, item] : m_staged) {
            if (path > after && entries.size() < 50) {
                entries.push_back(toJson(item.entry));
                if (path != m_staged.rbegin()->first && entries.size() == 50) {
                    next = boost::json::string(path);
                }
            }
        }
        return boost::json::object{
            {"entries", std::move(entries)}, {"next", std::move(next)}, {"staged", m_staged.size()}};
    }
    StandInClerks::Answer forget(const boost::json::object& params) {
        const std::lock_guard lock(m_mutex);
        boost::json::array kept;
        for (const auto& each : params.at("entries").as_array()) {
            const auto path = pathOf(each.as_object());
            const auto found = m_staged.find(path);
            if (const auto* left = each.as_object().if_contains("left")) {
                m_left[path] = left->as_object();
            }
            if (found == m_staged.end()) {
                continue;
            }
            if (found->second.entry.generation == each.at("generation").to_number<std::uint64_t>()) {
                m_staged.erase(found);
                m_told(m_staged.size());
            } else {
                kept.push_back(boost::json::string(path));
            }
        }
        return boost::json::object{{"kept", std::move(kept)}};
    }

    struct Presence {
        std::shared_mutex mutex; // shared by whoever is being answered
        bool gone = false;
    };
    const std::shared_ptr<Presence> m_presence = std::make_shared<Presence>();
    StandInClerks& m_clerks;
    std::filesystem::path m_share;
    std::function<void(std::size_t)> m_told;
    std::function<void()> m_beforeList, m_afterList, m_beforeContent;
    mutable std::mutex m_mutex;
    std::map<std::string, Item> m_staged;
    std::map<std::string, boost::json::object> m_left;
    std::uint64_t m_generation = 0;
};

} // namespace carrel::agents::test
