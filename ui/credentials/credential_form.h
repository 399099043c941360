// SPDX-License-Identifier: Apache-2.0
// What is typed of a new credential, but for its value: what is wrong with each field, in plain words, and what the engine is asked.
// The engine judges anew; here it is said beside the field, before a value is typed for nothing. Thread: pure functions.
#pragma once

#include "ui/credentials/credential_info.h"

#include <QStringList>

namespace carrel::ui {

struct CredentialForm {
    enum class Kind { Bearer, ApiKey, Basic, Own };
    enum class Field { Name, Hosts, User, Header, Format, Methods, Paths, Variable };

    QString name;
    QString hosts, methods, paths; // several: with commas or blanks between them
    Kind kind = Kind::Bearer;
    QString user;           // of Basic
    QString header, format; // of Own
    QStringList agents;     // their names; none: any
    QString variable;

    // Empty: nothing is wrong with it. `there`: no two have one name, nor an agent one variable twice.
    [[nodiscard]] QString problem(Field field, const QVector<CredentialInfo>& there) const;
    [[nodiscard]] boost::json::object parameters() const; // of credential.add, but for the secret
    [[nodiscard]] CredentialInfo info() const;            // as it would be
};

} // namespace carrel::ui
