// SPDX-License-Identifier: Apache-2.0
// A request that wants a secret: the engine is asked for a way of its own (secret.open), the secret goes there and is overwritten, and
// the verb names its number. Nothing blocks. Thread: the window's.
#pragma once

#include "app/api/secret_bytes.h"
#include "ui/engine/engine_link.h"

#include <functional>

namespace carrel::ui {

// `then` is not called after `parent` is gone; what was not given yet is overwritten with it.
void askWithSecret(EngineLink& link, const char* verb, boost::json::object params, api::SecretBytes secret, QObject* parent,
                   std::function<void(const Answer&)> then);

} // namespace carrel::ui
