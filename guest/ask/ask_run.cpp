// SPDX-License-Identifier: Apache-2.0
#include "guest/ask/ask_run.h"

#include "guest/ask/ask_client.h"
#include "guest/ask/ask_command.h"

#include <algorithm>

namespace carrel::ask {

namespace {

// Guestd itself gives up sooner, and says more about it.
constexpr std::chrono::minutes kMostPatience{30};
constexpr std::chrono::minutes kBeyondWait{5};
constexpr std::chrono::seconds kPause{1}; // where a wait ends early, and nothing is known yet

std::string oneLine(std::string text) {
    std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return text;
}

int exitOf(State state) {
    switch (state) {
    case State::Open:
        return kExitOpen;
    case State::Allowed:
        return kExitAllowed;
    case State::Denied:
        return kExitDenied;
    case State::Expired:
        return kExitExpired;
    case State::Cancelled:
        return kExitCancelled;
    }
    return kExitUnavailable;
}

int exitOf(const Error& error) {
    switch (error.code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotFound:
    case ErrorCode::Malformed:
        return kExitUsage;
    case ErrorCode::Refused:
        return kExitDenied;
    default:
        return kExitUnavailable;
    }
}

class Run {
public:
    explicit Run(const Surroundings& at)
        : m_at(at) {}

    int operator()(const std::vector<std::string>& words) {
        auto command = commandFrom(words);
        if (!command) {
            complain(command.error());
            m_at.err("carrel-ask --help tells more\n");
            return kExitUsage;
        }
        if (command->verb == Command::Verb::Help) {
            m_at.out(helpText());
            return 0;
        }
        auto places = placesOf(command->paths, m_at.workingFolder, m_at.workspace);
        if (!places) {
            return complain(places.error());
        }
        auto client = Client::connect(m_at.socket);
        if (!client) {
            return complain(client.error());
        }
        const auto latest = Client::Clock::now() + kMostPatience;
        switch (command->verb) {
        case Command::Verb::Apply:
            return opened(*client, *command, client->askApply(Apply{{}, command->reason}, *places, latest));
        case Command::Verb::Folder:
            return opened(*client, *command, client->ask(Folder{command->reason}, latest));
        case Command::Verb::Forward:
            return opened(*client, *command, client->ask(Forward{command->port, command->reason}, latest));
        case Command::Verb::Wait:
            return wait(*client, *command->id, command->waits);
        case Command::Verb::Withdraw:
            return withdrawn(client->ask(Withdraw{*command->id}, latest));
        default:
            return listed(*command, client->ask(Why{command->id}, latest));
        }
    }

private:
    int complain(const Error& error) {
        m_at.err("carrel-ask: " + oneLine(error.text() + (error.hint.empty() ? "" : ". " + error.hint)) + "\n");
        return exitOf(error);
    }

    int tell(const Standing& standing) {
        m_at.out(oneLine(standing.words.empty() ? std::string(toString(standing.state)) : standing.words) + "\n");
        return exitOf(standing.state);
    }

    int opened(Client& client, const Command& command, const Result<Standings>& answer) {
        if (!answer) {
            return complain(answer.error());
        }
        const auto& standing = answer->front();
        if (standing.state != State::Open) {
            return tell(standing);
        }
        const auto number = std::to_string(standing.id);
        if (command.then == Command::Then::ComeBack) {
            m_at.out(number + "\n");
            return kExitOpen;
        }
        m_at.err("Request " + number + " waits for an answer.\n");
        return wait(client, standing.id, command.waits);
    }

    int wait(Client& client, std::uint64_t id, std::optional<std::chrono::seconds> most) {
        using Clock = Client::Clock;
        const auto until = most ? Clock::now() + *most : Clock::time_point::max();
        for (;;) {
            const auto began = Clock::now();
            const auto once =
                std::clamp(std::chrono::ceil<std::chrono::seconds>(until - began), std::chrono::seconds(0), kMaxWait);
            const auto answer = client.ask(Wait{id, once}, began + once + kBeyondWait);
            if (!answer) {
                const int status = complain(answer.error());
                if (status == kExitUnavailable) {
                    comeBack(id);
                }
                return status;
            }
            if (answer->front().state != State::Open) {
                return tell(answer->front());
            }
            if (Clock::now() >= until) {
                m_at.err("Request " + std::to_string(id) + " is not answered yet.\n");
                comeBack(id);
                return kExitOpen;
            }
            if (Clock::now() < began + kPause) {
                client.pause(began + kPause);
            }
        }
    }

    void comeBack(std::uint64_t id) { m_at.err("Come back with: carrel-ask wait " + std::to_string(id) + "\n"); }

    int withdrawn(const Result<Standings>& answer) {
        if (!answer) {
            return complain(answer.error());
        }
        (void)tell(answer->front());
        return answer->front().state == State::Cancelled ? 0 : 1;
    }

    int listed(const Command& command, const Result<Standings>& answer) {
        if (!answer) {
            return complain(answer.error());
        }
        if (command.id && answer->size() == 1) {
            return tell(answer->front());
        }
        if (command.id) {
            return complain({ErrorCode::NotFound, "there is no request " + std::to_string(*command.id), {}, 0, nullptr});
        }
        if (answer->empty()) {
            m_at.out("Nothing has been asked.\n");
        }
        for (const auto& standing : *answer) {
            m_at.out(std::to_string(standing.id) + "  " + std::string(toString(standing.state)) + "  " + oneLine(standing.words) +
                     "\n");
        }
        return 0;
    }

    const Surroundings& m_at;
};

} // namespace

int run(const std::vector<std::string>& words, const Surroundings& at) {
    return Run(at)(words);
}

} // namespace carrel::ask
