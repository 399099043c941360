// SPDX-License-Identifier: Apache-2.0
#include "app/api/display_text.h"
#include "app/cli/render.h"

#include <charconv>
#include <optional>

namespace carrel::cli {

namespace json = boost::json;
using api::DisplayText;

namespace {

// A review must show every name whole: a path has at most 4,095 bytes, each at most four columns when
// escaped.
constexpr std::size_t kPathColumns = 4 * 4400;
constexpr std::size_t kReasonColumns = 4 * 4400; // it may tell where each version of a file is

std::string pathsOf(const json::object& change) {
    std::string path = shown(pathAt(change, "path"), kPathColumns);
    if (const auto from = pathAt(change, "from"); !from.empty()) {
        path = shown(from, kPathColumns) + " -> " + path;
    }
    if (const auto target = pathAt(change, "link_target"); !target.empty()) {
        path += " (link to " + shown(target, kPathColumns) + ")";
    }
    return path;
}

// Octal; none where it is no such text.
std::optional<unsigned> modeAt(const json::object& change, std::string_view key) {
    const auto text = textAt(change, key);
    unsigned mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(mode) : std::nullopt;
}

// What becomes of who may do what: "readable by everyone on this computer, no longer changeable by you".
std::string rightsText(unsigned before, unsigned after, bool folder) {
    struct Right {
        unsigned bit;
        const char* what;
    };
    const Right rights[] = {
        {4, "readable by "}, {2, "changeable by "}, {1, folder ? "open to be entered by " : "runnable as a program by "}};
    std::string out;
    const auto say = [&](bool given, const std::string& what) {
        out += std::string(out.empty() ? "" : ", ") + (given ? "" : "no longer ") + what;
    };
    for (const Right& right : rights) {
        const auto differs = [&](unsigned shift) { return ((before ^ after) >> shift & right.bit) != 0; };
        const auto given = [&](unsigned shift) { return (after >> shift & right.bit) != 0; };
        const std::string what = right.what;
        if (differs(0)) {
            say(given(0), what + "everyone on this computer");
        }
        if (differs(3) && !(differs(0) && given(0) == given(3))) { // else everyone says it
            say(given(3), what + "the accounts of its group");
        }
        if (differs(6)) {
            say(given(6), what + "you");
        }
    }
    if (((before ^ after) & 07000U) != 0) {
        say((after & 07000U) != 0, "with special marks (set-uid, set-gid, sticky)");
    }
    return out;
}

// Whoever decides sees what apply would change, not only in the text.
std::string permissionsText(const json::object& change, std::string_view indent) {
    const auto before = modeAt(change, "old_mode");
    const auto after = modeAt(change, "mode");
    if (!before || !after || *before == *after || textAt(change, "kind") == "deleted" ||
        textAt(change, "type") == "symlink") {
        return {};
    }
    return std::string(indent) + "permissions " + textAt(change, "old_mode") + " → " + textAt(change, "mode") + ": " +
           rightsText(*before, *after, textAt(change, "type") == "directory") + "\n";
}

std::string notesOf(const json::object& change, std::string_view indent) {
    std::string out = permissionsText(change, indent);
    if (textAt(change, "risk") == "high") {
        out += std::string(indent) + "! high risk: " + shown(textAt(change, "risk_reason")) + "\n";
    }
    if (const auto conflict = textAt(change, "conflict"); !conflict.empty()) {
        out += std::string(indent) + "! conflict: " + shown(conflict) + "\n";
    }
    return out;
}

std::string totalsText(const json::object& totals) {
    std::string out = countText(numberAt(totals, "changes"), "change", "changes") + ", " +
                      bytesText(numberAt(totals, "bytes")) + " of new content";
    if (const auto risky = numberAt(totals, "high_risk"); risky > 0) {
        out += ", " + std::to_string(risky) + " of high risk";
    }
    if (const auto conflicts = numberAt(totals, "conflicts"); conflicts > 0) {
        out += ", " + countText(conflicts, "conflict", "conflicts");
    }
    return out + ".\n";
}

std::string leftOutText(const json::array& items) {
    std::string out;
    for (const auto& item : items) {
        if (item.is_object()) {
            out += "not in this review: " + shown(pathAt(item.get_object(), "path"), kPathColumns) + ": " +
                   shown(textAt(item.get_object(), "reason")) + "\n";
        }
    }
    return out.empty() ? out : out + "What is not in this review stays in the machine until it can be.\n";
}

std::string autoFullText(const json::array& items) {
    std::string out;
    for (const auto& item : items) {
        if (item.is_object()) {
            out += "Auto mode of " + shown(textAt(item.get_object(), "share"), 60) +
                   " has reached its bound, so new files wait for review too; it goes on at " +
                   timeText(textAt(item.get_object(), "until")) + ".\n";
        }
    }
    return out;
}

std::string notListedText(const json::array& shares) {
    std::string out;
    for (const auto& item : shares) {
        if (item.is_object()) {
            out += "What is staged in " + shown(textAt(item.get_object(), "share"), 60) +
                   " cannot be listed now, as the agent's machine does not have that folder. It says: " +
                   shown(textAt(item.get_object(), "why"), 400) + "\n";
        }
    }
    return out;
}

std::string sizeOf(const json::object& change) {
    const auto kind = textAt(change, "kind");
    const bool hasContent = !textAt(change, "content").empty();
    return kind == "deleted" || !hasContent ? "-" : bytesText(numberAt(change, "size"));
}

std::string coloured(std::string_view line, Colour colour);

// Text of the guest's, line by line.
std::string linesText(const std::string& text, Colour colour) {
    std::string out;
    const auto clean = DisplayText::block(text, text.size() + 1); // bounded by the message it came in
    std::string_view rest = clean.text();
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        out += coloured(rest.substr(0, end), colour) + "\n";
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    return out;
}

std::string coloured(std::string_view line, Colour colour) {
    static constexpr std::string_view kOff = "\x1b[0m";
    std::string_view on;
    switch (line.empty() ? ' ' : line[0]) {
    case '+':
    case '>':
        on = "\x1b[32m";
        break;
    case '-':
    case '<':
        on = "\x1b[31m";
        break;
    case '@':
        on = "\x1b[36m";
        break;
    default:
        break;
    }
    if (colour == Colour::No || on.empty()) {
        return std::string(line);
    }
    return std::string(on) + std::string(line) + std::string(kOff);
}

// The text of a document is what a viewer made of it, and not all that it is.
std::string documentText(const json::object& document) {
    std::string out;
    if (const auto note = textAt(document, "note"); !note.empty()) {
        out += "  (" + shown(note, 200) + ")\n";
    }
    if (flagAt(document, "cut")) {
        out += "  ! it has more text than is compared here\n";
    }
    if (flagAt(document, "same_text")) {
        out += "  ! its text is the same; what differs is something that is not shown\n";
    }
    return out;
}

} // namespace

std::string changesText(const json::object& result) {
    const auto& changes = listAt(result, "changes");
    const auto& totals = objectAt(result, "totals");
    const auto review = textAt(result, "review");
    const auto leftOut = leftOutText(listAt(result, "left_out")) + autoFullText(listAt(result, "auto_full")) +
                         notListedText(listAt(result, "not_listed"));
    if (review.empty()) {
        return leftOut.empty() ? "Nothing is staged.\n" : leftOut;
    }
    std::string out;
    for (const auto& value : changes) {
        if (!value.is_object()) {
            continue;
        }
        const auto& change = value.get_object();
        std::string kind = shown(textAt(change, "kind"), 10);
        kind.resize(std::max<std::size_t>(kind.size(), 10), ' ');
        std::string size = sizeOf(change);
        size.insert(0, size.size() < 9 ? 9 - size.size() : 0, ' ');
        out += kind + size + "  " + pathsOf(change) + (textAt(change, "type") == "directory" ? "/" : "") +
               "\n" + notesOf(change, "                     ");
    }
    if (changes.size() < numberAt(totals, "changes")) {
        out += "… and " + std::to_string(numberAt(totals, "changes") - changes.size()) + " more\n";
    }
    out += totalsText(totals) + leftOut;
    return out + "Review " + shown(review, 80) + "\n";
}

std::string diffText(const json::object& file, Colour colour) {
    const auto& change = objectAt(file, "change");
    std::string out = colour == Colour::Yes ? "\x1b[1m" : "";
    out += shown(textAt(change, "kind"), 10) + " " + pathsOf(change);
    out += colour == Colour::Yes ? "\x1b[0m\n" : "\n";
    out += notesOf(change, "  ");
    const auto* diff = file.if_contains("diff");
    if (diff == nullptr || !diff->is_string()) {
        const auto why = textAt(file, "no_diff");
        return out + "  (" + (why.empty() ? std::string("nothing to show") : shown(why)) + ")\n";
    }
    return out + documentText(objectAt(change, "document")) + linesText(std::string(diff->get_string()), colour);
}

std::string threeWayText(const json::object& file, Colour colour) {
    const auto& three = objectAt(file, "three_way");
    if (three.empty()) {
        return diffText(file, colour);
    }
    const auto& change = objectAt(file, "change");
    std::string out = shown(textAt(change, "kind"), 10) + " " + pathsOf(change) + "\n" + notesOf(change, "  ");
    out += flagAt(three, "base_known")
               ? "  | what both began with, as the agent's machine names it   < yours   > the agent's   = the same by both\n"
               : "  Only two versions: " + shown(textAt(three, "why_no_base")) + ".   - yours   + the agent's\n";
    return out + linesText(textAt(three, "listing"), colour);
}

std::string outcomesText(const json::object& result, std::string_view doneWord) {
    std::string out;
    for (const auto& value : listAt(result, "outcomes")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& item = value.get_object();
        const auto outcome = textAt(item, "outcome");
        if (outcome != "done" || !textAt(item, "reason").empty()) {
            out += shown(outcome, 20) + ": " + shown(pathAt(item, "path"), kPathColumns) + ": " +
                   shown(textAt(item, "reason"), kReasonColumns) + "\n";
        }
    }
    const auto& totals = objectAt(result, "totals");
    out += countText(numberAt(totals, "done"), "change", "changes") + " " + std::string(doneWord);
    if (const auto kept = numberAt(totals, "kept"); kept > 0) {
        out += ", " + std::to_string(kept) + " worked on since and still staged";
    }
    const auto undone =
        numberAt(totals, "conflicts") + numberAt(totals, "refused") + numberAt(totals, "failed");
    if (undone > 0) {
        out += ", " + std::to_string(undone) + " not";
    }
    return out + ".\n";
}

std::string historyText(const json::object& result) {
    const auto& applies = listAt(result, "applies");
    if (applies.empty()) {
        return "Nothing was applied yet.\n";
    }
    Table table({"NUMBER", "WHEN", "WHAT", "CHANGES", "FILES"});
    for (const auto& value : applies) {
        if (!value.is_object()) {
            continue;
        }
        const auto& past = value.get_object();
        const auto done = numberAt(past, "done");
        const auto open = numberAt(past, "not_done");
        std::string what = numberAt(past, "undoes") != 0 ? "undo of " + std::to_string(numberAt(past, "undoes"))
                           : textAt(past, "by") == "auto" ? "apply (auto)"
                           : textAt(past, "by") == "rule" ? "apply (rule)"
                                                          : "apply";
        const auto first = pathAt(past, "first");
        std::string files = first.empty() ? std::string("-") : shown(first, 100);
        if (done > 1) {
            files += " and " + std::to_string(done - 1) + " more";
        }
        const auto by = numberAt(past, "undone_by");
        if (by != 0) {
            files += " (undone by " + std::to_string(by) + ")";
        }
        table.add({std::to_string(numberAt(past, "number")), timeText(textAt(past, "time")), what,
                   countText(done, "change", "changes") + (open > 0 ? ", " + std::to_string(open) + " not" : ""), files});
    }
    std::string out = table.text();
    if (const auto* next = result.if_contains("next"); next != nullptr && !next->is_null()) {
        out += "There are older ones; see --limit.\n";
    }
    return out;
}

std::string eventText(const json::object& event) {
    std::string kind = shown(textAt(event, "kind"), 20);
    kind.resize(std::max<std::size_t>(kind.size(), 15), ' ');
    // What the guest says never looks like what the host saw (I9).
    const bool guest = textAt(event, "provenance") != "host";
    std::string out = timeText(textAt(event, "time")) + "  " + kind + (guest ? " GUEST SAYS " : " ");
    const auto subject = textAt(event, "subject");
    out += subject.empty() ? "" : " " + shown(subject);
    for (const auto& member : objectAt(event, "detail")) {
        const auto& value = member.value();
        const std::string text = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
        if (!text.empty()) {
            out += "  " + shown(member.key(), 40) + "=" + shown(text, 120);
        }
    }
    return out + "\n";
}

} // namespace carrel::cli
