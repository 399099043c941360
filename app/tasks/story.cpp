// SPDX-License-Identifier: Apache-2.0
#include "app/tasks/story.h"

#include "app/activity/event.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace carrel::tasks {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 7> kKinds{"user", "text", "thought", "tool", "permission", "note", "other"};
constexpr std::size_t kMaxLine = 1024 * 1024; // a saying of 64 KiB, each byte written as six
constexpr std::size_t kMaxFile = 2 * kMaxStory;

std::optional<ItemKind> kindFrom(std::string_view text) {
    const auto* const at = std::find(kKinds.begin(), kKinds.end(), text);
    return at == kKinds.end() ? std::nullopt : std::optional(static_cast<ItemKind>(at - kKinds.begin()));
}

json::object lineOf(std::uint64_t number, const Item& of) {
    json::object out{{"item", number}, {"kind", toString(of.kind)}, {"turn", of.turn}, {"time_ms", of.timeMs}, {"text", of.text}};
    const auto put = [&](const char* key, const std::string& text) {
        if (!text.empty()) {
            out[key] = text;
        }
    };
    const auto list = [&](const char* key, const std::vector<std::string>& texts) {
        if (!texts.empty()) {
            out[key] = json::array(texts.begin(), texts.end());
        }
    };
    put("title", of.title);
    put("tool", of.tool);
    put("input", of.input);
    put("answer", of.answer);
    list("paths", of.paths);
    list("files", of.files);
    if (of.kind == ItemKind::Tool) {
        out["tool_kind"] = talk::toString(of.toolKind);
        out["status"] = talk::toString(of.status);
        json::array diffs;
        for (const auto& diff : of.diffs) {
            json::object one{{"path", diff.path}, {"new", diff.after}};
            if (diff.before) {
                one["old"] = *diff.before;
            }
            diffs.push_back(std::move(one));
        }
        if (!diffs.empty()) {
            out["diffs"] = std::move(diffs);
        }
    }
    if (of.request != 0) {
        out["request"] = of.request;
    }
    return out;
}

Result<std::pair<std::uint64_t, Item>> itemFrom(const json::object& object) {
    JsonFields fields(object, "item");
    fields.allow("taken");
    Item out;
    const auto number = fields.number("item", talk::kMaxNumber);
    const auto kind = kindFrom(fields.string("kind", 16));
    out.turn = fields.number("turn", talk::kMaxNumber);
    out.timeMs = fields.signedNumber("time_ms");
    out.text = fields.string("text", 64 * 1024);
    out.title = fields.optionalString("title", 4096).value_or("");
    out.tool = fields.optionalString("tool", 4096).value_or("");
    out.input = fields.optionalString("input", 8192).value_or("");
    out.answer = fields.optionalString("answer", 8192).value_or("");
    if (object.contains("paths")) {
        out.paths = fields.strings("paths", 64, 4096);
    }
    if (object.contains("files")) {
        out.files = fields.strings("files", 64, 4096);
    }
    if (kind == ItemKind::Tool) {
        const auto toolKind = talk::toolKindFrom(fields.string("tool_kind", 16));
        const auto status = talk::toolStatusFrom(fields.string("status", 16));
        if (!toolKind || !status) {
            fields.problem("status", "or tool_kind is no word that is known");
        }
        out.toolKind = toolKind.value_or(talk::ToolKind::Other);
        out.status = status.value_or(talk::ToolStatus::Pending);
        for (const auto& each : fields.optionalArray("diffs", talk::kMaxDiffs)) {
            if (!each.is_object()) {
                fields.problem("diffs", "holds something that is no object");
                break;
            }
            JsonFields one(each.get_object(), "diff");
            talk::Diff diff;
            diff.path = one.string("path", talk::kMaxPathsBytes);
            diff.after = one.string("new", talk::kMaxDiffBytes);
            diff.before = one.optionalString("old", talk::kMaxDiffBytes);
            CARREL_TRY(one.finish());
            out.diffs.push_back(std::move(diff));
        }
    }
    out.request = fields.optionalNumber("request", talk::kMaxNumber).value_or(0);
    if (!kind || number == 0) {
        fields.problem("item", "is of no kind that is known");
    }
    CARREL_TRY(fields.finish());
    out.kind = *kind;
    return std::pair(number, std::move(out));
}

bool isOpenText(const Item& item, ItemKind kind, std::uint64_t turn) {
    return item.kind == kind && item.turn == turn && item.text.size() < kMaxItemText;
}

Result<std::string> readAll(int fd) {
    std::string out;
    std::array<char, 64 * 1024> buffer{};
    for (;;) {
        const auto got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("reading the story of a task");
        }
        if (got == 0) {
            return out;
        }
        out.append(buffer.data(), static_cast<std::size_t>(got));
        if (out.size() > kMaxFile) {
            return fail(ErrorCode::LimitExceeded, "the story of a task is longer than it can be", "Move its file away");
        }
    }
}

} // namespace

std::string_view toString(ItemKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

json::object describe(const Story::Told& told) {
    auto out = lineOf(told.item, told.what);
    out.erase("time_ms");
    out.erase("tool");
    out.erase("request");
    out["time"] = activity::formatTime(told.what.timeMs * 1'000'000);
    if (told.what.kind == ItemKind::Permission) {
        out["answer"] = told.what.answer;
    }
    return out;
}

Result<std::shared_ptr<Story>> Story::open(const std::filesystem::path& file) {
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return failErrno("opening the story of a task");
    }
    const auto text = readAll(fd.get());
    if (!text) {
        return fail(text.error());
    }
    std::shared_ptr<Story> story(new Story(std::move(fd), file));
    std::size_t at = 0;
    for (std::size_t end = 0; (end = text->find('\n', at)) != std::string::npos; at = end + 1) {
        const auto object = parseJsonObject(std::string_view(*text).substr(at, end - at), {kMaxLine, 6});
        const auto broken = [&](const Error& error) {
            return fail(error.wrap("A line of " + file.filename().string() + " cannot be read", "Move the file away to go on without the story"));
        };
        if (!object) {
            return broken(object.error());
        }
        if (const auto* taken = object->if_contains("taken")) {
            if (!taken->is_int64() || taken->get_int64() < 0) {
                return broken(Error{ErrorCode::Malformed, "it names no update", "", 0, nullptr});
            }
            story->m_taken = static_cast<std::uint64_t>(taken->get_int64());
            if (object->size() == 1) {
                continue;
            }
        }
        if (object->contains("grow")) {
            JsonFields fields(*object, "more of an item");
            fields.allow("taken");
            const auto number = fields.number("grow", story->m_items.size());
            const auto more = fields.string("text", kMaxItemText);
            if (auto good = fields.finish(); !good || number == 0) {
                return broken(good ? Error{ErrorCode::Malformed, "it is more of no item", "", 0, nullptr} : good.error());
            }
            story->m_items[number - 1].text += more;
            story->changed(number);
            continue;
        }
        auto item = itemFrom(*object);
        if (!item) {
            return broken(item.error());
        }
        const auto number = item->first;
        if (number > story->m_items.size() + 1) {
            return broken(Error{ErrorCode::Malformed, "an item before it is missing", "", 0, nullptr});
        }
        if (number == story->m_items.size() + 1) {
            story->m_items.emplace_back();
            story->m_changed.push_back(0);
        }
        story->m_items[number - 1] = std::move(item->second);
        story->changed(number);
    }
    story->m_size = at;
    if (::ftruncate(story->m_file.get(), static_cast<off_t>(at)) != 0 || ::lseek(story->m_file.get(), 0, SEEK_END) < 0) {
        return failErrno("opening the story of a task");
    }
    story->m_full = story->m_size > kMaxStory;
    return story;
}

Status Story::append(json::object line) {
    if (m_taking != 0) {
        line["taken"] = m_taking;
    }
    auto text = json::serialize(line) + "\n";
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto put = ::write(m_file.get(), rest.data(), rest.size());
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            const int number = errno;
            (void)!::ftruncate(m_file.get(), static_cast<off_t>(m_size)); // no half of a line before the next
            (void)::lseek(m_file.get(), 0, SEEK_END);
            return failErrno("writing the story of a task", number);
        }
        rest.remove_prefix(static_cast<std::size_t>(put));
    }
    m_size += text.size();
    return {};
}

Status Story::put(std::uint64_t number, Item item) {
    CARREL_TRY(append(lineOf(number, item)));
    if (number > m_items.size()) {
        m_items.emplace_back();
        m_changed.push_back(0);
    }
    m_items[number - 1] = std::move(item);
    changed(number);
    return {};
}

Status Story::grow(std::uint64_t number, std::string_view text) {
    CARREL_TRY(append({{"grow", number}, {"text", text}}));
    m_items[number - 1].text += text;
    changed(number);
    return {};
}

void Story::changed(std::uint64_t number) {
    if (const auto& item = m_items[number - 1]; item.kind == ItemKind::Tool) {
        m_tools[{item.turn, item.tool}] = number;
    }
    if (m_changed[number - 1] != 0) {
        m_changes.erase(m_changed[number - 1]);
    }
    m_changed[number - 1] = ++m_mark;
    m_changes[m_mark] = number;
}

Status Story::addItem(Item item, Whose whose) {
    if (m_size <= kMaxStory || whose == Whose::Ours) {
        return put(m_items.size() + 1, std::move(item));
    }
    if (!m_full) {
        m_full = true;
        Item note{ItemKind::Note, item.turn, item.timeMs, "This story is longer than what is kept of one: what follows is not."};
        return put(m_items.size() + 1, std::move(note));
    }
    return {};
}

Status Story::add(Item item) {
    const std::lock_guard lock(m_mutex);
    return addItem(std::move(item), Whose::Ours);
}

Status Story::addText(ItemKind kind, std::uint64_t turn, const std::string& text, std::int64_t timeMs) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const bool grows = !m_items.empty() && isOpenText(m_items.back(), kind, turn) && m_size <= kMaxStory;
        auto piece = cutBetweenCharacters(rest, grows ? kMaxItemText - m_items.back().text.size() : kMaxItemText);
        if (grows && !piece.empty()) {
            CARREL_TRY(grow(m_items.size(), piece));
        } else { // also where there is less room than a character needs
            piece = cutBetweenCharacters(rest, kMaxItemText);
            CARREL_TRY(addItem({kind, turn, timeMs, std::string(piece)}));
        }
        rest.remove_prefix(piece.size());
    }
    return {};
}

Status Story::take(const talk::Update& update, std::int64_t timeMs) {
    const std::lock_guard lock(m_mutex);
    if (update.number <= m_taken) {
        return {};
    }
    m_taking = update.number;
    auto done = apply(update, timeMs);
    m_taking = 0;
    if (done) {
        m_taken = update.number;
    }
    return done;
}

Status Story::apply(const talk::Update& update, std::int64_t timeMs) {
    if (const auto* text = std::get_if<talk::Text>(&update.what)) {
        CARREL_TRY(addText(ItemKind::Text, text->turn, text->text, timeMs));
    } else if (const auto* thought = std::get_if<talk::Thought>(&update.what)) {
        CARREL_TRY(addText(ItemKind::Thought, thought->turn, thought->text, timeMs));
    } else if (const auto* tool = std::get_if<talk::Tool>(&update.what)) {
        Item item{ItemKind::Tool, tool->turn, timeMs, tool->output, tool->title, tool->id, tool->kind, tool->status, tool->input, tool->paths, {}, tool->diffs};
        if (m_size > kMaxStory) {
            return addItem(std::move(item)); // which says once that it is full
        }
        if (const auto known = m_tools.find({tool->turn, tool->id}); known != m_tools.end()) {
            item.timeMs = m_items[known->second - 1].timeMs; // when it began
            CARREL_TRY(put(known->second, std::move(item)));
        } else {
            CARREL_TRY(addItem(std::move(item)));
        }
    } else if (const auto* permission = std::get_if<talk::Permission>(&update.what)) {
        Item item{ItemKind::Permission, permission->turn, timeMs, {}, permission->title, permission->tool};
        item.request = permission->request;
        CARREL_TRY(addItem(std::move(item)));
    } else if (const auto* other = std::get_if<talk::Other>(&update.what)) {
        CARREL_TRY(addItem({ItemKind::Other, other->turn, timeMs, other->text, other->name}));
    } else if (const auto* lost = std::get_if<talk::Lost>(&update.what)) {
        CARREL_TRY(addItem({ItemKind::Note, 0, timeMs, std::to_string(lost->count) + " updates of the agent's are missing here: it told more than could be kept."}));
    }
    return {};
}

Status Story::answered(std::uint64_t request, std::string answer) {
    const std::lock_guard lock(m_mutex);
    for (std::size_t i = m_items.size(); i-- > 0;) {
        if (m_items[i].kind == ItemKind::Permission && m_items[i].request == request && m_items[i].answer.empty()) {
            auto item = m_items[i];
            item.answer = std::move(answer);
            return put(i + 1, std::move(item));
        }
    }
    return {};
}

Status Story::newRun() {
    const std::lock_guard lock(m_mutex);
    CARREL_TRY(append({{"taken", 0}}));
    m_taken = 0;
    return {};
}

std::uint64_t Story::taken() const {
    const std::lock_guard lock(m_mutex);
    return m_taken;
}

Status Story::close(std::uint64_t turn) {
    const std::lock_guard lock(m_mutex);
    for (std::size_t i = m_items.size(); i-- > 0 && m_items[i].turn == turn;) {
        auto item = m_items[i];
        if (item.kind == ItemKind::Tool && (item.status == talk::ToolStatus::Pending || item.status == talk::ToolStatus::InProgress)) {
            item.status = talk::ToolStatus::Failed;
            CARREL_TRY(put(i + 1, std::move(item)));
        } else if (item.kind == ItemKind::Permission && item.answer.empty()) {
            item.answer = "not answered";
            CARREL_TRY(put(i + 1, std::move(item)));
        }
    }
    return {};
}

Status Story::flush() {
    const std::lock_guard lock(m_mutex);
    return ::fdatasync(m_file.get()) == 0 ? Status() : failErrno("writing the story of a task");
}

Story::News Story::since(std::uint64_t mark, std::size_t most) const {
    const std::lock_guard lock(m_mutex);
    News out{{}, mark, false};
    if (mark > m_mark) {
        mark = 0; // of another life of this engine: all of it again
        out.mark = 0;
    }
    for (auto at = m_changes.upper_bound(mark); at != m_changes.end(); ++at) {
        if (out.items.size() == most) {
            out.more = true;
            break;
        }
        out.items.push_back({at->second, m_items[at->second - 1]});
        out.mark = at->first;
    }
    if (!out.more) {
        out.mark = m_mark;
    }
    return out;
}

std::uint64_t Story::mark() const {
    const std::lock_guard lock(m_mutex);
    return m_mark;
}

void Story::bump() {
    const std::lock_guard lock(m_mutex);
    ++m_mark;
}

std::string Story::lastWords(std::uint64_t turn, std::size_t most) const {
    const std::lock_guard lock(m_mutex);
    std::string out;
    for (std::size_t i = m_items.size(); i-- > 0 && m_items[i].turn == turn;) {
        if (m_items[i].kind == ItemKind::Tool && !out.empty()) {
            break;
        }
        if (m_items[i].kind == ItemKind::Text) {
            out = m_items[i].text + out;
        }
    }
    return plainText(out, most);
}

} // namespace carrel::tasks
