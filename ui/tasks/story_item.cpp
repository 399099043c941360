// SPDX-License-Identifier: Apache-2.0
#include "ui/tasks/story_item.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

struct StoryWords {
    Q_DECLARE_TR_FUNCTIONS(StoryWords)
};

template <class Enum, std::size_t N> Enum named(const std::array<std::pair<std::string_view, Enum>, N>& names, std::string_view text, Enum otherwise) {
    const auto at = std::find_if(names.begin(), names.end(), [&](const auto& each) { return each.first == text; });
    return at == names.end() ? otherwise : at->second;
}

using Kind = StoryItem::Kind;
using Status = StoryItem::Status;
using Tool = StoryItem::Tool;
constexpr std::array<std::pair<std::string_view, Kind>, 6> kKinds{{{"user", Kind::User},
                                                                   {"text", Kind::Text},
                                                                   {"thought", Kind::Thought},
                                                                   {"tool", Kind::Tool},
                                                                   {"permission", Kind::Permission},
                                                                   {"note", Kind::Note}}};
constexpr std::array<std::pair<std::string_view, Status>, 4> kStatuses{{{"pending", Status::Pending},
                                                                       {"in_progress", Status::UnderWay},
                                                                       {"completed", Status::Completed},
                                                                       {"failed", Status::Failed}}};
constexpr std::array<std::pair<std::string_view, Tool>, 9> kTools{{{"read", Tool::Read},
                                                                   {"edit", Tool::Edit},
                                                                   {"delete", Tool::Delete},
                                                                   {"move", Tool::Move},
                                                                   {"search", Tool::Search},
                                                                   {"execute", Tool::Execute},
                                                                   {"think", Tool::Think},
                                                                   {"fetch", Tool::Fetch},
                                                                   {"switch_mode", Tool::SwitchMode}}};

QStringList linesFrom(const json::array& list) {
    QStringList out;
    for (const auto& each : list) {
        if (each.is_string()) {
            out << lineOf(each.get_string());
        }
    }
    return out;
}

QString firstLine(const QString& text) {
    for (const auto& line : QStringView(text).split('\n')) {
        if (const auto words = line.trimmed(); !words.isEmpty()) {
            return words.toString();
        }
    }
    return {};
}

} // namespace

StoryItem storyItemFrom(const json::object& item) {
    StoryItem out;
    out.number = numberAt(item, "item");
    out.kind = named(kKinds, textAt(item, "kind"), Kind::Other);
    out.status = named(kStatuses, textAt(item, "status"), Status::None);
    out.tool = named(kTools, textAt(item, "tool_kind"), Tool::Other);
    out.turn = numberAt(item, "turn");
    const auto moment = momentOf(textAt(item, "time"));
    out.time = moment.isValid() ? moment.time().toString(QStringLiteral("HH:mm:ss")) : QString();
    out.text = blockOf(textAt(item, "text"));
    out.title = lineOf(textAt(item, "title"), kWholeColumns);
    out.input = blockOf(textAt(item, "input"));
    out.paths = linesFrom(listAt(item, "paths"));
    for (const auto& each : listAt(item, "diffs")) {
        if (each.is_object()) {
            const auto& one = each.get_object();
            out.diffs.push_back({lineOf(textAt(one, "path")), blockOf(textAt(one, "old")), blockOf(textAt(one, "new"))});
        }
    }
    out.files = linesFrom(listAt(item, "files"));
    out.answer = lineOf(textAt(item, "answer"), kWholeColumns);
    return out;
}

QString StoryItem::line() const {
    switch (kind) {
    case Kind::Thought:
        return StoryWords::tr("Thought: %1").arg(firstLine(text));
    case Kind::Tool:
        return title.isEmpty() ? toolText(tool) : title;
    default:
        return title.isEmpty() ? firstLine(text) : title;
    }
}

QString StoryItem::whole() const {
    QStringList out;
    out << (title.isEmpty() ? QString() : title) << text << input;
    out << paths << files;
    for (const auto& each : diffs) {
        out << each.path << each.after;
    }
    out << answer;
    out.removeAll(QString());
    return out.join('\n');
}

QString whoText(const StoryItem& item) {
    switch (item.kind) {
    case Kind::User:
        return StoryWords::tr("You");
    case Kind::Text:
        return StoryWords::tr("The agent says");
    case Kind::Thought:
        return StoryWords::tr("The agent's thoughts");
    case Kind::Tool:
        return StoryWords::tr("The agent says that it uses a tool");
    case Kind::Permission:
        return StoryWords::tr("The agent asks leave");
    case Kind::Note:
        return StoryWords::tr("Carrel");
    case Kind::Other:
        break;
    }
    return StoryWords::tr("The agent says something that this window does not know");
}

QString toolText(Tool tool) {
    switch (tool) {
    case Tool::Read:
        return StoryWords::tr("Reads");
    case Tool::Edit:
        return StoryWords::tr("Edits");
    case Tool::Delete:
        return StoryWords::tr("Deletes");
    case Tool::Move:
        return StoryWords::tr("Moves");
    case Tool::Search:
        return StoryWords::tr("Searches");
    case Tool::Execute:
        return StoryWords::tr("Runs a command");
    case Tool::Think:
        return StoryWords::tr("Thinks");
    case Tool::Fetch:
        return StoryWords::tr("Fetches");
    case Tool::SwitchMode:
        return StoryWords::tr("Changes how it works");
    case Tool::Other:
        break;
    }
    return StoryWords::tr("Uses a tool");
}

QString toolSign(Tool tool) {
    switch (tool) {
    case Tool::Read:
        return QStringLiteral("≡");
    case Tool::Edit:
        return QStringLiteral("✎");
    case Tool::Delete:
        return QStringLiteral("−");
    case Tool::Move:
        return QStringLiteral("→");
    case Tool::Search:
        return QStringLiteral("◎");
    case Tool::Execute:
        return QStringLiteral(">_");
    case Tool::Think:
        return QStringLiteral("…");
    case Tool::Fetch:
        return QStringLiteral("↓");
    case Tool::SwitchMode:
        return QStringLiteral("⇄");
    case Tool::Other:
        break;
    }
    return QStringLiteral("•");
}

QString statusText(Status status) {
    switch (status) {
    case Status::Pending:
        return StoryWords::tr("not begun");
    case Status::UnderWay:
        return StoryWords::tr("under way");
    case Status::Completed:
        return StoryWords::tr("done");
    case Status::Failed:
        return StoryWords::tr("failed");
    case Status::None:
        break;
    }
    return {};
}

} // namespace carrel::ui
