// SPDX-License-Identifier: Apache-2.0
// What the engine tells of a credential (app/api/schema/common.json, "credential"): everything but its value, which no window ever
// gets. Thread: values, pure functions.
#pragma once

#include <boost/json.hpp>

#include <QString>
#include <QVector>

#include <optional>
#include <string>
#include <vector>

namespace carrel::ui {

struct CredentialInfo {
    std::string name; // raw, as all that follows
    std::vector<std::string> hosts, methods, paths, agents; // the latter three empty: any
    std::string header, format;
    std::optional<std::string> user; // of Basic authentication, instead of a format
    std::string variable;            // empty: none
    bool inKeyring = false;          // else in the sealed file
    std::string created, used;       // the latter empty: never

    bool operator==(const CredentialInfo&) const = default;
    [[nodiscard]] bool reaches(const std::string& agent) const; // by what it says itself; rules decide, too
};

[[nodiscard]] QVector<CredentialInfo> credentialsFrom(const boost::json::array& credentials);

// In the user's language, fit to be shown.
[[nodiscard]] QString hostsText(const CredentialInfo& of);   // "git.example.org, api.example.org"
[[nodiscard]] QString writtenText(const CredentialInfo& of); // "Authorization: Bearer …", "Basic, as the user ada"
[[nodiscard]] QString methodsText(const CredentialInfo& of);
[[nodiscard]] QString pathsText(const CredentialInfo& of);
[[nodiscard]] QString agentsText(const CredentialInfo& of);
[[nodiscard]] QString keptText(const CredentialInfo& of);
[[nodiscard]] QString usedText(const CredentialInfo& of);

} // namespace carrel::ui
