// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/credentials_model.h"

#include "ui/text/plain.h"

#include <algorithm>

namespace carrel::ui {

int CredentialsModel::rowOf(const std::string& name) const {
    const auto at = std::find_if(all().begin(), all().end(), [&](const CredentialInfo& each) { return each.name == name; });
    return at == all().end() ? -1 : static_cast<int>(at - all().begin());
}

QString CredentialsModel::cell(int row, int column) const {
    const auto& one = at(row);
    switch (column) {
    case Name:
        return lineOf(one.name, kWholeColumns);
    case Hosts:
        return hostsText(one);
    case Written:
        return writtenText(one);
    case Agents:
        return one.agents.empty() ? tr("any") : agentsText(one);
    case Kept:
        return keptText(one);
    case Used:
        return usedText(one);
    default:
        return {};
    }
}

QString CredentialsModel::heading(int column) const {
    switch (column) {
    case Name:
        return tr("Name");
    case Hosts:
        return tr("Goes to");
    case Written:
        return tr("Sent as");
    case Agents:
        return tr("Agents");
    case Kept:
        return tr("Kept in");
    case Used:
        return tr("Last used");
    default:
        return {};
    }
}

void CredentialsModel::take(const QVector<CredentialInfo>& now) {
    takeRows(now, [](const CredentialInfo& a, const CredentialInfo& b) { return a.name == b.name; });
}

} // namespace carrel::ui
