// SPDX-License-Identifier: Apache-2.0
// What was said and done in a task, in its order, as a list of items that whoever watches can follow: an item may still change (a text that
// grows, a tool that ends), and each change has a number. Kept in a file of JSON Lines beside the task, a line for each change: an item as it
// is from there on, or more of its text. A last line without its end is what a crash left, and is dropped. The file also says which update of the agent
// program was the last that is in here, in the line that it made, so that none is taken twice or missed over a restart of the engine.
//
// Bounds: an item's text kMaxItemText, all of a story kMaxStory; beyond, only what the user and Carrel say is kept, and a note says so once:
// however much an agent tells, the file does not grow by it.
// All but the items of kind User and Note is what an agent claims, unescaped (I9, I11).
// Ownership: its task's. Thread: any; a lock of its own, and the disk is written under it.
#pragma once

#include "guest/protocol/agent_update.h"
#include "guest/protocol/unique_fd.h"

#include <boost/json/object.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

namespace carrel::tasks {

inline constexpr std::size_t kMaxItemText = 4 * 1024; // a text that grows beyond goes on in the next item
inline constexpr std::size_t kMaxStory = 48 * 1024 * 1024;
inline constexpr std::size_t kMaxItemsAtOnce = 200;

enum class ItemKind { User, Text, Thought, Tool, Permission, Note, Other };

struct Item {
    ItemKind kind = ItemKind::Note;
    std::uint64_t turn = 0;
    std::int64_t timeMs = 0; // this computer's
    std::string text;
    std::string title;
    std::string tool; // the agent's id of its call; of a permission, too
    talk::ToolKind toolKind = talk::ToolKind::Other;
    talk::ToolStatus status = talk::ToolStatus::Pending;
    std::string input;
    std::vector<std::string> paths, files;
    std::vector<talk::Diff> diffs;
    std::uint64_t request = 0; // of a permission
    std::string answer;
};

class Story {
public:
    // Makes it where there is none. Malformed: a line cannot be read; the file stays as it is.
    [[nodiscard]] static Result<std::shared_ptr<Story>> open(const std::filesystem::path& file);

    struct Told {
        std::uint64_t item = 0;
        Item what;
    };
    struct News {
        std::vector<Told> items; // in the order in which they changed last
        std::uint64_t mark = 0;  // for the next time
        bool more = false;
    };
    [[nodiscard]] News since(std::uint64_t mark, std::size_t most = kMaxItemsAtOnce) const;
    [[nodiscard]] std::uint64_t mark() const;
    // Whoever watches has news although no item has changed: the task itself has.
    void bump();

    [[nodiscard]] Status add(Item item);
    // One of an agent program's updates; what is no part of a story (a plan, an end) is nothing, and may be told again after a restart.
    [[nodiscard]] Status take(const talk::Update& update, std::int64_t timeMs);
    [[nodiscard]] Status answered(std::uint64_t request, std::string answer);
    // A run of a program begins: its updates count from 1.
    [[nodiscard]] Status newRun();
    [[nodiscard]] std::uint64_t taken() const; // the last update that is in here
    // Texts and tools of that turn that are not over: they will not be.
    [[nodiscard]] Status close(std::uint64_t turn);
    [[nodiscard]] Status flush(); // fdatasync(2)
    // What the agent said last in that turn, after its last tool.
    [[nodiscard]] std::string lastWords(std::uint64_t turn, std::size_t most) const;

private:
    Story(UniqueFd file, std::filesystem::path path)
        : m_file(std::move(file))
        , m_path(std::move(path)) {}
    enum class Whose { Agents, Ours };
    // m_mutex is held by all of these.
    [[nodiscard]] Status put(std::uint64_t number, Item item);
    [[nodiscard]] Status grow(std::uint64_t number, std::string_view text);
    void changed(std::uint64_t number);
    [[nodiscard]] Status addItem(Item item, Whose whose = Whose::Agents);
    [[nodiscard]] Status addText(ItemKind kind, std::uint64_t turn, const std::string& text, std::int64_t timeMs);
    [[nodiscard]] Status append(boost::json::object line);
    [[nodiscard]] Status apply(const talk::Update& update, std::int64_t timeMs);

    UniqueFd m_file;
    std::filesystem::path m_path;
    mutable std::mutex m_mutex;
    std::uint64_t m_size = 0;
    std::vector<Item> m_items; // by number - 1
    std::map<std::pair<std::uint64_t, std::string>, std::uint64_t> m_tools; // by turn and id, the item's number
    std::map<std::uint64_t, std::uint64_t> m_changes; // the change's number to the item's; one each
    std::vector<std::uint64_t> m_changed; // by item: its last change
    std::uint64_t m_mark = 1; // whoever has seen nothing has 0, and news at once
    std::uint64_t m_taken = 0;
    std::uint64_t m_taking = 0; // the update that is being taken: in each line that it makes
    bool m_full = false;
};

[[nodiscard]] std::string_view toString(ItemKind kind);
// common.json, taskItem. Texts as they came.
[[nodiscard]] boost::json::object describe(const Story::Told& told);

} // namespace carrel::tasks
