// SPDX-License-Identifier: Apache-2.0
// What a notification says (Desktop Notifications Specification 1.2). The only foreign text in it is an agent's name: it goes
// through DisplayText, and is escaped as markup, as the body may be read as such; a server that knows no markup then shows
// "&amp;" for an "&", which is ugly and harmless. It stands in the body only: what a server makes of a summary is not defined.
// Thread: pure functions.
#pragma once

#include "app/desktop/notifier.h"

namespace carrel::desktop {

enum class Urgency : unsigned char { Normal = 1, Critical = 2 }; // the bytes of the specification

struct NoticeWords {
    std::string summary; // plain
    std::string body;    // markup; UTF-8
    Urgency urgency = Urgency::Normal;
    friend bool operator==(const NoticeWords&, const NoticeWords&) = default;
};

[[nodiscard]] NoticeWords wordsFor(const Waiting& waiting);
// For those that have no notification of their own.
[[nodiscard]] NoticeWords wordsForMore(std::size_t count, std::size_t ofHighRisk);

} // namespace carrel::desktop
