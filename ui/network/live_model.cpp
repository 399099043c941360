// SPDX-License-Identifier: Apache-2.0
#include "ui/network/live_model.h"

#include "app/api/answers.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

using namespace api;

namespace {

QString heldText(const LiveConnection& one) {
    return one.treat == "tls"         ? LiveModel::tr("by its TLS name")
           : one.treat == "http"      ? LiveModel::tr("by its HTTP name")
           : one.treat == "terminate" ? LiveModel::tr("each request is read")
                                      : LiveModel::tr("no: anything goes");
}

} // namespace

QVector<LiveConnection> liveFrom(const boost::json::array& connections) {
    return rowsFrom<LiveConnection>(connections, [](const boost::json::object& one) {
        LiveConnection live;
        live.number = numberAt(one, "number");
        live.host = textAt(one, "host");
        live.address = textAt(one, "address");
        live.treat = textAt(one, "treat");
        live.port = numberAt(one, "port");
        live.sent = numberAt(one, "sent");
        live.received = numberAt(one, "received");
        live.rule = numberAt(one, "rule");
        live.approval = numberAt(one, "approval");
        live.age = std::chrono::milliseconds(numberAt(one, "age_ms"));
        return live;
    });
}

int LiveModel::countOfRule(std::uint64_t rule) const {
    return static_cast<int>(std::count_if(all().begin(), all().end(), [&](const auto& each) { return each.rule == rule; }));
}

QString LiveModel::cell(int row, int column) const {
    const auto& one = at(row);
    switch (column) {
    case Destination:
        return placeText(one.host, std::to_string(one.port));
    case Address:
        return one.address.empty() ? tr("address unchecked") : hostText(one.address);
    case Sent:
        return sizeText(one.sent);
    case Received:
        return sizeText(one.received);
    case Age:
        return spanText(one.age);
    case By:
        return one.rule != 0 ? tr("rule %1").arg(one.rule) : tr("your answer to request %1").arg(one.approval);
    case Held:
        return heldText(one);
    default:
        return {};
    }
}

QString LiveModel::tip(int row, int column) const {
    const auto& one = at(row);
    if (column == Destination) {
        const auto note = hostNote(one.host);
        return note.isEmpty() ? cell(row, column) : cell(row, column) + '\n' + note;
    }
    if (column == Address && one.address.empty()) {
        return tr("A proxy connects for this computer. Which address it is, Carrel has not seen.");
    }
    if (column == Held && one.treat != "tls" && one.treat != "http" && one.treat != "terminate") {
        return tr("Whatever the agent sends goes there, and whoever is meant inside is not looked at.");
    }
    return cell(row, column);
}

QString LiveModel::heading(int column) const {
    switch (column) {
    case Destination:
        return tr("Where to");
    case Address:
        return tr("Address");
    case Sent:
        return tr("Sent");
    case Received:
        return tr("Received");
    case Age:
        return tr("For");
    case By:
        return tr("Allowed by");
    case Held:
        return tr("Held to the host");
    default:
        return {};
    }
}

void LiveModel::take(const QVector<LiveConnection>& now) {
    takeRows(now, [](const LiveConnection& a, const LiveConnection& b) { return a.isSame(b); });
}

} // namespace carrel::ui
