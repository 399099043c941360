// SPDX-License-Identifier: Apache-2.0
#include "ui/text/network_words.h"

#include "app/api/answers.h"
#include "guest/protocol/byte_amount.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

#include <algorithm>
#include <array>
#include <utility>

namespace carrel::ui {

using namespace api;

namespace {

struct NetWords {
    Q_DECLARE_TR_FUNCTIONS(NetWords)
};

constexpr std::array<std::pair<std::string_view, NetMode>, 3> kModes{
    {{"offline", NetMode::Offline}, {"ask", NetMode::Ask}, {"allowlist", NetMode::Allowlist}}};
constexpr std::size_t kHostColumns = 4096; // more than any name is long, and what is none is shown whole, too
constexpr char16_t kFirstPrintable = 0x21, kLastPrintable = 0x7e;

QString sumsText(const boost::json::object& detail) {
    auto out = NetWords::tr("%n connection(s) begun", nullptr, countOf(numberAt(detail, "begun")));
    if (const auto ended = numberAt(detail, "ended"); ended > 0) {
        out += NetWords::tr(", %n ended", nullptr, countOf(ended)) +
               NetWords::tr(": %1 sent, %2 received").arg(sizeText(numberAt(detail, "sent")), sizeText(numberAt(detail, "received")));
    }
    return out;
}

QString forwardEventText(std::string_view kind, const boost::json::object& detail) {
    if (kind == "forward.traffic") {
        const auto refused = numberAt(detail, "refused");
        return sumsText(detail) + (refused > 0 ? NetWords::tr("; %n turned away", nullptr, countOf(refused)) : QString());
    }
    const auto place = placeText(textAt(detail, "host"), std::to_string(numberAt(detail, "at")));
    if (kind == "forward.closed") {
        return NetWords::tr("at %1: ").arg(place) + lineOf(textAt(detail, "why"), 400);
    }
    const auto until = textAt(detail, "until");
    const auto approval = numberAt(detail, "approval");
    return (until.empty() ? NetWords::tr("at %1").arg(place) : NetWords::tr("at %1, until %2").arg(place, momentText(until))) +
           (approval != 0 ? NetWords::tr("; the agent asked for it in request %1").arg(approval) : QString());
}

QString canaryEventText(std::string_view kind, const boost::json::object& detail) {
    if (kind == "canary.planted") {
        const auto env = textAt(detail, "env"), planted = textAt(detail, "planted");
        const auto variable = env.empty() ? QString() : NetWords::tr("as the variable %1").arg(lineOf(env, 64));
        return planted.empty() ? variable : variable + (env.empty() ? QString() : QStringLiteral("; ")) + NetWords::tr("you noted: ") + lineOf(planted, 400);
    }
    const auto whose = textAt(detail, "agents") == "all" ? NetWords::tr("for every agent") : NetWords::tr("for the agents that you named");
    return kind == "canary.added" ? whose : NetWords::tr("%1; nobody looks for it any more").arg(whose);
}

} // namespace

NetMode netModeFrom(std::string_view text) {
    const auto* const found = std::find_if(kModes.begin(), kModes.end(), [&](const auto& each) { return each.first == text; });
    return found == kModes.end() ? NetMode::Unknown : found->second;
}

const char* netModeKey(NetMode mode) {
    return mode == NetMode::Ask ? "ask" : mode == NetMode::Allowlist ? "allowlist" : "offline";
}

QString netModeText(NetMode mode) {
    switch (mode) {
    case NetMode::Offline:
        return NetWords::tr("No network");
    case NetMode::Ask:
        return NetWords::tr("Asks first");
    case NetMode::Allowlist:
        return NetWords::tr("Only what rules allow");
    case NetMode::Unknown:
        break;
    }
    return NetWords::tr("In a way that this window does not know");
}

QString netModeExplained(NetMode mode) {
    switch (mode) {
    case NetMode::Offline:
        return NetWords::tr("The agent reaches nothing, whatever rules say.");
    case NetMode::Ask:
        return NetWords::tr("The agent reaches what your rules allow. You are asked about anything else, and it waits until you answer.");
    case NetMode::Allowlist:
        return NetWords::tr("The agent reaches what your rules allow. Anything else is denied, and you are not asked.");
    case NetMode::Unknown:
        break;
    }
    return NetWords::tr("The engine is newer than this window. The command line tells more: carrel net mode.");
}

QString hostText(std::string_view host) {
    const auto line = lineOf(host, kHostColumns);
    QString out;
    for (const auto letter : line.toUcs4()) {
        if (letter >= kFirstPrintable && letter <= kLastPrintable) {
            out += QChar(letter);
        } else {
            out += QStringLiteral("\\u{%1}").arg(letter, 0, 16);
        }
    }
    return out;
}

QString placeText(std::string_view host, std::string_view port) {
    const auto text = hostText(host);
    return (text.contains(':') ? '[' + text + ']' : text) + ':' + hostText(port);
}

QString hostNote(std::string_view host) {
    const auto text = hostText(host);
    const auto labels = text.split('.');
    if (std::any_of(labels.begin(), labels.end(), [](const QString& label) { return label.startsWith(QStringLiteral("xn--"), Qt::CaseInsensitive); })) {
        return NetWords::tr("This name stands for letters of other scripts, which can look like those of another name. It is shown as it is "
                            "looked up (xn--…): know whose it is before you allow it.");
    }
    const bool isV4 = !text.isEmpty() && std::all_of(text.begin(), text.end(), [](QChar each) { return each.isDigit() || each == '.'; });
    if (text.contains(':') || isV4) {
        return NetWords::tr("This is an address and no name: nothing tells whose it is.");
    }
    return {};
}

QString outcomeText(std::string_view outcome) {
    static const std::array<std::pair<std::string_view, const char*>, 9> kWords{{
        {"denied", QT_TRANSLATE_NOOP("NetWords", "Denied")},
        {"expired", QT_TRANSLATE_NOOP("NetWords", "Nobody answered in time")},
        {"unresolved", QT_TRANSLATE_NOOP("NetWords", "The name leads nowhere")},
        {"unreachable", QT_TRANSLATE_NOOP("NetWords", "Could not be reached")},
        {"refused", QT_TRANSLATE_NOOP("NetWords", "The other side refused it")},
        {"timed-out", QT_TRANSLATE_NOOP("NetWords", "The other side did not answer")},
        {"limit", QT_TRANSLATE_NOOP("NetWords", "A limit was reached")},
        {"offline", QT_TRANSLATE_NOOP("NetWords", "The agent has no network")},
        {"closed", QT_TRANSLATE_NOOP("NetWords", "Whoever asked had gone")},
    }};
    const auto* const found = std::find_if(kWords.begin(), kWords.end(), [&](const auto& each) { return each.first == outcome; });
    return found == kWords.end() ? lineOf(outcome, 40) : NetWords::tr(found->second);
}

QString trafficText(const boost::json::object& detail) {
    const auto outcome = textAt(detail, "outcome");
    QString out = outcome == "open" ? sumsText(detail)
                                    : NetWords::tr("%1, %n time(s)", nullptr, countOf(numberAt(detail, "begun"))).arg(outcomeText(outcome));
    if (textAt(detail, "address") == "unchecked") {
        out += NetWords::tr("; address unchecked, through a proxy");
    }
    if (const auto why = textAt(detail, "why"); !why.empty()) {
        out += QStringLiteral(": ") + lineOf(why, 400);
    }
    return out;
}

QString limitsText(const boost::json::object& limits) {
    const auto rate = numberAt(limits, "rate");
    const auto day = numberAt(limits, "day");
    const bool counted = limits.contains("used"); // else it is an event's
    const auto used = numberAt(limits, "used");
    const auto amount = [](std::uint64_t bytes) { return QString::fromStdString(amountText(bytes)); };
    QStringList out;
    if (rate > 0) {
        out += NetWords::tr("At most %1 a second, all its connections together.").arg(amount(rate));
    }
    if (day > 0) {
        out += !counted      ? NetWords::tr("At most %1 a day.").arg(amount(day))
               : used >= day ? NetWords::tr("The %1 of today are used up: nothing is connected to until tomorrow, or until you allow more.").arg(amount(day))
                             : NetWords::tr("At most %1 a day, of which %2 are used.").arg(amount(day), sizeText(used));
    }
    if (out.isEmpty()) {
        out += NetWords::tr("There is no limit on how much it may carry.");
        if (counted && used > 0) {
            out += NetWords::tr("Today: %1.").arg(sizeText(used));
        }
    }
    return out.join(' ');
}

QString networkEventText(std::string_view kind, const boost::json::object& detail) {
    const auto place = placeText(textAt(detail, "host"), std::to_string(numberAt(detail, "port")));
    if (kind == "net.cut") {
        return NetWords::tr("after %1 sent, %2 received").arg(sizeText(numberAt(detail, "sent")), sizeText(numberAt(detail, "received")));
    }
    if (kind == "net.limit") {
        return limitsText(detail);
    }
    if (kind == "net.spent") {
        return NetWords::tr("what was connected is cut, and nothing else is connected to until tomorrow, or until you allow more");
    }
    if (kind == "credential.used") {
        const auto rule = numberAt(detail, "rule");
        const auto by = rule != 0 ? NetWords::tr("by rule %1").arg(rule) : NetWords::tr("by your answer to request %1").arg(numberAt(detail, "approval"));
        // Its path last: it is the agent's, and says nothing of what stands before it.
        return NetWords::tr("at %1, %2: ").arg(place, by) + lineOf(textAt(detail, "method"), 40) + ' ' + lineOf(textAt(detail, "path"), 400);
    }
    if (kind == "canary.left") {
        // As link.h has them (net.canary).
        const auto where = textAt(detail, "where");
        const auto what = where == "target" ? NetWords::tr("the address of a request") : where == "field" ? NetWords::tr("a header of a request") : NetWords::tr("what a request sends");
        const auto form = textAt(detail, "form");
        const auto how = form == "gzip" ? NetWords::tr("compressed") : form == "plain" ? NetWords::tr("as it is") : NetWords::tr("written as %1").arg(lineOf(form, 20));
        return NetWords::tr("to %1, in %2, %3; it was stopped, and the agent paused").arg(place, what, how);
    }
    if (kind == "canary.added" || kind == "canary.planted" || kind == "canary.removed") {
        return canaryEventText(kind, detail);
    }
    if (kind == "forward.opened" || kind == "forward.traffic" || kind == "forward.closed") {
        return forwardEventText(kind, detail);
    }
    return kind == "credential.refused" ? NetWords::tr("at %1: ").arg(place) + lineOf(textAt(detail, "why"), 400) : QString();
}

QString spanText(std::chrono::milliseconds span) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
    constexpr long long kMinute = 60, kHour = 3600, kDay = 86400;
    if (seconds < kMinute) {
        return NetWords::tr("%1 s").arg(seconds);
    }
    if (seconds < kHour) {
        return NetWords::tr("%1 min").arg(seconds / kMinute);
    }
    if (seconds < kDay) {
        return NetWords::tr("%1 h %2 min").arg(seconds / kHour).arg(seconds % kHour / kMinute);
    }
    return NetWords::tr("%1 d %2 h").arg(seconds / kDay).arg(seconds % kDay / kHour);
}

} // namespace carrel::ui
