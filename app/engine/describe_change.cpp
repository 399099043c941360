// SPDX-License-Identifier: Apache-2.0
#include "app/engine/describe_change.h"

#include "app/api/display_text.h"
#include "app/engine/describe_report.h"
#include "guest/protocol/change_report.h"

namespace carrel::engine {

namespace json = boost::json;
using agents::EntryView;
using files::FrozenEntry;
using files::NodeKind;

namespace {

json::value hashOf(const files::NodeState& state) {
    return state.content ? json::value(state.content->hex()) : json::value(nullptr);
}

std::string octal(std::uint32_t mode) {
    std::string out(4, '0');
    for (std::size_t i = 0; i < 4; ++i) {
        out[3 - i] = static_cast<char>('0' + ((mode >> (3 * i)) & 7U));
    }
    return out;
}

} // namespace

json::object describeChange(const EntryView& view) {
    const FrozenEntry& entry = *view.entry;
    json::object out{{"share", view.share->name},
                     {"kind", toString(entry.kind)},
                     {"type", toString(entry.type)},
                     {"size", entry.wanted.kind == NodeKind::File ? entry.wanted.size : 0},
                     {"mode", octal(entry.wanted.mode)},
                     {"base", hashOf(entry.base)},
                     {"content", entry.contentChanged ? hashOf(entry.wanted) : json::value(nullptr)},
                     {"risk", files::toString(entry.risk)},
                     {"conflict", entry.conflict == files::ConflictKind::None ? json::value(nullptr)
                                                                              : json::value(api::asUtf8(entry.conflictReason))},
                     {"text", entry.text}};
    if (entry.base.kind == NodeKind::File || entry.base.kind == NodeKind::Directory) {
        out["old_mode"] = octal(entry.base.mode);
    }
    putFullPath(out, "path", view.share->name, entry.path);
    if (entry.from) {
        putFullPath(out, "from", view.share->name, *entry.from);
    }
    if (entry.risk == files::Risk::High) {
        out["risk_reason"] = api::asUtf8(entry.riskReason);
    }
    if (entry.wanted.kind == NodeKind::Symlink) {
        putPath(out, "link_target", entry.wanted.linkTarget);
        if (!out.contains("link_target")) {
            out["link_target"] = "(not UTF-8)";
        }
    }
    if (entry.counted) {
        out["lines_added"] = entry.linesAdded;
        out["lines_removed"] = entry.linesRemoved;
    }
    return out;
}

} // namespace carrel::engine
