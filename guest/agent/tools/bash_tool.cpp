// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/bash_tool.h"

#include "guest/agent/tools/run_command.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <cstring>

namespace carrel::agent {

namespace {

std::string signalName(int number) {
    const char* name = ::sigdescr_np(number);
    return std::to_string(number) + (name == nullptr ? "" : " (" + std::string(name) + ")");
}

std::string endInWords(const CommandOutcome& outcome, std::chrono::seconds limit) {
    switch (outcome.end) {
    case CommandEnd::Exited:
        return "It ended with status " + std::to_string(outcome.number);
    case CommandEnd::Signal:
        return "It was ended by signal " + signalName(outcome.number);
    case CommandEnd::TimeLimit:
        return "It was ended, with all that it had started, because it ran for " + std::to_string(limit.count()) +
               " seconds, its time limit. A longer one can be given with timeout_seconds, up to " +
               std::to_string(BashTool::kMostLimit.count());
    case CommandEnd::Stopped:
        break;
    }
    return "It was ended, with all that it had started, because the work was stopped";
}

} // namespace

ToolOutcome BashTool::run(const boost::json::object& input, const std::stop_token& stop) {
    JsonFields of(input, "bash");
    Command command;
    command.text = of.string("command", kMostField);
    const auto seconds = of.optionalNumber("timeout_seconds", static_cast<std::uint64_t>(kMostLimit.count()));
    if (seconds == 0) {
        of.problem("timeout_seconds", "is less than 1");
    }
    const auto directory = of.optionalString("directory", kMostPath);
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    auto place = placeOf(directory.value_or(m_folder), m_folder);
    if (!place) {
        return failedOutcome(place.error());
    }
    const auto limit = seconds ? std::chrono::seconds(*seconds) : kUsualLimit;
    command.directory = std::move(*place);
    command.limit = limit;
    command.outputBytes = kMostOutput;
    const auto outcome = runCommand(command, stop);
    if (!outcome) {
        return failedOutcome(outcome.error());
    }
    std::string text = outcome->output;
    text += text.empty() || text.back() == '\n' ? "" : "\n";
    text += "[" + endInWords(*outcome, limit) + (text.empty() ? ", and wrote nothing" : "") + ".";
    if (outcome->others > 0) {
        text += " What it had left running (" + std::to_string(outcome->others) +
                (outcome->others == 1 ? " process" : " processes") + ") was ended with it.";
    }
    text += "]";
    const bool well = outcome->end == CommandEnd::Exited && outcome->number == 0;
    return {std::move(text), well ? ToolEnd::Done : ToolEnd::Failed};
}

} // namespace carrel::agent
