// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/notice_words.h"

#include "app/api/display_text.h"

#include <glib.h>

#include <memory>

namespace carrel::desktop {
namespace {

constexpr std::size_t kNameColumns = 40;

// The notification's body is markup.
std::string escaped(const std::string& text) {
    const std::unique_ptr<char, decltype(&g_free)> out(g_markup_escape_text(text.data(), static_cast<gssize>(text.size())), g_free);
    return out.get();
}

std::string wish(const Waiting& waiting) {
    const auto count = std::to_string(waiting.items);
    const bool one = waiting.items == 1;
    switch (waiting.action) {
    case policy::Action::Apply:
        return "have " + count + (one ? " change applied" : " changes applied");
    case policy::Action::Folder:
        return one ? "be given a folder" : "be given " + count + " folders";
    case policy::Action::Network:
        return "connect to the network";
    case policy::Action::Credential:
        return "use a credential";
    case policy::Action::Forward:
        return "show you something in your browser";
    case policy::Action::Program:
        return "run a program";
    }
    return "do something";
}

} // namespace

namespace {

NoticeWords wordsForAlarm(const Waiting& waiting) {
    const auto name = escaped(api::DisplayText::line(waiting.agentName, kNameColumns).text());
    const bool stands = waiting.what == Waiting::What::CanaryLeft;
    return {stands ? "High risk: an agent was paused" : "High risk: an agent could not be paused",
            "The agent " + name + " was about to send one of your canaries. " +
                (stands ? "Nobody has got all of it, and the agent stands still.\n" : "The agent may run on: end it with carrel stop.\n") +
                "See where it was to go with: carrel timeline " + name,
            Urgency::Critical};
}

} // namespace

NoticeWords wordsFor(const Waiting& waiting) {
    if (waiting.what != Waiting::What::Request) {
        return wordsForAlarm(waiting);
    }
    const bool high = waiting.risk == policy::Risk::High;
    const auto name = api::DisplayText::line(waiting.agentName, kNameColumns);
    return {high ? "High risk: an agent waits for your answer" : "An agent waits for your answer",
            "The agent " + escaped(name.text()) + " asks to " + wish(waiting) + (high ? ". This is of high risk." : ".") +
                "\nLook at it with: carrel show " + std::to_string(waiting.id),
            high ? Urgency::Critical : Urgency::Normal};
}

NoticeWords wordsForMore(std::size_t count, std::size_t ofHighRisk) {
    const bool one = count == 1;
    return {std::to_string(count) + (one ? " more request waits for your answer" : " more requests wait for your answer"),
            (ofHighRisk == 0 ? std::string() : std::to_string(ofHighRisk) + " of high risk.\n") + "See them with: carrel approvals",
            ofHighRisk == 0 ? Urgency::Normal : Urgency::Critical};
}

} // namespace carrel::desktop
