// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/agent_update.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>

namespace carrel::talk {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 3> kPriorities{"high", "medium", "low"};
constexpr std::array<std::string_view, 3> kSteps{"pending", "in_progress", "completed"};
constexpr std::array<std::string_view, 10> kKinds{"read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"};
constexpr std::array<std::string_view, 4> kStatuses{"pending", "in_progress", "completed", "failed"};
constexpr std::array<std::string_view, 4> kOptions{"allow_once", "allow_always", "reject_once", "reject_always"};
constexpr std::array<std::string_view, 6> kStops{"end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled", "failed"};
constexpr std::array<std::string_view, std::variant_size_v<What>> kNames{"started",         "text", "thought", "plan",       "tool",  "permission",
                                                                         "permission_over", "mode", "other",   "turn_ended", "ended", "lost"};

template <typename Enum, std::size_t N> std::optional<Enum> find(const std::array<std::string_view, N>& words, std::string_view text) {
    const auto* const at = std::find(words.begin(), words.end(), text);
    return at == words.end() ? std::nullopt : std::optional(static_cast<Enum>(at - words.begin()));
}
template <typename Enum, std::size_t N> std::string_view wordOf(const std::array<std::string_view, N>& words, Enum value) {
    return words[static_cast<std::size_t>(value)];
}

constexpr std::string_view kLeftOut = "\n[…]\n";

// What a tool wrote ends with what matters most, and begins with what it is.
std::string middleCut(std::string_view text, std::size_t most) {
    if (text.size() <= most) {
        return plainText(text, most);
    }
    const auto half = (most - kLeftOut.size()) / 2;
    auto tail = text.substr(text.size() - half);
    while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xc0) == 0x80) {
        tail.remove_prefix(1); // not within a character
    }
    return plainText(text, half) + std::string(kLeftOut) + plainText(tail, half);
}

// Of several texts that have so much room together.
class Room {
public:
    explicit Room(std::size_t most)
        : m_left(most) {}
    void fit(std::string& text) {
        text = plainText(text, m_left);
        m_left -= text.size();
    }
    [[nodiscard]] bool isOver() const { return m_left == 0; }

private:
    std::size_t m_left;
};

void fitName(std::string& text) { text = plainText(text, kMaxNameBytes); }
void fitId(std::string& text) { text = plainText(text, kMaxIdBytes); }

void fit(Started& of) {
    fitName(of.agent);
    fitName(of.version);
    fitId(of.session);
    of.modes.resize(std::min(of.modes.size(), kMaxModes));
    for (auto& mode : of.modes) {
        fitId(mode.id);
        fitName(mode.name);
    }
    fitId(of.mode);
}
void fit(Text& of) { of.text = plainText(of.text, kMaxPieceBytes); }
void fit(Thought& of) { of.text = plainText(of.text, kMaxPieceBytes); }
void fit(Plan& of) {
    of.entries.resize(std::min(of.entries.size(), kMaxPlan));
    Room room(kMaxPlanBytes);
    for (auto& entry : of.entries) {
        room.fit(entry.text);
    }
}
void fit(Tool& of) {
    fitId(of.id);
    of.title = plainText(of.title, kMaxTitleBytes);
    of.input = plainText(of.input, kMaxInputBytes);
    of.output = middleCut(of.output, kMaxOutputBytes);
    of.diffs.resize(std::min(of.diffs.size(), kMaxDiffs));
    Room texts(kMaxDiffBytes);
    Room names(kMaxPathsBytes);
    for (auto& diff : of.diffs) {
        names.fit(diff.path);
        if (diff.before) {
            texts.fit(*diff.before);
        }
        texts.fit(diff.after);
    }
    of.paths.resize(std::min(of.paths.size(), kMaxPaths));
    Room paths(kMaxPathsBytes);
    for (auto& path : of.paths) {
        paths.fit(path);
    }
    std::erase(of.paths, "");
}
void fit(Permission& of) {
    of.title = plainText(of.title, kMaxTitleBytes);
    fitId(of.tool);
    of.options.resize(std::min(of.options.size(), kMaxOptions));
    for (auto& option : of.options) {
        fitId(option.id);
        fitName(option.name);
    }
}
void fit(PermissionOver&) {}
void fit(ModeNow& of) { fitId(of.mode); }
void fit(Other& of) {
    fitName(of.name);
    of.text = plainText(of.text, kMaxOutputBytes);
}
void fit(TurnEnded& of) {
    of.message = plainText(of.message, kMaxMessageBytes);
    of.hint = plainText(of.hint, kMaxMessageBytes);
}
void fit(Ended& of) {
    of.how = plainText(of.how, kMaxMessageBytes);
    if (of.said.size() > kMaxSaidBytes) { // its end
        of.said.erase(0, of.said.size() - kMaxSaidBytes);
        while (!of.said.empty() && (static_cast<unsigned char>(of.said.front()) & 0xc0) == 0x80) {
            of.said.erase(0, 1);
        }
    }
    of.said = plainText(of.said, kMaxSaidBytes);
}
void fit(Lost&) {}

json::object bodyOf(const Started& of) {
    json::array modes;
    for (const auto& mode : of.modes) {
        modes.push_back(json::object{{"id", mode.id}, {"name", mode.name}});
    }
    return {{"agent", of.agent}, {"version", of.version}, {"session", of.session}, {"loads", of.loads},
            {"loaded", of.loaded}, {"modes", std::move(modes)}, {"mode", of.mode}};
}
json::object bodyOf(const Text& of) { return {{"turn", of.turn}, {"text", of.text}}; }
json::object bodyOf(const Thought& of) { return {{"turn", of.turn}, {"text", of.text}}; }
json::object bodyOf(const Plan& of) {
    json::array entries;
    for (const auto& entry : of.entries) {
        entries.push_back(json::object{{"text", entry.text}, {"priority", toString(entry.priority)}, {"status", toString(entry.status)}});
    }
    return {{"turn", of.turn}, {"entries", std::move(entries)}};
}
json::object bodyOf(const Tool& of) {
    json::array diffs;
    for (const auto& diff : of.diffs) {
        json::object one{{"path", diff.path}, {"new", diff.after}};
        if (diff.before) {
            one["old"] = *diff.before;
        }
        diffs.push_back(std::move(one));
    }
    return {{"turn", of.turn},
            {"id", of.id},
            {"title", of.title},
            {"kind", toString(of.kind)},
            {"status", toString(of.status)},
            {"input", of.input},
            {"output", of.output},
            {"diffs", std::move(diffs)},
            {"paths", json::array(of.paths.begin(), of.paths.end())}};
}
json::object bodyOf(const Permission& of) {
    json::array options;
    for (const auto& option : of.options) {
        options.push_back(json::object{{"id", option.id}, {"name", option.name}, {"kind", toString(option.kind)}});
    }
    return {{"turn", of.turn}, {"request", of.request}, {"title", of.title}, {"tool", of.tool}, {"question", of.question}, {"options", std::move(options)}};
}
json::object bodyOf(const PermissionOver& of) { return {{"request", of.request}}; }
json::object bodyOf(const ModeNow& of) { return {{"mode", of.mode}}; }
json::object bodyOf(const Other& of) { return {{"turn", of.turn}, {"name", of.name}, {"text", of.text}}; }
json::object bodyOf(const TurnEnded& of) {
    return {{"turn", of.turn}, {"stop", toString(of.stop)}, {"message", of.message}, {"hint", of.hint}};
}
json::object bodyOf(const Ended& of) {
    json::object out{{"how", of.how}, {"said", of.said}};
    if (of.code) {
        out["code"] = *of.code;
    }
    if (of.signal) {
        out["signal"] = *of.signal;
    }
    return out;
}
json::object bodyOf(const Lost& of) { return {{"count", of.count}}; }

// The fields of one body, with what they have in common.
class Reader {
public:
    Reader(const json::object& object, std::string_view what)
        : m_fields(object, what) {}

    std::string text(const char* key, std::size_t most) {
        auto out = m_fields.string(key, most);
        if (!isUtf8(out)) {
            m_fields.problem(key, "is not UTF-8");
        }
        return out;
    }
    std::uint64_t number(const char* key) { return m_fields.number(key, kMaxNumber); }
    template <typename From> auto word(const char* key, From from) {
        const auto found = from(m_fields.string(key, 32));
        if (!found) {
            m_fields.problem(key, "is no word of the protocol's");
        }
        return found.value_or(typename decltype(found)::value_type{});
    }
    // `read` takes a Reader of each.
    template <typename Read> auto list(const char* key, std::size_t most, Read read) {
        std::vector<decltype(read(*this))> out;
        for (const auto& item : m_fields.array(key, most)) {
            const auto* object = item.if_object();
            if (object == nullptr) {
                m_fields.problem(key, "holds something that is no object");
                break;
            }
            Reader reader(*object, key);
            out.push_back(read(reader));
            if (!reader.finish()) {
                m_fields.problem(key, "holds something that cannot be read");
                break;
            }
        }
        return out;
    }
    void within(const char* key, std::size_t bytes, std::size_t most) {
        if (bytes > most) {
            m_fields.problem(key, "is too long together");
        }
    }
    JsonFields& fields() { return m_fields; }
    [[nodiscard]] Status finish() const { return m_fields.finish(); }

private:
    JsonFields m_fields;
};

void read(Reader& from, Started& into) {
    into.agent = from.text("agent", kMaxNameBytes);
    into.version = from.text("version", kMaxNameBytes);
    into.session = from.text("session", kMaxIdBytes);
    into.loads = from.fields().boolean("loads");
    into.loaded = from.fields().boolean("loaded");
    into.modes = from.list("modes", kMaxModes, [](Reader& each) {
        Mode mode;
        mode.id = each.text("id", kMaxIdBytes);
        mode.name = each.text("name", kMaxNameBytes);
        return mode;
    });
    into.mode = from.text("mode", kMaxIdBytes);
}
void read(Reader& from, Text& into) {
    into.turn = from.number("turn");
    into.text = from.text("text", kMaxPieceBytes);
}
void read(Reader& from, Thought& into) {
    into.turn = from.number("turn");
    into.text = from.text("text", kMaxPieceBytes);
}
void read(Reader& from, Plan& into) {
    into.turn = from.number("turn");
    std::size_t bytes = 0;
    into.entries = from.list("entries", kMaxPlan, [&](Reader& each) {
        PlanEntry entry;
        entry.text = each.text("text", kMaxPlanBytes);
        bytes += entry.text.size();
        entry.priority = each.word("priority", priorityFrom);
        entry.status = each.word("status", stepStatusFrom);
        return entry;
    });
    from.within("entries", bytes, kMaxPlanBytes);
}
void read(Reader& from, Tool& into) {
    into.turn = from.number("turn");
    into.id = from.text("id", kMaxIdBytes);
    into.title = from.text("title", kMaxTitleBytes);
    into.kind = from.word("kind", toolKindFrom);
    into.status = from.word("status", toolStatusFrom);
    into.input = from.text("input", kMaxInputBytes);
    into.output = from.text("output", kMaxOutputBytes);
    std::size_t texts = 0;
    std::size_t names = 0;
    into.diffs = from.list("diffs", kMaxDiffs, [&](Reader& each) {
        Diff diff;
        diff.path = each.text("path", kMaxPathsBytes);
        diff.after = each.text("new", kMaxDiffBytes);
        diff.before = each.fields().optionalString("old", kMaxDiffBytes);
        if (diff.before && !isUtf8(*diff.before)) {
            each.fields().problem("old", "is not UTF-8");
        }
        names += diff.path.size();
        texts += diff.after.size() + (diff.before ? diff.before->size() : 0);
        return diff;
    });
    from.within("diffs", texts, kMaxDiffBytes);
    from.within("diffs", names, kMaxPathsBytes);
    std::size_t paths = 0;
    for (auto& path : from.fields().strings("paths", kMaxPaths, kMaxPathsBytes)) {
        if (!isUtf8(path)) {
            from.fields().problem("paths", "is not UTF-8");
        }
        paths += path.size();
        into.paths.push_back(std::move(path));
    }
    from.within("paths", paths, kMaxPathsBytes);
}
void read(Reader& from, Permission& into) {
    into.turn = from.number("turn");
    into.request = from.number("request");
    into.title = from.text("title", kMaxTitleBytes);
    into.tool = from.text("tool", kMaxIdBytes);
    into.question = from.fields().boolean("question");
    into.options = from.list("options", kMaxOptions, [](Reader& each) {
        Option option;
        option.id = each.text("id", kMaxIdBytes);
        option.name = each.text("name", kMaxNameBytes);
        option.kind = each.word("kind", optionKindFrom);
        return option;
    });
}
void read(Reader& from, PermissionOver& into) { into.request = from.number("request"); }
void read(Reader& from, ModeNow& into) { into.mode = from.text("mode", kMaxIdBytes); }
void read(Reader& from, Other& into) {
    into.turn = from.number("turn");
    into.name = from.text("name", kMaxNameBytes);
    into.text = from.text("text", kMaxOutputBytes);
}
void read(Reader& from, TurnEnded& into) {
    into.turn = from.number("turn");
    into.stop = from.word("stop", turnStopFrom);
    into.message = from.text("message", kMaxMessageBytes);
    into.hint = from.text("hint", kMaxMessageBytes);
}
void read(Reader& from, Ended& into) {
    into.how = from.text("how", kMaxMessageBytes);
    into.said = from.text("said", kMaxSaidBytes);
    const auto small = [&](const char* key) -> std::optional<std::uint32_t> {
        const auto number = from.fields().optionalNumber(key, 255);
        return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
    };
    into.code = small("code");
    into.signal = small("signal");
}
void read(Reader& from, Lost& into) { into.count = from.number("count"); }

template <std::size_t I = 0> What emptyOf(std::size_t index) {
    if constexpr (I < std::variant_size_v<What>) {
        return index == I ? What(std::in_place_index<I>) : emptyOf<I + 1>(index);
    }
    return {};
}

} // namespace

std::string_view toString(Priority priority) { return wordOf(kPriorities, priority); }
std::string_view toString(StepStatus status) { return wordOf(kSteps, status); }
std::string_view toString(ToolKind kind) { return wordOf(kKinds, kind); }
std::string_view toString(ToolStatus status) { return wordOf(kStatuses, status); }
std::string_view toString(OptionKind kind) { return wordOf(kOptions, kind); }
std::string_view toString(TurnStop stop) { return wordOf(kStops, stop); }
std::optional<Priority> priorityFrom(std::string_view text) { return find<Priority>(kPriorities, text); }
std::optional<StepStatus> stepStatusFrom(std::string_view text) { return find<StepStatus>(kSteps, text); }
std::optional<ToolKind> toolKindFrom(std::string_view text) { return find<ToolKind>(kKinds, text); }
std::optional<ToolStatus> toolStatusFrom(std::string_view text) { return find<ToolStatus>(kStatuses, text); }
std::optional<OptionKind> optionKindFrom(std::string_view text) { return find<OptionKind>(kOptions, text); }
std::optional<TurnStop> turnStopFrom(std::string_view text) { return find<TurnStop>(kStops, text); }

What fitted(What what) {
    std::visit([](auto& each) { fit(each); }, what);
    return what;
}

json::object toJson(const Update& update) {
    json::object out{{"n", update.number}};
    out[kNames[update.what.index()]] = std::visit([](const auto& each) { return bodyOf(each); }, update.what);
    return out;
}

Result<Update> updateFrom(const json::object& object) {
    JsonFields fields(object, "update");
    Update out;
    out.number = fields.number("n", kMaxNumber);
    if (out.number == 0) {
        fields.problem("n", "is no number of an update");
    }
    const json::object* body = nullptr;
    std::size_t which = 0;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (const auto* found = fields.optionalObject(kNames[i])) {
            if (body != nullptr) {
                fields.problem(kNames[i], "stands beside another");
            }
            body = found;
            which = i;
        }
    }
    if (body == nullptr) {
        fields.problem("n", "stands alone");
    }
    CARREL_TRY(fields.finish());
    Reader reader(*body, kNames[which]);
    out.what = emptyOf(which);
    std::visit([&](auto& each) { read(reader, each); }, out.what);
    CARREL_TRY(reader.finish());
    return out;
}

} // namespace carrel::talk
