// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/change_entry.h"

#include "app/api/answers.h"
#include "ui/text/plain.h"

#include <QByteArray>
#include <QCoreApplication>
#include <QStringList>

#include <array>
#include <charconv>
#include <utility>

namespace carrel::ui {

namespace json = boost::json;

namespace {

struct Words {
    Q_DECLARE_TR_FUNCTIONS(carrel::ui::ChangeEntry)
};

constexpr std::array<std::pair<std::string_view, ChangeKind>, 6> kKinds{{{"created", ChangeKind::Created},
                                                                          {"modified", ChangeKind::Modified},
                                                                          {"deleted", ChangeKind::Deleted},
                                                                          {"renamed", ChangeKind::Renamed},
                                                                          {"mode", ChangeKind::Mode},
                                                                          {"link", ChangeKind::Link}}};

// Octal; none where it is no such text.
std::optional<unsigned> modeAt(const json::object& change, std::string_view key) {
    const auto text = api::textAt(change, key);
    unsigned mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(mode) : std::nullopt;
}

QString octal(unsigned mode) {
    return QString::number(mode, 8).rightJustified(4, '0');
}

} // namespace

std::optional<ChangeEntry> changeFrom(const json::object& change) {
    ChangeEntry out;
    out.path = api::pathAt(change, "path");
    if (out.path.empty()) {
        return std::nullopt;
    }
    out.share = api::textAt(change, "share");
    const auto kind = api::textAt(change, "kind");
    for (const auto& [name, value] : kKinds) {
        out.kind = kind == name ? value : out.kind;
    }
    const auto type = api::textAt(change, "type");
    out.type = type == "directory" ? ChangeType::Directory : type == "symlink" ? ChangeType::Symlink : ChangeType::File;
    out.from = api::pathAt(change, "from");
    out.linkTarget = api::pathAt(change, "link_target");
    out.size = api::numberAt(change, "size");
    out.hasContent = !api::textAt(change, "content").empty();
    out.hadContent = !api::textAt(change, "base").empty();
    out.mode = modeAt(change, "mode");
    out.oldMode = modeAt(change, "old_mode");
    out.highRisk = api::textAt(change, "risk") != "normal"; // a word that this window does not know is no reassurance
    out.riskReason = api::textAt(change, "risk_reason");
    out.conflict = api::textAt(change, "conflict");
    out.linesAdded = api::numberAt(change, "lines_added");
    out.linesRemoved = api::numberAt(change, "lines_removed");
    return out;
}

json::object pathParameter(std::string_view path) {
    const auto bytes = QByteArray::fromRawData(path.data(), static_cast<qsizetype>(path.size()));
    if (bytes.isValidUtf8()) {
        return {{"path", path}};
    }
    return {{"path_b64", bytes.toBase64().toStdString()}};
}

QString kindText(const ChangeEntry& change) {
    switch (change.kind) {
    case ChangeKind::Created:
        return change.type == ChangeType::Directory ? Words::tr("New folder") : change.type == ChangeType::Symlink ? Words::tr("New link") : Words::tr("New");
    case ChangeKind::Modified:
        return Words::tr("Changed");
    case ChangeKind::Deleted:
        return change.type == ChangeType::Directory ? Words::tr("Folder deleted") : Words::tr("Deleted");
    case ChangeKind::Renamed:
        return change.hasContent ? Words::tr("Renamed, changed") : Words::tr("Renamed");
    case ChangeKind::Mode:
        return Words::tr("Permissions");
    case ChangeKind::Link:
        return Words::tr("Link");
    case ChangeKind::Unknown:
        break;
    }
    return Words::tr("Another kind");
}

QString kindSentence(const ChangeEntry& change) {
    QStringList out;
    if (change.kind == ChangeKind::Renamed && !change.from.empty()) {
        const auto from = lineOf(change.from, kWholeColumns);
        out << (change.hasContent ? Words::tr("Renamed from %1, and changed").arg(from) : Words::tr("Renamed from %1").arg(from));
    } else if (change.kind == ChangeKind::Unknown) {
        out << Words::tr("Changed in a way that this window does not know");
    } else {
        out << kindText(change);
    }
    if (!change.linkTarget.empty()) {
        out << Words::tr("a link to %1").arg(lineOf(change.linkTarget, kWholeColumns));
    }
    return out.join(QStringLiteral(", "));
}

QString sizeOf(const ChangeEntry& change) {
    return change.kind == ChangeKind::Deleted || !change.hasContent ? QString() : sizeText(change.size);
}

QString rightsText(unsigned before, unsigned after, ChangeType type) {
    struct Right {
        unsigned bit;
        QString given;
        QString taken;
    };
    const bool folder = type == ChangeType::Directory;
    const std::array<Right, 3> rights{
        {{4, Words::tr("readable by %1"), Words::tr("no longer readable by %1")},
         {2, Words::tr("changeable by %1"), Words::tr("no longer changeable by %1")},
         {1, folder ? Words::tr("open to be entered by %1") : Words::tr("runnable as a program by %1"),
          folder ? Words::tr("no longer open to be entered by %1") : Words::tr("no longer runnable as a program by %1")}}};
    QStringList out;
    for (const auto& right : rights) {
        const auto differs = [&](unsigned shift) { return ((before ^ after) >> shift & right.bit) != 0; };
        const auto given = [&](unsigned shift) { return (after >> shift & right.bit) != 0; };
        const auto say = [&](unsigned shift, const QString& whom) { out << (given(shift) ? right.given : right.taken).arg(whom); };
        if (differs(0)) {
            say(0, Words::tr("everyone on this computer"));
        }
        if (differs(3) && !(differs(0) && given(0) == given(3))) { // else everyone says it
            say(3, Words::tr("the accounts of its group"));
        }
        if (differs(6)) {
            say(6, Words::tr("you"));
        }
    }
    if (((before ^ after) & 07000U) != 0) {
        out << ((after & 07000U) != 0 ? Words::tr("with special marks (set-uid, set-gid, sticky)")
                                      : Words::tr("no longer with special marks (set-uid, set-gid, sticky)"));
    }
    return out.join(QStringLiteral(", "));
}

QString permissionsText(const ChangeEntry& change) {
    if (!change.oldMode || !change.mode || *change.oldMode == *change.mode || change.kind == ChangeKind::Deleted ||
        change.type == ChangeType::Symlink) {
        return {};
    }
    return Words::tr("%1 becomes %2: %3").arg(octal(*change.oldMode), octal(*change.mode), rightsText(*change.oldMode, *change.mode, change.type));
}

} // namespace carrel::ui
