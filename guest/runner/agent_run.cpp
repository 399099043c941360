// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/agent_run.h"

#include "guest/acp/words.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <sys/eventfd.h>

namespace carrel::runner {

namespace json = boost::json;

namespace {

constexpr std::size_t kWorkInTurn = 64; // then others have theirs
constexpr std::size_t kErrorPiece = 16 * 1024;
constexpr std::size_t kErrorPiecesInTurn = 16;
constexpr std::size_t kMostLine = talk::kMaxOutputBytes; // of what was printed

std::string inWords(std::chrono::milliseconds time) {
    using namespace std::chrono;
    return time >= minutes(1) ? std::to_string(duration_cast<minutes>(time).count()) + " minutes"
                              : std::to_string(time.count()) + " ms";
}

} // namespace

AgentRun::AgentRun(talk::Start start, RunSurroundings at, Reaper& reaper)
    : m_start(std::move(start))
    , m_at(std::move(at))
    , m_reaper(reaper)
    , m_book(m_at.bounds.book)
    , m_inbox(std::make_unique<Inbox>(m_at.wake))
    , m_said(talk::kMaxSaidBytes) {}

AgentRun::~AgentRun() {
    closeLine();
}

Status AgentRun::begin(Clock::time_point now) {
    const auto spawner = m_at.spawners();
    if (!spawner) {
        return fail(ErrorCode::Unavailable, "the agent's account is being set up again", "Try again in a moment");
    }
    auto environment = spawner->baseEnvironment();
    std::set<std::string, std::less<>> variables;
    for (const auto& [name, value] : m_start.environment) {
        environment[name] = value;
        variables.insert(name);
    }
    m_now = m_lastSign = now;
    const auto answers = [this](const acp::Id& id, acp::Outcome outcome) { answer(id, std::move(outcome)); };
    m_files = std::make_unique<AgentFiles>(m_at.spawners, m_at.fileProgram, m_reaper, answers);
    m_terminals = std::make_unique<AgentTerminals>(AgentTerminals::Surroundings{m_at.spawners, environment, m_start.cwd}, m_reaper, answers);
    m_client = std::make_unique<AcpClient>(AcpClient::Wanted{m_start.cwd, m_start.load, std::move(variables)}, static_cast<AcpLine&>(*this), static_cast<AcpOwner&>(*this),
                                           [this](std::string_view terminal) -> std::optional<std::string> {
                                               return m_terminals ? m_terminals->textOf(terminal) : std::nullopt;
                                           });
    guestd::SpawnRequest spawn;
    spawn.argv = m_start.argv;
    spawn.environment = std::move(environment);
    spawn.cwd = m_start.cwd;
    auto child = Child::start(*spawner, std::move(spawn), Child::Errors::Apart, m_reaper);
    if (!child) {
        m_how = "The agent program could not be started: " + child.error().text();
        finish();
        return {};
    }
    m_child = std::move(*child);
    m_peer = std::make_unique<acp::Peer>(m_child->takeOutput(), m_child->takeInput(), acp::PeerLimits{.lineBytes = m_at.bounds.lineBytes});
    if (const auto started = m_peer->start(*this); !started) {
        m_how = "The agent program could not be started: " + started.error().text();
        closeLine();
        dropProcesses();
        finish();
        return {};
    }
    m_client->begin();
    return {};
}

AgentRun::State AgentRun::state() const {
    if (m_isOver) {
        return State::Ended;
    }
    if (m_how || m_failed || m_exit || !m_client || m_client->state() == AcpClient::State::Failed) {
        return State::Ending;
    }
    switch (m_client->state()) {
    case AcpClient::State::Ready:
        return State::Ready;
    case AcpClient::State::Prompting:
        return State::Prompting;
    default:
        return State::Starting;
    }
}

Status AgentRun::prompt(const talk::Prompt& prompt) {
    if (prompt.turn == m_lastTurn) {
        return {};
    }
    if (prompt.turn < m_lastTurn) {
        return fail(ErrorCode::Conflict, "that turn is over");
    }
    if (state() == State::Ending || state() == State::Ended) {
        return fail(ErrorCode::Conflict, "the agent program has ended", "Start it again");
    }
    CARREL_TRY(m_client->prompt(prompt));
    m_lastTurn = prompt.turn;
    return {};
}

void AgentRun::cancel() {
    if (state() == State::Prompting) {
        m_client->cancel();
    }
}

Status AgentRun::permit(const talk::Permit& permit) {
    return m_client->permit(permit);
}

Status AgentRun::setMode(const std::string& mode) {
    if (state() == State::Ending || state() == State::Ended) {
        return fail(ErrorCode::Conflict, "the agent program has ended", "Start it again");
    }
    return m_client->setMode(mode);
}

void AgentRun::end(std::string how, Clock::time_point now) {
    if (m_how || m_isOver) {
        return;
    }
    m_how = std::move(how);
    m_client->gone(*m_how);
    closeLine(); // with that, its input ends
    m_force = Force::InputEnded;
    m_forceNext = now + m_at.bounds.toEnd;
}

void AgentRun::accountEnded() {
    if (!m_how && !m_isOver) {
        m_how = "The agent's account was set up again, because its first process ended, and with it all of the agent's programs";
        m_force = Force::InputEnded; // it is gone; that it is is looked at, and seen to
        m_forceNext = m_now;
    }
}

void AgentRun::closeLine() {
    m_inbox->close(); // first: the reading thread may wait there
    m_peer.reset();
}

void AgentRun::dropProcesses() {
    m_files.reset();
    m_terminals.reset();
    m_child.reset();
    m_terminalsChanged = false;
}

void AgentRun::call(std::string_view method, json::object params, Done done) {
    if (!m_peer) {
        return; // the same as below
    }
    const auto called = m_peer->call(method, std::move(params), [this, done](acp::Outcome outcome) {
        if (outcome || !outcome.error().isEnd) {
            m_inbox->add([done, outcome = std::move(outcome)] { done(outcome); });
        }
    });
    // Where it is over there is no answer: that is told by ended(), and why by its process.
    if (!called && called.error().code != ErrorCode::Unavailable) {
        done(tl::unexpected(acp::problemOf(called.error())));
    }
}

void AgentRun::notify(std::string_view method, json::object params) {
    if (m_peer) {
        static_cast<void>(m_peer->notify(method, std::move(params))); // one that does not read can be stopped
    }
}

void AgentRun::answer(const acp::Id& id, acp::Outcome outcome) {
    if (m_peer) {
        m_peer->answer(id, std::move(outcome));
    }
}

bool AgentRun::ability(const acp::Request& request) {
    if (m_files && AgentFiles::isMethod(request.method)) {
        m_files->request(request);
        return true;
    }
    if (m_terminals && AgentTerminals::isMethod(request.method)) {
        if (const auto terminal = textIn(request.params, "terminalId"); terminal && request.method == acp::method::kTerminalRelease) {
            m_client->terminalChanged(*terminal); // its last words stay with what shows it
        }
        m_terminals->request(request);
        return true;
    }
    return false;
}

void AgentRun::cancelAbility(const acp::Id& id) {
    if (m_files && m_terminals) {
        m_files->cancel(id);
        m_terminals->cancel(id);
    }
}

void AgentRun::request(acp::Request request) {
    m_inbox->add([this, request = std::move(request)] { m_client->request(request); });
}

void AgentRun::notification(acp::Notification notification) {
    m_inbox->add([this, notification = std::move(notification)] { m_client->notification(notification); });
}

void AgentRun::unreadable(std::string_view line, const Error& why) {
    m_inbox->add([this, line = std::string(line.substr(0, kMostLine)), why] { m_client->unreadable(line, why); });
}

void AgentRun::ended(const Error& why) {
    m_inbox->add([this, why] { m_lineOver = why; });
}

void AgentRun::collectPoll(std::vector<pollfd>& into) const {
    if (m_child) {
        m_child->collectPoll(into);
    }
    if (m_files) {
        m_files->collectPoll(into);
    }
    if (m_terminals) {
        m_terminals->collectPoll(into);
    }
}

std::optional<AgentRun::Clock::time_point> AgentRun::nextLook() const {
    if (m_isOver) {
        return std::nullopt;
    }
    std::optional<Clock::time_point> next;
    const auto at = [&](Clock::time_point time) { next = next ? std::min(*next, time) : time; };
    if (m_bookFullSince && *m_bookFullSince + m_at.bounds.bookFull > m_now) {
        at(*m_bookFullSince + m_at.bounds.bookFull);
    }
    if (m_exitSince) {
        at(*m_exitSince + m_at.bounds.toFinish);
    } else if (m_lineOverSince && !m_how) {
        at(*m_lineOverSince + m_at.bounds.toFinish);
    }
    if (m_force != Force::None && m_child) {
        at(m_forceNext);
    }
    if (state() == State::Starting) {
        at(m_lastSign + m_at.bounds.toBegin);
    }
    if (m_terminalsChanged) {
        at(*m_terminalsShown + m_at.bounds.terminalPause);
    }
    return next;
}

void AgentRun::advance(Clock::time_point now) {
    m_now = now;
    if (m_isOver) {
        return;
    }
    if (m_child) {
        m_child->advance();
        takeErrors();
    }
    takeWork(now);
    if (m_files && m_terminals) {
        m_files->advance();
        m_terminals->advance();
        showTerminals(now);
    }
    look(now);
}

void AgentRun::takeErrors() {
    auto more = Child::More::Perhaps;
    for (std::size_t i = 0; i < kErrorPiecesInTurn && more == Child::More::Perhaps; ++i) {
        std::string piece;
        more = m_child->readErrors(piece, kErrorPiece);
        m_said.add(piece);
    }
}

void AgentRun::takeWork(Clock::time_point now) {
    for (std::size_t i = 0; i < kWorkInTurn; ++i) {
        if (!m_book.isFull()) {
            m_bookFullSince.reset();
        } else if (!m_bookFullSince) {
            m_bookFullSince = now;
        }
        if (m_bookFullSince && now < *m_bookFullSince + m_at.bounds.bookFull) {
            return; // the host may come; the agent waits at its pipe
        }
        const auto work = m_inbox->take();
        if (!work) {
            return;
        }
        m_lastSign = now;
        work();
    }
    (void)::eventfd_write(m_at.wake, 1); // there may be more
}

void AgentRun::showTerminals(Clock::time_point now) {
    if (m_terminalsShown && now < *m_terminalsShown + m_at.bounds.terminalPause) {
        m_terminalsChanged = m_terminalsChanged || m_terminals->haveChanged();
        return;
    }
    m_terminalsChanged = false;
    for (const auto& terminal : m_terminals->takeChanged()) {
        m_client->terminalChanged(terminal);
        m_terminalsShown = now;
    }
}

void AgentRun::look(Clock::time_point now) {
    if (m_failed) {
        end(*std::exchange(m_failed, std::nullopt), now);
    }
    if (m_child && m_child->began() == Child::Began::No) {
        if (!m_how) {
            const auto& why = m_child->whyNot();
            m_how = "The agent program could not be started: " + why.text();
        }
        closeLine();
        dropProcesses();
        finish();
        return;
    }
    if (state() == State::Starting && now >= m_lastSign + m_at.bounds.toBegin) {
        end("The agent program opened no session and said nothing for " + inWords(m_at.bounds.toBegin) +
                ". Perhaps it waits for somebody at a terminal, or for a host that it cannot reach",
            now);
    }
    lookAtLine(now);
    lookAtProcess(now);
    press(now);
}

void AgentRun::lookAtLine(Clock::time_point now) {
    if (!m_lineOver || m_how || m_exit) {
        return;
    }
    if (m_lineOver->code == ErrorCode::LimitExceeded) {
        end("The agent program said a message of more than " + std::to_string(m_at.bounds.lineBytes) + " bytes, and was ended", now);
        return;
    }
    if (!m_lineOverSince) { // most often its process ends now, too
        m_lineOverSince = now;
    }
    if (now >= *m_lineOverSince + m_at.bounds.toFinish) {
        end("The agent program closed its output, so that it could not be heard any more, and was ended", now);
    }
}

void AgentRun::lookAtProcess(Clock::time_point now) {
    if (m_child && m_child->exit()) {
        takeErrors();
        m_exit = m_child->exit();
        m_exitSince = now;
        dropProcesses(); // at once: a namespace whose first process has ended is not empty before they are gone
    }
    if (!m_exitSince) {
        return;
    }
    const bool isLate = now >= *m_exitSince + m_at.bounds.toFinish;
    if (m_peer && !m_lineOver && !isLate) {
        return; // what it said last may be on its way; what it left behind may hold its pipe
    }
    // Whoever killed it: a word about the account comes only after all of its processes have gone.
    const bool wasKilled = m_exit->signal == static_cast<unsigned>(SIGKILL) && m_force != Force::Killed;
    if (wasKilled && !m_how && !isLate) {
        return;
    }
    finish();
}

void AgentRun::press(Clock::time_point now) {
    if (m_isOver || !m_child || m_force == Force::None || now < m_forceNext) {
        return;
    }
    if (m_force == Force::InputEnded) {
        m_child->signal(SIGTERM);
        m_force = Force::Terminated;
        m_forceNext = now + m_at.bounds.toTerminate;
    } else if (m_force == Force::Terminated) {
        m_child->signal(SIGKILL);
        m_force = Force::Killed;
        m_forceNext = now + m_at.bounds.toGo;
    } else { // it hangs in the kernel; the reaper has it from here on
        dropProcesses();
        finish();
    }
}

std::string AgentRun::howItEnded() const {
    if (m_how) {
        return *m_how;
    }
    if (!m_exit) {
        return "The agent program could not be ended";
    }
    std::string out = "The agent program ";
    if (m_exit->code) {
        out += "ended by itself, with status " + std::to_string(*m_exit->code);
    } else {
        const auto number = static_cast<int>(m_exit->signal.value_or(0));
        const char* name = ::sigabbrev_np(number);
        out += "was ended by signal " + std::to_string(number) + (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
        if (number == SIGKILL) {
            out += ": perhaps the machine's memory was full";
        }
    }
    return m_client->state() == AcpClient::State::Beginning ? out + ", before it had opened a session" : out;
}

void AgentRun::finish() {
    const auto how = howItEnded();
    m_client->gone(how);
    closeLine();
    dropProcesses();
    talk::Ended ended{how, {}, {}, m_said.text()};
    if (m_exit && m_exit->code) {
        ended.code = *m_exit->code;
    } else if (m_exit && m_exit->signal) {
        ended.signal = *m_exit->signal;
    }
    m_book.add(std::move(ended));
    m_isOver = true;
}

} // namespace carrel::runner
