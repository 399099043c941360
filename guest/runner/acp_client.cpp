// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/acp_client.h"

#include "guest/acp/words.h"
#include "guest/protocol/json_pick.h"
#include "guest/runner/login_choice.h"

#include <algorithm>

namespace carrel::runner {

namespace json = boost::json;
namespace method = acp::method;

namespace {

constexpr std::size_t kMostPrinted = 100; // lines that are told; the agent goes on with more
constexpr std::size_t kMostPrintedBytes = talk::kMaxOutputBytes;

bool is(const acp::Problem& problem, acp::Code code) {
    return problem.code == static_cast<std::int64_t>(code);
}

// Its words, and what it says of them: many agents put the cause there.
std::string wordsOf(const acp::Problem& problem) {
    std::string out = problem.message;
    if (const auto* data = problem.data.if_object()) {
        for (const auto* key : {"details", "message"}) {
            if (const auto more = textIn(*data, key); more && out.find(*more) == std::string::npos) {
                out += ": " + std::string(more->substr(0, talk::kMaxMessageBytes));
            }
        }
    } else if (const auto* text = problem.data.if_string()) {
        out += ": " + std::string(text->subview(0, talk::kMaxMessageBytes));
    }
    return out.empty() ? "it does not say why (error " + std::to_string(problem.code) + ")" : out;
}

// RFC 8089.
std::string fileUri(std::string_view path) {
    constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string out = "file://";
    for (const char each : path) {
        if (kPlain.find(each) != std::string_view::npos) {
            out += each;
        } else {
            const auto byte = static_cast<unsigned char>(each);
            out += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return out;
}

} // namespace

AcpClient::AcpClient(Wanted wanted, AcpLine& line, AcpOwner& owner, ToolStates::TerminalText terminalText)
    : m_wanted(std::move(wanted))
    , m_line(line)
    , m_owner(owner)
    , m_teller([this](talk::What what) { m_owner.tell(std::move(what)); }, std::move(terminalText)) {}

void AcpClient::fail(std::string how) {
    m_state = State::Failed;
    m_owner.failed(std::move(how));
}

void AcpClient::begin() {
    acp::InitializeParams params;
    params.readTextFile = params.writeTextFile = params.terminal = true;
    params.client = {"carrel", "Carrel", CARREL_VERSION};
    m_line.call(method::kInitialize, toJson(params), [this](const acp::Outcome& outcome) { initialized(outcome); });
}

void AcpClient::initialized(const acp::Outcome& outcome) {
    if (m_state != State::Beginning) {
        return;
    }
    if (!outcome) {
        fail("The agent program could not begin: " + wordsOf(outcome.error()));
        return;
    }
    auto agent = acp::initializeResultFrom(*outcome);
    if (!agent) {
        fail("The agent program began with something that is not of the Agent Client Protocol: " + agent.error().text() +
             ". Perhaps it needs an argument that makes it speak that protocol");
        return;
    }
    if (agent->version != acp::kVersion) {
        fail("The agent program speaks version " + std::to_string(agent->version) + " of the Agent Client Protocol, and Carrel version " +
             std::to_string(acp::kVersion) + ". Take a release of it that speaks that one");
        return;
    }
    m_agent = std::move(*agent);
    openSession();
}

void AcpClient::openSession() {
    const bool loads = m_wanted.load && m_agent.loadSession;
    m_loading = loads;
    m_line.call(loads ? method::kLoad : method::kNew, acp::toJson(acp::SessionPlace{loads ? *m_wanted.load : std::string(), m_wanted.cwd}),
                [this, loads](const acp::Outcome& outcome) { sessionOpened(outcome, loads); });
}

void AcpClient::sessionOpened(const acp::Outcome& outcome, bool wasLoad) {
    if (m_state != State::Beginning) {
        return;
    }
    m_loading = false;
    if (!outcome && is(outcome.error(), acp::Code::AuthenticationRequired)) {
        logIn(outcome.error());
        return;
    }
    if (!outcome && wasLoad) {
        m_teller.other(method::kLoad, wordsOf(outcome.error()));
        m_wanted.load.reset();
        openSession();
        return;
    }
    if (!outcome) {
        fail("The agent program could not open a session: " + wordsOf(outcome.error()));
        return;
    }
    auto state = acp::sessionStateFrom(*outcome);
    if (!state) {
        // Modes that cannot be read are no reason not to work with it.
        const json::object none;
        JsonPick fields(outcome->is_object() ? outcome->get_object() : none, "a session");
        acp::SessionState bare;
        bare.sessionId = fields.text("sessionId").value_or("").substr(0, acp::kMostSessionId);
        state = std::move(bare);
    }
    m_session = wasLoad ? *m_wanted.load : state->sessionId;
    if (m_session.empty()) {
        fail("The agent program opened a session and did not say which");
        return;
    }
    talk::Started started;
    started.agent = m_agent.agent.title.empty() ? m_agent.agent.name : m_agent.agent.title;
    started.version = m_agent.agent.version;
    started.session = m_session;
    started.loads = m_agent.loadSession && m_session.size() <= talk::kMaxIdBytes;
    started.loaded = wasLoad;
    for (const auto& mode : state->modes) {
        if (mode.id.size() <= talk::kMaxIdBytes && started.modes.size() < talk::kMaxModes && m_modes.insert(mode.id).second) {
            started.modes.push_back({mode.id, mode.name.empty() ? mode.id : mode.name});
        }
    }
    started.mode = m_modes.contains(state->mode) ? state->mode : std::string();
    m_teller.knownMode(started.mode);
    m_state = State::Ready;
    m_owner.tell(std::move(started));
}

void AcpClient::logIn(const acp::Problem& why) {
    const auto* chosen = m_wasLoggedIn ? nullptr : loginWithoutPerson(m_agent.authMethods, m_wanted.variables);
    if (chosen == nullptr) {
        std::string ways;
        for (const auto& each : m_agent.authMethods) {
            ways += (ways.empty() ? "" : ", ") + (each.name.empty() ? each.id : each.name);
        }
        fail("The agent program wants to be logged in: " + wordsOf(why) + (ways.empty() ? "" : ". Its ways: " + ways) +
             ". Give it a key by a variable of its environment (a provider's credential), or log in once by a terminal in its machine");
        return;
    }
    m_wasLoggedIn = true;
    m_line.call(method::kAuthenticate, {{"methodId", chosen->id}},
                [this, name = chosen->name.empty() ? chosen->id : chosen->name](const acp::Outcome& outcome) { loggedIn(outcome, name); });
}

void AcpClient::loggedIn(const acp::Outcome& outcome, const std::string& method) {
    if (m_state != State::Beginning) {
        return;
    }
    if (!outcome) {
        fail("The agent program could not be logged in by \"" + method + "\": " + wordsOf(outcome.error()));
        return;
    }
    openSession();
}

Status AcpClient::prompt(const talk::Prompt& prompt) {
    if (m_state != State::Ready) {
        return carrel::fail(ErrorCode::Conflict, m_state == State::Prompting ? "a turn goes on still" : "the agent program has not begun yet",
                            m_state == State::Prompting ? "Wait for its end, or cancel it" : "Wait until it says that it has started");
    }
    m_isCancelled = false;
    m_state = State::Prompting;
    m_teller.beginTurn(prompt.turn);
    acp::Prompt out{m_session, {acp::TextBlock{prompt.text}}};
    for (const auto& file : prompt.files) {
        const auto end = std::find_if(file.rbegin(), file.rend(), [](char each) { return each != '/'; }).base();
        const std::string path(file.begin(), end);
        const auto name = path.substr(path.rfind('/') + 1);
        out.blocks.emplace_back(acp::LinkBlock{fileUri(file), name.empty() ? "/" : name, {}, std::nullopt});
    }
    m_line.call(method::kPrompt, acp::toJson(out), [this](const acp::Outcome& outcome) { turnEnded(outcome); });
    return {};
}

void AcpClient::turnEnded(const acp::Outcome& outcome) {
    if (m_state != State::Prompting) {
        return;
    }
    m_state = State::Ready;
    closeQuestions();
    talk::TurnEnded ended{turn(), talk::TurnStop::EndTurn, {}, {}};
    if (!outcome && (m_isCancelled || is(outcome.error(), acp::Code::Cancelled))) {
        ended.stop = talk::TurnStop::Cancelled; // some say so by an error
    } else if (!outcome) {
        ended.stop = talk::TurnStop::Failed;
        ended.message = wordsOf(outcome.error());
        ended.hint = acp::errorOf(outcome.error()).hint;
    } else if (const auto reason = acp::stopReasonFrom(*outcome)) {
        ended.stop = talk::turnStopFrom(acp::toString(*reason)).value_or(talk::TurnStop::EndTurn);
    } else {
        m_teller.other(method::kPrompt, *outcome); // it has ended all the same
    }
    m_owner.tell(std::move(ended));
}

void AcpClient::cancel() {
    if (m_state != State::Prompting) {
        return;
    }
    m_isCancelled = true;
    m_line.notify(method::kCancel, acp::cancelParams(m_session));
    closeQuestions();
}

void AcpClient::request(const acp::Request& request) {
    if (request.method == method::kPermission) {
        ask(request);
    } else if (!m_owner.ability(request)) {
        m_teller.other(request.method, request.params);
        m_line.answer(request.id, tl::unexpected<acp::Problem>({static_cast<std::int64_t>(acp::Code::NoSuchMethod),
                                                                "there is no such method here", nullptr}));
    }
}

void AcpClient::ask(const acp::Request& request) {
    const auto asked = acp::permissionFrom(request.params);
    if (!asked) {
        m_teller.other(request.method, request.params);
        m_line.answer(request.id, tl::unexpected(acp::problemOf(asked.error(), acp::Code::InvalidParams)));
        return;
    }
    if (m_state == State::Prompting && m_isCancelled) {
        m_line.answer(request.id, acp::permissionResult(std::nullopt));
        return;
    }
    if (m_questions.size() >= kMostQuestions) {
        m_line.answer(request.id, tl::unexpected<acp::Problem>({static_cast<std::int64_t>(acp::Code::Internal),
                                                                "too many questions are open", nullptr}));
        return;
    }
    auto about = m_teller.aboutTool(asked->toolCall);
    talk::Permission told{turn(), m_nextQuestion, std::move(about.title), std::move(about.id), {}};
    const auto* question = acp::metaOf(asked->toolCall, acp::kMetaQuestion);
    told.question = question != nullptr && question->is_bool() && question->get_bool();
    Question open{request.id, {}};
    for (const auto& option : asked->options) {
        // One whose meaning is not known cannot be chosen for somebody; one that was cut would not be recognized.
        if (option.kind && option.id.size() <= talk::kMaxIdBytes && told.options.size() < talk::kMaxOptions && open.options.insert(option.id).second) {
            told.options.push_back({option.id, option.name.empty() ? option.id : option.name,
                                    talk::optionKindFrom(acp::toString(*option.kind)).value_or(talk::OptionKind::RejectOnce)});
        }
    }
    m_questions.emplace(m_nextQuestion++, std::move(open));
    m_owner.tell(std::move(told));
}

Status AcpClient::permit(const talk::Permit& permit) {
    const auto at = m_questions.find(permit.request);
    if (at == m_questions.end()) {
        return {};
    }
    if (permit.option && !at->second.options.contains(*permit.option)) {
        return carrel::fail(ErrorCode::InvalidArgument, "the question has no option " + *permit.option);
    }
    closeQuestion(at, permit.option);
    return {};
}

void AcpClient::closeQuestion(std::map<std::uint64_t, Question>::iterator at, const std::optional<std::string>& option) {
    m_line.answer(at->second.id, acp::permissionResult(option));
    m_owner.tell(talk::PermissionOver{at->first});
    m_questions.erase(at);
}

void AcpClient::closeQuestions() {
    while (!m_questions.empty()) {
        closeQuestion(m_questions.begin(), std::nullopt);
    }
}

Status AcpClient::setMode(const std::string& mode) {
    if (m_state != State::Ready && m_state != State::Prompting) {
        return carrel::fail(ErrorCode::Conflict, "the agent program has not begun yet", "Wait until it says that it has started");
    }
    if (!m_modes.contains(mode)) {
        return carrel::fail(ErrorCode::InvalidArgument, "the agent has no mode " + mode);
    }
    m_line.call(method::kSetMode, acp::modeParams(m_session, mode), [this, mode](const acp::Outcome& outcome) {
        if (outcome) {
            m_teller.modeIs(mode);
        } else {
            m_teller.other(method::kSetMode, wordsOf(outcome.error()));
        }
    });
    return {};
}

void AcpClient::notification(const acp::Notification& notification) {
    if (notification.method == method::kCancelRequest) {
        const auto* id = notification.params.if_contains("requestId");
        std::optional<acp::Id> asked;
        if (id != nullptr && id->is_int64()) {
            asked = id->get_int64();
        } else if (id != nullptr && id->is_string()) {
            asked = std::string(id->get_string());
        }
        if (!asked) {
            return;
        }
        const auto question =
            std::find_if(m_questions.begin(), m_questions.end(), [&](const auto& each) { return each.second.id == *asked; });
        if (question != m_questions.end()) {
            closeQuestion(question, std::nullopt);
        } else {
            m_owner.cancelAbility(*asked);
        }
        return;
    }
    if (notification.method != method::kUpdate) {
        m_teller.other(notification.method, notification.params);
        return;
    }
    const auto update = acp::updateFrom(notification.params);
    if (!update || (!m_session.empty() && update->sessionId != m_session)) {
        m_teller.other(notification.method, notification.params);
    } else if (!m_loading) {
        m_teller.update(*update);
    }
}

void AcpClient::unreadable(std::string_view line, const Error& why) {
    if (m_printed++ < kMostPrinted) {
        m_teller.other("stdout", line.empty() ? why.text() : std::string(line.substr(0, kMostPrintedBytes)));
    }
}

void AcpClient::gone(std::string_view how) {
    const bool wasPrompting = m_state == State::Prompting;
    m_state = State::Failed;
    closeQuestions();
    if (wasPrompting) {
        const auto stop = m_isCancelled ? talk::TurnStop::Cancelled : talk::TurnStop::Failed;
        m_owner.tell(talk::TurnEnded{turn(), stop, m_isCancelled ? std::string() : std::string(how),
                                     m_isCancelled ? std::string() : "What was done is kept. Start the agent program again to go on"});
    }
}

} // namespace carrel::runner
