// SPDX-License-Identifier: Apache-2.0
#include "ui/network/forwards_model.h"

#include "app/api/answers.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

namespace carrel::ui {

using namespace api;

QUrl ForwardInfo::address() const {
    const QUrl given(QString::fromStdString(url), QUrl::StrictMode);
    const bool isOwn = given.isValid() && given.scheme() == QLatin1String("http") && given.host().endsWith(QLatin1String(".localhost")) &&
                       given.port() > 0 && given.userInfo().isEmpty();
    return isOwn ? given : QUrl();
}

QVector<ForwardInfo> forwardsFrom(const boost::json::array& forwards) {
    return rowsFrom<ForwardInfo>(forwards, [](const boost::json::object& one) {
        ForwardInfo info;
        info.number = numberAt(one, "number");
        info.url = textAt(one, "url");
        info.until = textAt(one, "until");
        info.port = numberAt(one, "port");
        info.open = numberAt(one, "open");
        info.connections = numberAt(one, "connections");
        info.sent = numberAt(one, "sent");
        info.received = numberAt(one, "received");
        info.age = std::chrono::milliseconds(numberAt(one, "age_ms"));
        return info;
    });
}

QString ForwardsModel::cell(int row, int column) const {
    const auto& one = at(row);
    switch (column) {
    case Port:
        return tr("port %1").arg(one.port);
    case Address:
        return lineOf(one.url, kWholeColumns);
    case Age:
        return spanText(one.age);
    case Connections:
        return tr("%1 now, %2 in all").arg(one.open).arg(one.connections);
    case Sent:
        return sizeText(one.sent);
    case Received:
        return sizeText(one.received);
    case Until:
        return one.until.empty() ? tr("you stop it") : momentText(one.until);
    default:
        return {};
    }
}

QString ForwardsModel::heading(int column) const {
    switch (column) {
    case Port:
        return tr("In the machine");
    case Address:
        return tr("On this computer");
    case Age:
        return tr("For");
    case Connections:
        return tr("Connections");
    case Sent:
        return tr("To browser");
    case Received:
        return tr("From browser");
    case Until:
        return tr("Until");
    default:
        return {};
    }
}

int ForwardsModel::rowOf(std::uint64_t number) const {
    const auto at = std::find_if(all().begin(), all().end(), [&](const ForwardInfo& each) { return each.number == number; });
    return at == all().end() ? -1 : static_cast<int>(at - all().begin());
}

void ForwardsModel::take(const QVector<ForwardInfo>& now) {
    takeRows(now, [](const ForwardInfo& a, const ForwardInfo& b) { return a.isSame(b); });
}

} // namespace carrel::ui
