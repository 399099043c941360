// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/credential_form.h"

#include "ui/text/plain.h"

#include <QCoreApplication>
#include <QRegularExpression>

#include <algorithm>

namespace carrel::ui {

namespace json = boost::json;

namespace {

struct CredentialForms {
    Q_DECLARE_TR_FUNCTIONS(CredentialForms)
};

constexpr int kMostHosts = 16, kMostMethods = 16, kMostPaths = 64; // credential.add.json

QStringList listOf(const QString& typed) {
    static const QRegularExpression between(QStringLiteral("[\\s,;]+"));
    return typed.split(between, Qt::SkipEmptyParts);
}

bool fits(const QString& text, const char* form) {
    return QRegularExpression(QRegularExpression::anchoredPattern(QString::fromLatin1(form))).match(text).hasMatch();
}

// Typed here, and shown here: yet it may be pasted from anywhere.
QString shown(const QString& typed) {
    return lineOf(typed.toStdString(), 80);
}

QString problemOfHosts(const QString& typed) {
    const auto hosts = listOf(typed);
    if (hosts.isEmpty()) {
        return CredentialForms::tr("Say where it goes: one host at least.");
    }
    if (hosts.size() > kMostHosts) {
        return CredentialForms::tr("At most %n host(s).", nullptr, kMostHosts);
    }
    for (const auto& host : hosts) {
        if (host.contains('*')) {
            return CredentialForms::tr("“%1”: each host by its whole name, without a star.").arg(shown(host));
        }
        if (host.contains('/') || host.contains(':')) {
            return CredentialForms::tr("“%1”: the name of the host alone, without https://, a port or a path.").arg(shown(host));
        }
        if (!fits(host, "[A-Za-z0-9_.-]{1,253}")) {
            return CredentialForms::tr("“%1” is no name of a host. One of other scripts is written as it is looked up: xn--…").arg(shown(host));
        }
    }
    return {};
}

QString problemOfFormat(const QString& format) {
    if (format.count(QStringLiteral("{}")) != 1) {
        return CredentialForms::tr("Put {} once where the value belongs, as in: Token {}");
    }
    return fits(format, "[ -~]{2,200}") && format.trimmed() == format ? QString()
                                                                    : CredentialForms::tr("Letters, digits and signs of ASCII, without blanks around them.");
}

QString problemOfPaths(const QString& typed) {
    const auto paths = listOf(typed);
    if (paths.size() > kMostPaths) {
        return CredentialForms::tr("At most %n path(s).", nullptr, kMostPaths);
    }
    for (const auto& path : paths) {
        const auto whole = path.endsWith(QStringLiteral("/*")) ? path.chopped(1) : path;
        if (!whole.startsWith('/') || whole.contains('*') || whole.contains('?') || whole.contains('#')) {
            return CredentialForms::tr("“%1”: a path begins with /, has no query, and a star only as /* at its end.").arg(shown(path));
        }
    }
    return {};
}

bool meet(const QStringList& agents, const std::vector<std::string>& others) {
    return agents.isEmpty() || others.empty() || std::any_of(others.begin(), others.end(), [&](const std::string& each) {
        return agents.contains(QString::fromStdString(each));
    });
}

} // namespace

QString CredentialForm::problem(Field field, const QVector<CredentialInfo>& there) const {
    switch (field) {
    case Field::Name:
        if (!fits(name, "[a-z0-9._-]{1,64}")) {
            return CredentialForms::tr("A name has lower-case letters, digits, hyphens, dots and underscores.");
        }
        return std::any_of(there.begin(), there.end(), [&](const auto& each) { return each.name == name.toStdString(); })
                   ? CredentialForms::tr("There is a credential of that name already.")
                   : QString();
    case Field::Hosts:
        return problemOfHosts(hosts);
    case Field::User:
        return kind != Kind::Basic || fits(user, "[ -9;-~]{1,128}") ? QString()
                                                                    : CredentialForms::tr("Name the user, in letters of ASCII and without a colon.");
    case Field::Header:
        return kind != Kind::Own || fits(header, "[A-Za-z0-9_-]{1,64}") ? QString() : CredentialForms::tr("Name the header field, as in: X-Auth-Token");
    case Field::Format:
        return kind != Kind::Own ? QString() : problemOfFormat(format);
    case Field::Methods: {
        const auto all = listOf(methods);
        const bool good = std::all_of(all.begin(), all.end(), [](const QString& each) { return fits(each, "[A-Za-z-]{1,32}"); });
        return good && all.size() <= kMostMethods ? QString() : CredentialForms::tr("Write methods like this: GET, POST");
    }
    case Field::Paths:
        return problemOfPaths(paths);
    case Field::Variable: {
        if (!variable.isEmpty() && !fits(variable, "[A-Za-z_][A-Za-z0-9_]{0,63}")) {
            return CredentialForms::tr("A variable has letters, digits and underscores, and begins with no digit.");
        }
        const auto taken = std::find_if(there.begin(), there.end(), [&](const CredentialInfo& each) {
            return !variable.isEmpty() && each.variable == variable.toStdString() && meet(agents, each.agents);
        });
        return taken == there.end() ? QString() : CredentialForms::tr("The credential %1 has that variable already.").arg(lineOf(taken->name, 64));
    }
    }
    return {};
}

CredentialInfo CredentialForm::info() const {
    const auto texts = [](const QStringList& list) {
        std::vector<std::string> out;
        for (const auto& each : list) {
            out.push_back(each.toStdString());
        }
        return out;
    };
    CredentialInfo out;
    out.name = name.toStdString();
    out.hosts = texts(listOf(hosts.toLower()));
    out.methods = texts(listOf(methods.toUpper()));
    out.paths = texts(listOf(paths));
    out.agents = texts(agents);
    out.header = kind == Kind::ApiKey ? "x-api-key" : kind == Kind::Own ? header.toStdString() : "Authorization";
    out.format = kind == Kind::ApiKey ? "{}" : kind == Kind::Own ? format.toStdString() : "Bearer {}";
    if (kind == Kind::Basic) {
        out.user = user.toStdString();
    }
    out.variable = variable.toStdString();
    return out;
}

json::object CredentialForm::parameters() const {
    const auto of = info();
    json::object out{{"name", of.name}, {"hosts", json::value_from(of.hosts)}, {"header", of.header}};
    if (of.user) {
        out["basic"] = *of.user;
    } else {
        out["format"] = of.format;
    }
    for (const auto& [key, list] : {std::pair{"methods", &of.methods}, {"paths", &of.paths}, {"agents", &of.agents}}) {
        if (!list->empty()) {
            out[key] = json::value_from(*list);
        }
    }
    if (!of.variable.empty()) {
        out["env"] = of.variable;
    }
    return out;
}

} // namespace carrel::ui
