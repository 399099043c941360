// SPDX-License-Identifier: Apache-2.0
#include "app/cli/render_approval.h"

#include "app/api/display_text.h"

#include <algorithm>

namespace carrel::cli {

namespace json = boost::json;
using api::DisplayText;

namespace {

constexpr std::size_t kBarredColumns = 72;
constexpr std::size_t kCellColumns = 200; // of a list, which a decision is not taken from

// At the end of a word where there is one in the second half, else in the middle of it; never in a character or an escape.
std::string_view takeLine(std::string_view& rest) {
    std::size_t end = 0;
    std::size_t word = 0;
    while (end < rest.size()) {
        std::size_t next = end + 1;
        while (next < rest.size() && next < end + 4 && (static_cast<unsigned char>(rest[next]) & 0xc0U) == 0x80U) {
            ++next;
        }
        const bool blank = rest[end] == ' ';
        if (end > 0 && DisplayText::line(rest.substr(0, next), kWholeColumns).columns() > kBarredColumns) {
            end = blank ? next : word > end / 2 ? word : end;
            break;
        }
        end = next;
        if (blank) {
            word = end;
        }
    }
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end);
    return line;
}

std::string plural(std::uint64_t count) {
    return count == 1 ? "once" : std::to_string(count) + " times";
}

std::string scopeText(std::string_view scope) {
    return scope == "once"         ? "for this once"
           : scope == "session"    ? "until the agent is stopped"
           : scope == "agent"      ? "for this agent from now on"
           : scope == "everywhere" ? "for every agent from now on"
                                   : shown(scope, 20);
}

std::string endText(const std::string& ended, std::uint64_t id) {
    return ended == "no-answer"
               ? "nobody answered in time, which is no denial. Open it again: carrel approvals reopen " + std::to_string(id)
           : ended == "withdrawn"    ? "the agent took it back"
           : ended == "session-over" ? "the session that asked has ended"
           : ended == "engine-ended" ? "Carrel was restarted, and what waited for it has gone"
           : ended == "gone"         ? "what it was about is no longer there"
                                     : shown(ended, 20);
}

std::string upper(bool high) {
    return high ? "HIGH" : "routine";
}

// Its label, and the text behind bars.
std::string part(const std::string& label, std::string_view foreign) {
    return "  " + label + ":\n" + barred(foreign);
}

std::string attentionCell(const json::object& row, const char* key) {
    return std::to_string(numberAt(row, key));
}

} // namespace

std::string spanText(std::int64_t seconds) {
    seconds = std::max<std::int64_t>(0, seconds);
    return seconds < 60          ? std::to_string(seconds) + " s"
           : seconds < 3600      ? std::to_string(seconds / 60) + " min"
           : seconds < 48 * 3600 ? std::to_string(seconds / 3600) + " h"
                                 : std::to_string(seconds / 86400) + " d";
}

std::string barred(std::string_view foreign) {
    std::string out;
    do {
        out += "    | " + shown(takeLine(foreign), kWholeColumns) + "\n";
    } while (!foreign.empty());
    return out;
}

std::string barredBlock(std::string_view foreign) {
    std::string out;
    while (!foreign.empty()) {
        const auto end = foreign.find('\n');
        out += barred(foreign.substr(0, end));
        foreign = end == std::string_view::npos ? std::string_view() : foreign.substr(end + 1);
    }
    return out;
}

bool isOpen(const json::object& approval) {
    return textAt(approval, "state") == "open";
}

bool isHighRisk(const json::object& approval) {
    return textAt(approval, "risk") != "routine";
}

std::string approvalsText(const json::object& result, Closed closed, std::int64_t now) {
    std::string out = rulesTroubleText(objectAt(result, "rules_trouble"));
    const auto& approvals = listAt(result, "approvals");
    const bool listed = closed == Closed::Listed;
    Table table(listed ? std::vector<std::string>{"ID", "AGENT", "STATE", "RISK", "ASKED", "EXPIRES", "REQUEST"}
                       : std::vector<std::string>{"ID", "AGENT", "RISK", "ASKED", "EXPIRES", "REQUEST"});
    std::uint64_t first = 0;
    for (const auto& value : approvals) {
        if (!value.is_object()) {
            continue;
        }
        const auto& approval = value.get_object();
        const auto asked = momentOf(textAt(approval, "asked_at"));
        const auto expires = momentOf(textAt(approval, "expires"));
        std::vector<std::string> row{std::to_string(numberAt(approval, "id")), shown(textAt(approval, "agent"), 40)};
        if (listed) {
            row.push_back(shown(textAt(approval, "state"), 20));
        }
        row.push_back(upper(isHighRisk(approval)));
        row.push_back(asked ? spanText(now - *asked) + " ago" : "-");
        row.push_back(isOpen(approval) && expires ? "in " + spanText(*expires - now) : "-");
        row.push_back(shown(textAt(approval, "words"), kCellColumns));
        table.add(std::move(row));
        if (first == 0 && isOpen(approval)) {
            first = numberAt(approval, "id");
        }
    }
    out += approvals.empty() ? (listed ? "Nothing was asked.\n" : "Nothing waits for you.\n") : table.text();
    out += turnedAwayText(result);
    if (first != 0) {
        out += "Look at one: carrel show " + std::to_string(first) + ". Then: carrel allow " + std::to_string(first) +
               ", or carrel deny " + std::to_string(first) + "\n";
    }
    return out;
}

std::string turnedAwayText(const json::object& result) {
    std::string out;
    for (const auto& value : listAt(result, "turned_away")) {
        if (value.is_object()) {
            const auto& away = value.get_object();
            out += "The agent " + shown(textAt(away, "agent"), 40) + " asks too much, too soon: " +
                   countText(numberAt(away, "count"), "more request was", "more requests were") +
                   " cancelled without asking you, since " + timeText(textAt(away, "since")) + ".\n";
        }
    }
    return out;
}

std::string approvalLine(const json::object& approval) {
    return std::to_string(numberAt(approval, "id")) + "  " + shown(textAt(approval, "state"), 20) + "  " +
           upper(isHighRisk(approval)) + "  " + shown(textAt(approval, "agent"), 40) + "  " +
           shown(textAt(approval, "words"), kCellColumns) + "\n";
}

std::string stateText(const json::object& approval) {
    const auto id = numberAt(approval, "id");
    std::string out = "Request " + std::to_string(id) + " ";
    const auto state = textAt(approval, "state");
    const auto& decision = objectAt(approval, "decision");
    if (state == "open") {
        out += "waits for you; unanswered, it expires at " + timeText(textAt(approval, "expires"));
    } else if (!decision.empty()) {
        out += "was " + shown(state, 20) + " " + scopeText(textAt(decision, "scope"));
        if (const auto until = textAt(decision, "until"); !until.empty()) {
            out += ", until " + timeText(until);
        }
        out += ", by " + shown(textAt(decision, "by"), 160) + ", at " + timeText(textAt(decision, "at"));
    } else {
        out += "is over (" + shown(state, 20) + "): " + endText(textAt(approval, "ended"), id);
    }
    return out + ".\n";
}

std::string approvalText(const json::object& result, Colour colour) {
    const auto& approval = objectAt(result, "approval");
    std::string out = stateText(approval);
    const auto asked = numberAt(approval, "asked");
    out += "It was asked at " + timeText(textAt(approval, "asked_at"));
    out += asked > 1 ? ", " + plural(asked) + " by now.\n" : ".\n";
    if (flagAt(approval, "session_over")) {
        out += "The agent was stopped since; what it asked for can still be done.\n";
    }
    if (const auto& to = objectAt(approval, "destination"); !to.empty()) { // large, as far as a terminal has that
        const bool coloured = colour == Colour::Yes;
        out += std::string("\n") + (coloured ? "\x1b[1m" : "") + "    " + shown(textAt(to, "host"), kWholeColumns) + "   port " +
               shown(textAt(to, "port"), 5) + (coloured ? "\x1b[0m" : "") + "\n";
    }
    out += "\n" + part("What Carrel saw", textAt(approval, "words"));
    if (isHighRisk(approval)) {
        const bool coloured = colour == Colour::Yes;
        const auto reason = textAt(approval, "risk_reason");
        out += std::string("  ") + (coloured ? "\x1b[1;31m" : "") + "HIGH RISK" + (coloured ? "\x1b[0m" : "") + ":\n" +
               barred(reason.empty() ? "Carrel gives no reason" : reason);
    }
    const auto claim = textAt(approval, "claim");
    out += claim.empty() ? "  The agent gives no reason.\n" : part("What the AGENT SAYS, its own word that nobody has checked", claim);
    const auto& effect = objectAt(approval, "effect");
    if (!effect.empty()) {
        out += part("What became of it (" + shown(textAt(effect, "state"), 20) + ")", textAt(effect, "words"));
    }
    return out + thingsText(result);
}

std::string thingsText(const json::object& result) {
    const auto& review = textAt(result, "review");
    const auto& things = listAt(result, "things");
    if (things.empty() || (!review.empty() && isOpen(objectAt(result, "approval")))) {
        return {}; // its changes are shown, all of them
    }
    std::string out = "  What it is about:\n";
    for (const auto& value : things) {
        if (!value.is_object()) {
            continue;
        }
        std::string line;
        for (const auto& member : value.get_object()) {
            const auto& field = member.value();
            line += (line.empty() ? "" : ", ") + std::string(member.key()) + " " +
                    (field.is_string() ? std::string(field.get_string()) : json::serialize(field));
        }
        out += barred(line);
    }
    const auto items = numberAt(objectAt(result, "approval"), "items");
    if (!flagAt(result, "complete")) {
        out += "  These are not all: there are " + std::to_string(items) + ".\n";
    }
    return out;
}

std::string coverText(const json::object& result) {
    const auto& approval = objectAt(result, "approval");
    if (!isOpen(approval)) {
        return {};
    }
    const auto& rule = objectAt(result, "rule");
    if (!flagAt(approval, "can_be_rule") || rule.empty()) {
        return "No rule can say this: it can be allowed for once only.\n";
    }
    return "The narrowest rule that would allow it without asking:\n" + ruleText(rule);
}

std::string answerText(const json::object& result) {
    const auto& approval = objectAt(result, "approval");
    if (!isOpen(approval)) {
        return {};
    }
    const auto id = std::to_string(numberAt(approval, "id"));
    std::string out = "Answer it: carrel allow " + id + ", or carrel deny " + id +
                      "; with --scope session, agent or everywhere a rule is kept.\n";
    if (isHighRisk(approval)) {
        out += "It is of high risk: whoever allows it types this word: " + shown(textAt(result, "confirm"), kWholeColumns) + "\n";
    }
    return out;
}

std::string statsText(const json::object& result) {
    const auto& rows = listAt(result, "rows");
    if (rows.empty()) {
        return "Nothing was asked.\n";
    }
    Table table({"DAY (UTC)", "AGENT", "TASK", "ASKED", "SHOWN", "MERGED", "ANSWERED", "BY RULE", "EXPIRED", "CANCELLED",
                 "TURNED AWAY", "WAITED"});
    const auto add = [&](const json::object& row, const std::string& day) {
        const auto task = textAt(row, "task");
        table.add({day, shown(textAt(row, "agent"), 40), task.empty() ? "-" : shown(task, 60), attentionCell(row, "asked"),
                   attentionCell(row, "shown"), attentionCell(row, "merged"), attentionCell(row, "answered"),
                   attentionCell(row, "by_rule"), attentionCell(row, "expired"), attentionCell(row, "cancelled"),
                   attentionCell(row, "turned_away"), spanText(static_cast<std::int64_t>(numberAt(row, "waited_ms") / 1000))});
    };
    for (const auto& value : rows) {
        if (value.is_object()) {
            add(value.get_object(), shown(textAt(value.get_object(), "day"), 10));
        }
    }
    add(objectAt(result, "total"), "all");
    return table.text();
}

} // namespace carrel::cli
