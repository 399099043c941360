// SPDX-License-Identifier: Apache-2.0
#include "ui/timeline/timeline_model.h"

#include "app/api/answers.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

#include <algorithm>
#include <array>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

struct Kind {
    std::string_view name;
    EventGroup group;
    const char* words;
};

constexpr std::array kKinds{
    Kind{"vm.state", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Machine")},
    Kind{"vm.stage", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Step of the start")},
    Kind{"clerk.state", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Clerk at the door")},
    Kind{"agent.created", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Agent made")},
    Kind{"agent.deleted", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Agent deleted")},
    Kind{"share.added", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Folder shared")},
    Kind{"share.changed", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Folder shared in another way")},
    Kind{"share.removed", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Folder taken away")},
    Kind{"file.read", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "File read")},
    Kind{"exec.started", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Command begun")},
    Kind{"exec.ended", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Command ended")},
    Kind{"task.added", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Task given")},
    Kind{"task.begun", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Task begun")},
    Kind{"task.ended", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Task ended")},
    Kind{"task.answered", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Agent's question answered")},
    Kind{"task.cancelled", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Task stopped")},
    Kind{"agent.tool", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Agent used a tool")},
    Kind{"review.frozen", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Changes frozen for review")},
    Kind{"apply.decided", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Decision to apply")},
    Kind{"apply.done", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Changes applied")},
    Kind{"undo.decided", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Decision to undo")},
    Kind{"undo.done", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Changes taken back")},
    Kind{"discard.decided", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Decision to discard")},
    Kind{"discard.done", EventGroup::Changes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Changes discarded")},
    Kind{"guest.log", EventGroup::Notes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Log of the machine")},
    Kind{"engine.note", EventGroup::Notes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Note")},
    Kind{"client.allowed", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Program let in")},
    Kind{"client.ended", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Program shut out")},
    Kind{"approval.asked", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request")},
    Kind{"approval.changed", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request changed")},
    Kind{"approval.repeated", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request repeated")},
    Kind{"approval.shown", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request shown to you")},
    Kind{"approval.decided", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request answered")},
    Kind{"approval.ended", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request over")},
    Kind{"approval.reopened", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request opened again")},
    Kind{"approval.effect", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "What was allowed")},
    Kind{"approval.turned_away", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Request turned away")},
    Kind{"rule.kept", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Rule kept with an answer")},
    Kind{"rule.answered", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Answered by a rule")},
    Kind{"rule.added", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Rule added")},
    Kind{"rule.removed", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Rule removed")},
    Kind{"rule.replaced", EventGroup::Approvals, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Rules replaced")},
    Kind{"net.mode", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Way to the network")},
    Kind{"net.traffic", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Connections")},
    Kind{"net.cut", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Connection cut by you")},
    Kind{"net.limit", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Limits of the network")},
    Kind{"net.spent", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Day's limit used up")},
    Kind{"credential.added", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Credential kept")},
    Kind{"credential.removed", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Credential removed")},
    Kind{"credential.used", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Credential used")},
    Kind{"credential.refused", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Credential refused")},
    Kind{"forward.opened", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Shown in your browser")},
    Kind{"forward.traffic", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Looked at in a browser")},
    Kind{"forward.closed", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "No longer in your browser")},
    Kind{"canary.added", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Canary kept")},
    Kind{"canary.planted", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Canary planted")},
    Kind{"canary.removed", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Canary removed")},
    Kind{"canary.left", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Canary on its way out")},
    Kind{"provider.chosen", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Whose model it uses")},
    Kind{"program.started", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Program started")},
    Kind{"program.ended", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Program ended")},
    Kind{"file.written", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "File opened for writing")},
    Kind{"file.created", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "File or folder made")},
    Kind{"file.deleted", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "File or folder deleted")},
    Kind{"file.renamed", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "File or folder renamed")},
    Kind{"file.mode", EventGroup::Files, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Permissions of a file changed")},
    Kind{"net.tried", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Connection wanted")},
    Kind{"rights.tried", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Right reached for")},
    Kind{"watch.lost", EventGroup::Notes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Left out of this record")},
    Kind{"watch.silent", EventGroup::Machine, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Machine silent about its programs")},
    Kind{"programs.mode", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Which programs run")},
    Kind{"programs.installed", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Installed by apt in this agent")},
    Kind{"budget.set", EventGroup::Network, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Budget")},
    Kind{"recording.started", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Recording begun")},
    Kind{"recording.chunk", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Recording kept")},
    Kind{"recording.ended", EventGroup::Commands, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Recording ended")},
    Kind{"log.cut", EventGroup::Notes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "Oldest of the log left out")},
    Kind{"log.kept", EventGroup::Notes, QT_TRANSLATE_NOOP("carrel::ui::Timeline", "How long the log is kept")},
};

const Kind* find(std::string_view kind) {
    const auto* const found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& each) { return each.name == kind; });
    return found == kKinds.end() ? nullptr : found;
}

std::string detailText(const json::object& detail) {
    std::string out;
    for (const auto& member : detail) {
        out += (out.empty() ? "" : "  ") + std::string(member.key()) + "=" +
               (member.value().is_string() ? std::string(member.value().get_string()) : json::serialize(member.value()));
    }
    return out;
}

std::string commandOf(const json::object& detail) {
    std::string out;
    const auto* const words = detail.if_contains("argv");
    if (words != nullptr && words->is_array()) {
        for (const auto& word : words->get_array()) {
            if (word.is_string()) {
                out += (out.empty() ? "" : " ") + std::string(word.get_string());
            }
        }
    }
    return out;
}

// What a person can read without the table of processes beside it.
std::string briefText(const std::string& kind, const json::object& detail) {
    json::object left;
    for (const auto& member : detail) {
        static constexpr std::array<std::string_view, 8> kLeftOut{"process", "parent", "pid", "user", "argv", "at", "book", "number"};
        if (std::find(kLeftOut.begin(), kLeftOut.end(), std::string_view(member.key())) == kLeftOut.end()) {
            left[member.key()] = member.value();
        }
    }
    const auto rest = detailText(left);
    const auto command = kind == "program.started" ? commandOf(detail) : std::string();
    return command + (command.empty() || rest.empty() ? "" : "  ") + rest;
}

std::string_view lastName(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

std::string contentOf(const json::object& event) {
    auto sha256 = textAt(event, "kind") == "program.started" ? textAt(objectAt(event, "detail"), "sha256") : std::string();
    return sha256.size() == 64 && sha256.find_first_not_of("0123456789abcdef") == std::string::npos ? sha256 : std::string();
}

// Nothing where a machine says so: only what was seen is put into Carrel's own words (I9).
QString networkWords(const json::object& event) {
    const auto kind = textAt(event, "kind");
    if (textAt(event, "provenance") != "host") {
        return {};
    }
    return kind == "net.traffic" ? trafficText(objectAt(event, "detail"))
           : kind == "net.mode"  ? netModeText(netModeFrom(textAt(event, "subject"))) + QStringLiteral(". ") +
                                      netModeExplained(netModeFrom(textAt(event, "subject")))
                                 : networkEventText(kind, objectAt(event, "detail"));
}

} // namespace

EventGroup groupOf(std::string_view kind) {
    const auto* const known = find(kind);
    return known != nullptr ? known->group : EventGroup::Notes;
}

QString kindText(std::string_view kind) {
    const auto* const known = find(kind);
    return known != nullptr ? QCoreApplication::translate("carrel::ui::Timeline", known->words) : lineOf(kind, 40);
}

QString whoSays(bool byGuest) {
    return byGuest ? TimelineModel::tr("the machine says") : TimelineModel::tr("seen by Carrel");
}

TimelineModel::TimelineModel(QObject* parent)
    : QAbstractTableModel(parent) {}

void TimelineModel::add(const json::array& events) {
    std::vector<TimelineEvent> fresh;
    for (const auto& value : events) {
        if (!value.is_object()) {
            continue;
        }
        const auto& event = value.get_object();
        const auto seq = numberAt(event, "seq");
        if (seq <= (fresh.empty() ? lastSeq() : fresh.back().seq)) {
            continue; // told twice: at the end of a page, and by the stream that follows
        }
        const auto& detail = objectAt(event, "detail");
        const auto kind = textAt(event, "kind");
        const auto process = textAt(detail, "process");
        const auto subject = textAt(event, "subject");
        if (kind == "program.started" && !process.empty()) {
            m_programs.started(process, {textAt(detail, "parent"), lineOf(lastName(subject), 60), lineOf(commandOf(detail))});
        }
        fresh.push_back({seq, textAt(event, "time"), kind, subject, detailText(detail), process.empty() ? std::string() : briefText(kind, detail), process,
                         networkWords(event), textAt(event, "provenance") != "host"}); // what is not known to be the host's is not shown as such
        fresh.back().content = contentOf(event);
        fresh.back().recording = kind.starts_with("recording.") && !fresh.back().byGuest ? numberAt(detail, "recording") : 0;
    }
    if (fresh.empty()) {
        return;
    }
    const int first = rowCount();
    beginInsertRows({}, first, first + static_cast<int>(fresh.size()) - 1);
    m_rows.insert(m_rows.end(), std::make_move_iterator(fresh.begin()), std::make_move_iterator(fresh.end()));
    endInsertRows();
    if (const int over = rowCount() - kMostRows; over > 0) {
        const int go = std::max(over, kMostRows / 10); // not with each event one by one
        beginRemoveRows({}, 0, go - 1);
        m_rows.erase(m_rows.begin(), m_rows.begin() + go);
        endRemoveRows();
    }
}

int TimelineModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int TimelineModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : Columns;
}

QVariant TimelineModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) {
        return {};
    }
    const auto& event = at(index.row());
    const auto cell = [&]() -> QString {
        switch (index.column()) {
        case Time:
            return momentText(event.time);
        case WhoSays:
            return whoSays(event.byGuest);
        case What:
            return kindText(event.kind);
        case Subject:
            return lineOf(event.subject);
        case Program:
            return m_programs.lineageText(event.process);
        case Detail:
            return !event.words.isEmpty() ? event.words : lineOf(event.process.empty() ? event.detail : event.brief);
        default:
            return {};
        }
    };
    switch (role) {
    case Qt::DisplayRole:
        return cell();
    case Qt::ToolTipRole:
        return toolTipOf(cell());
    case Qt::AccessibleTextRole: // what a guest says is told as that, in every cell
        return event.byGuest ? QString(whoSays(true) + ": " + cell()) : cell();
    case GuestRole:
        return event.byGuest;
    case GroupRole:
        return static_cast<int>(groupOf(event.kind));
    case SearchRole:
        return QString(kindText(event.kind) + '\n' + QString::fromStdString(event.kind) + '\n' + lineOf(event.subject) + '\n' + lineOf(event.detail) + '\n' + event.words + '\n' +
                       m_programs.lineageText(event.process));
    default:
        return {};
    }
}

QVariant TimelineModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) {
        return {};
    }
    switch (section) {
    case Time:
        return tr("When");
    case WhoSays:
        return tr("Who says so");
    case What:
        return tr("What");
    case Subject:
        return tr("About");
    case Program:
        return tr("Program");
    case Detail:
        return tr("Details");
    default:
        return {};
    }
}

} // namespace carrel::ui
