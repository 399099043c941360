// SPDX-License-Identifier: Apache-2.0
#include "guest/ask/ask_run.h"

#include "guest/ask/ask_client.h"
#include "guest/ask/ask_command.h"

#include <algorithm>
#include <array>
#include <ctime>

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

// "connection  2026-11-27 22:40:10  denied  example.org port 443  A rule denies it. (3 times)", in the program's own time zone.
std::string lineOf(const net::Refusal& refusal) {
    const auto at = static_cast<std::time_t>(refusal.at);
    std::tm parts{};
    std::array<char, 32> when{};
    if (::localtime_r(&at, &parts) == nullptr || std::strftime(when.data(), when.size(), "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        when = {"at an unknown time"};
    }
    const auto words = refusal.words.empty() ? std::string(net::reasonOf(refusal.outcome)) : oneLine(refusal.words);
    return "connection  " + std::string(when.data()) + "  " + std::string(net::toString(refusal.outcome)) + "  " +
           net::textOf(refusal.meant.host) + " port " + std::to_string(refusal.meant.port) + "  " + words +
           (refusal.times > 1 ? " (" + std::to_string(refusal.times) + " times)" : "") + "\n";
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
        case Command::Verb::Packages: {
            const auto looked = client->packages(latest);
            return looked ? 0 : complain(looked.error());
        }
        default:
            return command->id ? stands(*command->id, client->ask(Why{command->id}, latest)) : why(*client, command->host, latest);
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

    int stands(std::uint64_t id, const Result<Standings>& answer) {
        if (!answer) {
            return complain(answer.error());
        }
        return answer->size() == 1 ? tell(answer->front())
                                   : complain({ErrorCode::NotFound, "there is no request " + std::to_string(id), {}, 0, nullptr});
    }

    // The machine itself knows what was refused: that is told also where nobody can be asked.
    int why(Client& client, const std::optional<net::Host>& host, Client::Clock::time_point latest) {
        const auto refusals = client.refusals({host}, latest);
        if (!refusals) {
            return complain(refusals.error());
        }
        for (const auto& each : *refusals) {
            m_at.out(lineOf(each));
        }
        Result<Standings> asked = Standings();
        if (!host) {
            asked = client.ask(Why{}, latest);
        }
        for (const auto& standing : asked ? *asked : Standings()) {
            m_at.out(std::to_string(standing.id) + "  " + std::string(toString(standing.state)) + "  " + oneLine(standing.words) + "\n");
        }
        if (!asked) {
            const int status = complain(asked.error());
            return refusals->empty() ? status : 0;
        }
        if (refusals->empty() && asked->empty()) {
            m_at.err(host ? "No connection to " + net::textOf(*host) + " was refused. A refused HTTP request says why in its own answer (403).\n"
                          : "Nothing has been asked, and no connection was refused.\n");
            return kExitNothing;
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
