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

NoticeWords wordsForTask(const Waiting& waiting) {
    const auto name = escaped(api::DisplayText::line(waiting.agentName, kNameColumns).text());
    const auto look = "\nLook at it with: carrel task show " + name + " " + std::to_string(waiting.task);
    switch (waiting.what) {
    case Waiting::What::TaskAsks:
        return {"An agent waits for your answer", "The agent " + name + " asks what you want, or leave for something inside its own machine." + look, Urgency::Normal};
    case Waiting::What::TaskBudget:
        return {"An agent has used up a budget", "The agent " + name + " stands still until you let it go on, or cancel its task." + look, Urgency::Normal};
    case Waiting::What::TaskMachine:
        return {"An agent waits for its machine", "The machine of the agent " + name + " does not run, so its task does not go on." + look, Urgency::Normal};
    case Waiting::What::TaskModel:
        return {"An agent waits for a model", "The agent " + name + " has no model to work with." + look, Urgency::Normal};
    case Waiting::What::TaskReview:
        return {"An agent is done", "The changes of the agent " + name + " wait for your review.\nSee them with: carrel changes " + name, Urgency::Normal};
    case Waiting::What::TaskFailed:
        return {"An agent could not finish", "The agent " + name + " has stopped before its task was done." + look, Urgency::Normal};
    default:
        return {"An agent is done", "The agent " + name + " has finished a task." + look, Urgency::Normal};
    }
}

} // namespace

NoticeWords wordsFor(const Waiting& waiting) {
    if (waiting.isAlarm()) {
        return wordsForAlarm(waiting);
    }
    if (waiting.isTask()) {
        return wordsForTask(waiting);
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
