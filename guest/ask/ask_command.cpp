// SPDX-License-Identifier: Apache-2.0
#include "guest/ask/ask_command.h"

#include "guest/protocol/ask.h"
#include "guest/protocol/plain_text.h"

#include <algorithm>
#include <charconv>

namespace carrel::ask {

namespace {

constexpr std::size_t kMaxReasonCharacters = 280;
constexpr std::int64_t kMaxDuration = 30LL * 24 * 60 * 60;

tl::unexpected<Error> wrong(std::string what) {
    return fail(ErrorCode::InvalidArgument, std::move(what));
}

template <class Number> std::optional<Number> numberFrom(std::string_view text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// In characters, as a person counts; of bytes that are no UTF-8, each is one.
std::size_t charactersOf(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::optional<Command::Verb> verbFrom(std::string_view word) {
    constexpr std::pair<std::string_view, Command::Verb> kVerbs[] = {{"apply", Command::Verb::Apply},
                                                                     {"folder", Command::Verb::Folder},
                                                                     {"forward", Command::Verb::Forward},
                                                                     {"wait", Command::Verb::Wait},
                                                                     {"withdraw", Command::Verb::Withdraw},
                                                                     {"why", Command::Verb::Why},
                                                                     {"packages", Command::Verb::Packages}};
    for (const auto& [name, verb] : kVerbs) {
        if (name == word) {
            return verb;
        }
    }
    return std::nullopt;
}

bool opensRequest(Command::Verb verb) {
    return verb == Command::Verb::Apply || verb == Command::Verb::Folder || verb == Command::Verb::Forward;
}

class Reader {
public:
    explicit Reader(const std::vector<std::string>& words)
        : m_words(words) {}

    Result<Command> read() {
        const auto verb = verbFrom(m_words.front());
        if (!verb) {
            return wrong("there is no \"" + m_words.front() + "\"");
        }
        m_command.verb = *verb;
        for (m_at = 1; m_at < m_words.size(); ++m_at) {
            CARREL_TRY(word(m_words[m_at]));
        }
        CARREL_TRY(judge());
        return std::move(m_command);
    }

private:
    Status word(const std::string& text) {
        if (m_optionsOver || text.size() < 2 || text.front() != '-') {
            m_plain.push_back(text);
            return {};
        }
        if (text == "--") {
            m_optionsOver = true;
            return {};
        }
        if (text == "--help" || text == "-h") {
            m_isHelp = true;
            return {};
        }
        if (text == "--no-wait") {
            m_command.then = Command::Then::ComeBack;
            return {};
        }
        return optionWithValue(text);
    }

    Status optionWithValue(const std::string& text) {
        const auto equals = text.find('=');
        const auto name = text.substr(0, equals);
        if (name != "--reason" && name != "--for") {
            return wrong("there is no option " + name);
        }
        if (equals == std::string::npos && m_at + 1 >= m_words.size()) {
            return wrong(name + " needs a word after it");
        }
        const std::string value = equals == std::string::npos ? m_words[++m_at] : text.substr(equals + 1);
        if (name == "--reason") {
            m_reason = value;
            return {};
        }
        m_command.waits = durationFrom(value);
        return m_command.waits ? Status() : wrong("--for " + value + " is no time: 90s, 5m, 2h");
    }

    Status judge() {
        if (m_isHelp) {
            m_command.verb = Command::Verb::Help;
            return {};
        }
        const auto verb = m_command.verb;
        const bool waits = opensRequest(verb) || verb == Command::Verb::Wait;
        if (m_command.waits && !waits) {
            return wrong("--for belongs to what waits");
        }
        if (m_command.then == Command::Then::ComeBack && (!opensRequest(verb) || m_command.waits)) {
            return wrong("--no-wait belongs to apply, folder and forward, and not beside --for");
        }
        if (m_reason && !opensRequest(verb)) {
            return wrong("--reason belongs to apply, folder and forward");
        }
        if (verb == Command::Verb::Packages) {
            return m_plain.empty() ? Status() : wrong("packages takes no words");
        }
        return opensRequest(verb) ? judgeOpening() : judgeId();
    }

    Status judgeOpening() {
        if (!m_reason || m_reason->empty()) {
            return wrong("say why, for the person who is asked: --reason TEXT");
        }
        if (charactersOf(*m_reason) > kMaxReasonCharacters || m_reason->size() > kMaxReasonBytes) {
            return wrong("the reason is too long: " + std::to_string(kMaxReasonCharacters) + " characters at most");
        }
        m_command.reason = plainText(*m_reason, kMaxReasonBytes);
        if (m_command.verb == Command::Verb::Folder && !m_plain.empty()) {
            return wrong("folder takes no path: the person chooses it; say in the reason which one is needed");
        }
        if (m_command.verb == Command::Verb::Forward) {
            return judgePort();
        }
        if (m_plain.size() > kMaxPaths) {
            return wrong("more than " + std::to_string(kMaxPaths) + " paths: name folders instead");
        }
        m_command.paths = std::move(m_plain);
        return {};
    }

    Status judgePort() {
        const auto port = m_plain.size() == 1 ? numberFrom<std::uint16_t>(m_plain.front()) : std::nullopt;
        if (!port || *port == 0) {
            return wrong("name one port that the server listens at: 1 to 65535");
        }
        m_command.port = *port;
        return {};
    }

    Status judgeId() {
        const bool isWhy = m_command.verb == Command::Verb::Why;
        if (m_plain.empty() && isWhy) {
            return {};
        }
        if (m_plain.size() != 1) {
            return wrong("name one request by its number");
        }
        if (isWhy && (m_command.host = net::hostFrom(m_plain.front()))) {
            return {};
        }
        m_command.id = numberFrom<std::uint64_t>(m_plain.front());
        if (!m_command.id || *m_command.id == 0 || *m_command.id > kMaxId) {
            return wrong("\"" + m_plain.front() + "\" is not the number of a request" + (isWhy ? ", and no host's name or address" : ""));
        }
        return {};
    }

    const std::vector<std::string>& m_words;
    std::size_t m_at = 0;
    Command m_command;
    std::vector<std::string> m_plain;
    std::optional<std::string> m_reason;
    bool m_optionsOver = false;
    bool m_isHelp = false;
};

} // namespace

std::optional<std::chrono::seconds> durationFrom(std::string_view text) {
    std::int64_t unit = 1;
    if (!text.empty()) {
        constexpr std::string_view kUnits = "smhd";
        constexpr std::int64_t kSeconds[] = {1, 60, 60 * 60, 24 * 60 * 60};
        if (const auto at = kUnits.find(text.back()); at != std::string_view::npos) {
            unit = kSeconds[at];
            text.remove_suffix(1);
        }
    }
    const auto number = numberFrom<std::int64_t>(text);
    if (!number || *number < 0 || *number > kMaxDuration / unit) {
        return std::nullopt;
    }
    return std::chrono::seconds(*number * unit);
}

std::string_view helpText() {
    return "carrel-ask: ask the person whose computer this is.\n"
           "\n"
           "  carrel-ask apply [PATH...] --reason TEXT   have what you changed put into the shared folders:\n"
           "                                             these files or folders, or everything\n"
           "  carrel-ask folder --reason TEXT            be given another folder\n"
           "  carrel-ask forward PORT --reason TEXT      have the web server at that port of this machine shown in the\n"
           "                                             person's browser\n"
           "  carrel-ask wait ID                         wait for the answer to a request\n"
           "  carrel-ask withdraw ID                     take a request back\n"
           "  carrel-ask why [ID | HOST]                 how a request stands; why connections to a host were refused;\n"
           "                                             or the last of both\n"
           "  carrel-ask packages                        have what apt has fetched looked at, before it is installed: what\n"
           "                                             Debian has signed may then run. apt does that by itself\n"
           "\n"
           "apply, folder and forward wait until there is an answer.\n"
           "  --no-wait       print the request's number instead, and come back with wait\n"
           "  --for TIME      wait so long at most: 90s, 5m, 2h (also of wait)\n"
           "  --reason TEXT   one line, 280 characters at most; it is shown as what you say\n"
           "\n"
           "Exit status: 0 allowed, 1 denied, 2 nobody answered in time, 3 cancelled, 64 wrong words, 69 nobody can be\n"
           "asked now, 75 not answered yet. withdraw: 0 taken back, 1 it was answered before. why without a number: 0 there\n"
           "is something, 4 there is nothing.\n"
           "\n"
           "A connection that is refused is reset, and listed by why. A request that is refused on one that is open says why in its\n"
           "own answer (403), and is not listed.\n";
}

Result<Command> commandFrom(const std::vector<std::string>& words) {
    if (words.empty()) {
        return wrong("say what to ask");
    }
    if (words.front() == "--help" || words.front() == "-h" || words.front() == "help") {
        return Command{};
    }
    return Reader(words).read();
}

} // namespace carrel::ask
