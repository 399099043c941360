// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/credential_info.h"

#include "app/api/answers.h"
#include "ui/parts/table_model.h"
#include "ui/text/network_words.h"
#include "ui/text/plain.h"

#include <QCoreApplication>

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;
using namespace api;

namespace {

struct CredentialWords {
    Q_DECLARE_TR_FUNCTIONS(CredentialWords)
};

std::vector<std::string> textsAt(const json::object& object, std::string_view key) {
    std::vector<std::string> out;
    for (const auto& each : listAt(object, key)) {
        if (each.is_string()) {
            out.emplace_back(each.get_string());
        }
    }
    return out;
}

QString joined(const std::vector<std::string>& texts, const QString& none) {
    QStringList out;
    for (const auto& each : texts) {
        out << lineOf(each, kWholeColumns);
    }
    return out.isEmpty() ? none : out.join(QStringLiteral(", "));
}

} // namespace

bool CredentialInfo::reaches(const std::string& agent) const {
    return agents.empty() || std::find(agents.begin(), agents.end(), agent) != agents.end();
}

QVector<CredentialInfo> credentialsFrom(const json::array& credentials) {
    return rowsFrom<CredentialInfo>(credentials, [](const json::object& one) {
        CredentialInfo info;
        info.name = textAt(one, "name");
        info.hosts = textsAt(one, "hosts");
        info.methods = textsAt(one, "methods");
        info.paths = textsAt(one, "paths");
        info.agents = textsAt(one, "agents");
        info.header = textAt(one, "header");
        info.format = textAt(one, "format");
        if (const auto* const user = one.if_contains("basic"); user != nullptr && user->is_string()) {
            info.user = std::string(user->get_string());
        }
        info.variable = textAt(one, "env");
        info.inKeyring = textAt(one, "kept") == "keyring";
        info.created = textAt(one, "created");
        info.used = textAt(one, "used");
        return info;
    });
}

QString hostsText(const CredentialInfo& of) {
    QStringList out;
    for (const auto& each : of.hosts) {
        out << hostText(each);
    }
    return out.join(QStringLiteral(", "));
}

QString writtenText(const CredentialInfo& of) {
    const auto header = lineOf(of.header, kWholeColumns);
    if (of.user) {
        return CredentialWords::tr("%1: Basic, as the user %2").arg(header, lineOf(*of.user, kWholeColumns));
    }
    auto format = lineOf(of.format, kWholeColumns);
    return header + QStringLiteral(": ") + format.replace(QStringLiteral("{}"), QStringLiteral("…"));
}

QString methodsText(const CredentialInfo& of) {
    return joined(of.methods, CredentialWords::tr("any"));
}

QString pathsText(const CredentialInfo& of) {
    return joined(of.paths, CredentialWords::tr("any"));
}

QString agentsText(const CredentialInfo& of) {
    return joined(of.agents, CredentialWords::tr("any, by a rule or when you are asked"));
}

QString keptText(const CredentialInfo& of) {
    return of.inKeyring ? CredentialWords::tr("keyring") : CredentialWords::tr("sealed file");
}

QString usedText(const CredentialInfo& of) {
    return of.used.empty() ? CredentialWords::tr("never") : momentText(of.used);
}

} // namespace carrel::ui
