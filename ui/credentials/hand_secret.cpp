// SPDX-License-Identifier: Apache-2.0
#include "ui/credentials/hand_secret.h"

#include "app/api/answers.h"

#include <QCoreApplication>

#include <memory>

namespace carrel::ui {

void askWithSecret(EngineLink& link, const char* verb, boost::json::object params, api::SecretBytes secret, QObject* parent,
                   std::function<void(const Answer&)> then) {
    const auto kept = std::make_shared<api::SecretBytes>(std::move(secret)); // a function that is copied holds none
    auto* const opened = link.ask("secret.open", {}, parent);
    QObject::connect(opened, &Request::finished, parent,
                     [&link, verb, params = std::move(params), kept, opened, parent, then = std::move(then)](const Answer& answer) mutable {
                         if (!answer) {
                             kept->wipe();
                             then(answer);
                             return;
                         }
                         const auto socket = opened->takeDescriptor();
                         const auto given = socket ? api::writeSecret(socket, *kept)
                                                   : Status(fail(ErrorCode::Malformed, QCoreApplication::translate("carrel::ui::HandSecret", "the engine's answer came without a way for a secret").toStdString()));
                         kept->wipe();
                         if (!given) {
                             then(Answer(fail(given.error())));
                             return;
                         }
                         params["secret"] = api::numberAt(*answer, "secret");
                         link.ask(verb, std::move(params), parent, std::move(then));
                     });
}

} // namespace carrel::ui
