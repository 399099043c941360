// SPDX-License-Identifier: Apache-2.0
#include "app/agents/door.h"

#include "app/clerk/clerk_word.h"
#include "guest/protocol/control.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/socket.h>

namespace carrel::agents {

namespace json = boost::json;
using hypervisor::ChannelId;

namespace {

constexpr std::chrono::seconds kHelloPatience{120};
constexpr std::chrono::seconds kHandOverPatience{20}; // a clerk that keeps a channel longer is ended
constexpr std::chrono::seconds kClockPatience{2};     // it only has to put it on its way

const std::vector<ChannelId> kOfTheFolders{ChannelId::Control, ChannelId::Files, ChannelId::Console};
const std::vector<ChannelId> kOfNoFolder{ChannelId::Terminals, ChannelId::Network};

json::array namesOf(const std::vector<ChannelId>& channels) {
    json::array names;
    for (const auto channel : channels) {
        names.emplace_back(hypervisor::toString(channel));
    }
    return names;
}

} // namespace

Error pausedError(ErrorCode code, const std::string& agent) {
    return Error{code, "the agent " + agent + " is paused", "Resume it with: carrel resume " + agent, 0, nullptr};
}

Door::Door(hypervisor::Machine& machine, Setup setup, Events events)
    : m_machine(machine)
    , m_setup(std::move(setup))
    , m_events(std::move(events)) {}

Door::~Door() {
    close();
}

void Door::close() {
    std::shared_ptr<Post> post;
    std::shared_ptr<Post> terminals;
    {
        const std::lock_guard lock(m_mutex);
        m_closed = true;
        post = std::move(m_post);
        terminals = std::move(m_terminals);
    }
    for (const auto& each : {post, terminals}) {
        if (each) {
            each->process->end();
            each->leaveNetwork();
        }
    }
}

Result<std::shared_ptr<Door::Post>> Door::hire(const std::vector<ServedShare>& shares, const Authority& authority, Jail& jail) {
    auto post = std::make_shared<Post>();
    // Not owned by the calls: a post ends with its clerk's reader (~Post), so it outlives every one of them.
    Post* const it = post.get();
    auto process = ClerkProcess::start(
        m_setup.clerkProgram,
        {[this, it](const std::string& method, const json::object& params) { told(*it, method, params); },
         [this, it](const std::string& how) { gone(*it, how); }});
    if (!process) {
        return fail(std::move(process).error());
    }
    post->process = std::move(*process);
    json::array described;
    std::vector<UniqueFd> tables;
    std::vector<int> descriptors;
    json::array hidden;
    for (const auto& pattern : m_setup.hidden) {
        hidden.emplace_back(pattern);
    }
    const auto revoked = [this] {
        const std::lock_guard lock(m_mutex);
        return m_revoked;
    }();
    for (const auto& share : shares) {
        if (share.shows == ServedShare::Shows::Folder && revoked.contains(share.id)) {
            continue;
        }
        const auto table = m_setup.tableFolder / share.table;
        tables.emplace_back(::open(table.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!tables.back()) {
            return failErrno("opening " + table.string());
        }
        descriptors.push_back(share.root.get());
        descriptors.push_back(tables.back().get());
        described.push_back(
            {{"id", share.id}, {"name", share.name}, {"mode", share.mode}, {"hidden", hidden}});
    }
    json::object params{{"agent", {{"id", m_setup.agentId}, {"name", m_setup.agentName}}}, {"shares", std::move(described)}};
    if (authority) {
        params["authority"] = toJson(*authority);
    }
    if (m_setup.decidesPrograms) {
        params["programs_follow"] = true;
    }
    auto jailed = post->process->request("prepare", std::move(params), descriptors);
    if (!jailed) {
        return fail(jailed.error().wrap("The agent's clerk could not be confined, so it gets nothing to do",
                                        "Carrel needs a kernel with Landlock (5.13 or newer, switched on)"));
    }
    JsonFields fields(*jailed, "prepare");
    jail.landlockAbi = fields.number("landlock_abi", 1000);
    const bool seccomp = fields.boolean("seccomp");
    CARREL_TRY(fields.finish());
    if (!seccomp || jail.landlockAbi == 0) {
        return fail(ErrorCode::Refused, "the agent's clerk is not confined");
    }
    jail.pid = post->process->pid();
    return post;
}

// What was revoked while the clerk was being hired. It has no channel yet; what is revoked from here on it is told.
Status Door::cutLate(const std::shared_ptr<Post>& post, const std::vector<ServedShare>& shares) {
    std::vector<std::uint32_t> late;
    {
        const std::lock_guard lock(m_mutex);
        for (const auto& share : shares) {
            if (share.shows == ServedShare::Shows::Folder && m_revoked.contains(share.id)) {
                late.push_back(share.id);
            }
        }
        m_coming = post;
    }
    for (const auto id : late) {
        if (auto cut = post->process->request("share.revoke", {{"id", id}}); !cut) {
            return fail(std::move(cut).error());
        }
    }
    return {};
}

void Door::revoke(std::uint32_t share, std::chrono::seconds patience) {
    std::vector<std::pair<std::shared_ptr<Post>, std::future<ClerkProcess::Answer>>> told;
    {
        const std::lock_guard lock(m_mutex);
        m_revoked.insert(share);
        for (const auto& post : {m_post, m_leaving, m_coming}) { // the terminals' has no folder
            if (post) {
                told.emplace_back(post, std::future<ClerkProcess::Answer>());
            }
        }
    }
    for (auto& [post, answer] : told) {
        answer = post->process->send("share.revoke", {{"id", share}});
    }
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto& [post, answer] : told) {
        if (answer.wait_until(until) != std::future_status::ready || !answer.get()) {
            post->process->end();
        }
    }
}

Status Door::attach(Post& post, const std::vector<ChannelId>& channels) {
    std::vector<UniqueFd> owned;
    std::vector<int> descriptors;
    for (const auto channel : channels) {
        auto fd = m_machine.openChannel(channel);
        if (!fd) {
            return fail(fd.error().wrap("A channel to the agent's machine could not be opened"));
        }
        descriptors.push_back(fd->get());
        owned.push_back(std::move(*fd));
    }
    auto names = namesOf(channels);
    // What is sent in bulk goes through memory where the machine shares some.
    const auto inBulk = [](ChannelId channel) { return channel == ChannelId::Files || channel == ChannelId::Network; };
    if (std::ranges::any_of(channels, inBulk)) {
        if (auto window = m_machine.openWindow(); window) {
            names.emplace_back(clerk::kWindowName);
            descriptors.push_back(window->get());
            owned.push_back(std::move(*window));
        } else if (window.error().code != ErrorCode::NotFound) {
            return fail(
                window.error().wrap("The memory shared with the agent's machine could not be opened"));
        }
    }
    auto done = post.process->request("attach", {{"channels", std::move(names)}}, descriptors);
    return done ? Status{} : fail(std::move(done).error());
}

Result<Door::Jail> Door::renew(const std::vector<ServedShare>& shares, const Authority& authority) {
    std::shared_ptr<Post> old;
    {
        const std::lock_guard lock(m_mutex);
        if (m_closed) {
            return fail(ErrorCode::Unavailable, "the machine has stopped");
        }
        old = m_post;
        m_post.reset(); // from here on its end is expected
        m_leaving = old;
    }
    auto jail = replace(old, shares, authority);
    std::shared_ptr<Post> left; // never ended under the lock: its reader may wait for that
    std::shared_ptr<Post> came;
    const std::lock_guard lock(m_mutex);
    left.swap(m_leaving);
    came.swap(m_coming);
    return jail;
}

Result<Door::Jail> Door::replace(const std::shared_ptr<Post>& old, const std::vector<ServedShare>& shares,
                                 const Authority& authority) {
    if (old) {
        const json::object all{{"channels", namesOf(kOfTheFolders)}};
        (void)old->process->request("detach", all, {}, {}, kHandOverPatience).has_value();
        // Its word is not enough: what it could open, it can open as long as it lives.
        old->process->end();
        old->process->waitGone();
        old->leaveNetwork();
    }
    CARREL_TRY(tend());
    // Only now: the old clerk has let go of the node tables.
    Jail jail;
    auto hired = hire(shares, authority, jail);
    if (!hired) {
        return fail(std::move(hired).error());
    }
    CARREL_TRY(cutLate(*hired, shares));
    CARREL_TRY(attach(**hired, kOfTheFolders));
    const std::lock_guard lock(m_mutex);
    m_post = *hired;
    return jail;
}

std::future<ClerkProcess::Answer> Door::hello() {
    std::shared_ptr<Post> post;
    {
        const std::lock_guard lock(m_mutex);
        post = m_post;
    }
    if (!post) {
        std::promise<ClerkProcess::Answer> none;
        none.set_value(fail(ErrorCode::Unavailable, "the agent has no clerk"));
        return none.get_future();
    }
    return post->process->send("hello", {});
}

Status Door::awaitHello(std::stop_token stop, std::chrono::seconds patience) {
    auto answer = request("hello", {}, {}, std::move(stop), std::min(patience, kHelloPatience));
    return answer ? Status{} : fail(std::move(answer).error());
}

ClerkProcess::Answer Door::request(std::string_view method, json::object params,
                                   const std::vector<int>& descriptors, std::stop_token stop,
                                   std::chrono::seconds patience) {
    std::shared_ptr<Post> post;
    std::stop_source either;
    std::stop_token off;
    std::stop_token held;
    {
        const std::lock_guard lock(m_mutex);
        post = m_post;
        off = m_off.get_token();
        held = m_held.get_token();
    }
    if (held.stop_requested()) {
        return fail(pausedError(ErrorCode::Cancelled, m_setup.agentName));
    }
    if (!post) {
        return fail(ErrorCode::Unavailable, "the agent has no clerk at the moment", "Try again in a moment");
    }
    const auto end = [&either] { either.request_stop(); };
    const std::stop_callback whenAsked(stop, end);
    const std::stop_callback whenOff(off, end);
    const std::stop_callback whenHeld(held, end);
    auto answer = post->process->request(method, std::move(params), descriptors, either.get_token(), patience);
    const bool ours = !answer && answer.error().code == ErrorCode::Cancelled && !stop.stop_requested();
    if (ours && held.stop_requested()) {
        return fail(pausedError(ErrorCode::Cancelled, m_setup.agentName));
    }
    if (ours && off.stop_requested()) {
        return fail(ErrorCode::Cancelled,
                    "it waited for the agent's machine and gave way, as the agent is being stopped or a folder taken from it",
                    "Try again");
    }
    return answer;
}

void Door::callOff() {
    const std::lock_guard lock(m_mutex);
    m_off.request_stop();
}

void Door::callOn() {
    const std::lock_guard lock(m_mutex);
    m_off = std::stop_source();
}

bool Door::calledOff() const {
    const std::lock_guard lock(m_mutex);
    return m_off.stop_requested();
}

void Door::hold() {
    const std::lock_guard lock(m_mutex);
    m_held.request_stop();
}

void Door::release() {
    const std::lock_guard lock(m_mutex);
    m_held = std::stop_source();
}

void Door::sendClock() {
    std::shared_ptr<Post> post;
    {
        const std::lock_guard lock(m_mutex);
        post = m_post;
    }
    if (post) {
        (void)post->process->request("clock", {}, {}, {}, kClockPatience).has_value();
    }
}

Door::Leash::Leash(UniqueFd socket, std::stop_token until)
    : clerksEnd(std::move(socket))
    , cut(std::move(until), [fd = clerksEnd.get()] { (void)::shutdown(fd, SHUT_RDWR); }) {}

Result<std::uint32_t> Door::exec(json::object params, int socket, std::optional<std::stop_token> until) {
    std::unique_ptr<Leash> leash;
    if (until) {
        UniqueFd ours(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
        if (!ours) {
            return failErrno("keeping hold of the command's socket");
        }
        leash = std::make_unique<Leash>(std::move(ours), std::move(*until));
    }
    std::shared_ptr<Post> post;
    std::uint32_t session = 0;
    {
        const std::lock_guard lock(m_mutex);
        post = m_terminals;
        if (!post) {
            return fail(ErrorCode::Unavailable, "the agent has no clerk at the moment",
                        "Try again in a moment");
        }
        for (std::uint32_t tried = 0; tried < control::kMaxSessions && session == 0; ++tried) {
            const std::uint32_t candidate = m_nextSession;
            m_nextSession = m_nextSession % control::kMaxSessions + 1;
            if (!post->sessions.contains(candidate)) {
                session = candidate;
            }
        }
        if (session == 0) {
            return fail(ErrorCode::LimitExceeded, "too many commands run in this agent",
                        "Wait until one ends");
        }
        post->sessions.emplace(session, std::move(leash));
    }
    params["session"] = session;
    auto done = post->process->request("exec", std::move(params), {socket});
    if (!done) {
        const std::lock_guard lock(m_mutex);
        post->sessions.erase(session);
        return fail(std::move(done).error());
    }
    return session;
}

bool Door::alive() const {
    const std::lock_guard lock(m_mutex);
    return m_post && m_post->process->alive();
}

std::string Door::consoleTail() {
    auto answer = request("console.tail", {}, {}, {}, std::chrono::seconds(10));
    if (!answer) {
        return {};
    }
    JsonFields fields(*answer, "console.tail");
    return fromBase64(fields.string("text_b64", clerk::kMaxLinkMessage)).value_or("");
}

void Door::told(Post& from, const std::string& method, const json::object& params) {
    using clerk::ClerkWord;
    const auto word = clerk::clerkWordFrom(method);
    if (!word) {
        from.process->end(); // I2: there is nothing else to ask for
        return;
    }
    switch (*word) {
    case ClerkWord::FileRead:
        recordReads(from, params);
        return;
    case ClerkWord::Ask:
        asked(from, params);
        return;
    case ClerkWord::NetOpen:
    case ClerkWord::NetRequest:
    case ClerkWord::NetCanary:
    case ClerkWord::NetModel:
    case ClerkWord::NetClosed:
    case ClerkWord::NetUsed:
    case ClerkWord::ForwardClosed:
        toldOfNetwork(from, method, params);
        return;
    case ClerkWord::ExecEnded: {
        const std::lock_guard lock(m_mutex);
        if (const auto* session = params.if_contains("session"); session != nullptr && session->is_int64()) {
            from.sessions.erase(static_cast<std::uint32_t>(session->get_int64()));
        }
        break;
    }
    case ClerkWord::ChannelClosed: {
        const std::lock_guard lock(m_mutex);
        if (&from == m_terminals.get()) {
            from.process->end(); // it has but this one channel; the next begins it anew
        }
        break;
    }
    case ClerkWord::Stage:
    case ClerkWord::ConsoleActivity:
    case ClerkWord::Broken:
    case ClerkWord::ChangesTouched:
    case ClerkWord::GuestLog:
    case ClerkWord::Notice:
    case ClerkWord::SharesFailed:
        break;
    }
    m_events.told(method, params);
}

void Door::recordReads(Post& from, const json::object& params) {
    JsonFields fields(params, "file.read");
    const auto batch = fields.number("batch");
    (void)fields.array("files", 1000);
    const auto process = from.process; // the call may be the end of this door and of all its posts
    const Status recorded = fields.finish() ? m_events.recordReads(params) : fail(ErrorCode::Malformed, "");
    // Nobody waits for the answer to the answer. If it cannot be said those reads would wait for ever, so
    // this clerk goes and the guest asks the next one.
    auto said = process->send("reads.recorded", {{"batch", batch}, {"recorded", recorded.has_value()}});
    if (said.wait_for(std::chrono::seconds(0)) == std::future_status::ready && !said.get()) {
        process->end();
    }
}

bool Door::tended() const {
    const std::lock_guard lock(m_mutex);
    return m_terminals && m_terminals->process->alive();
}

Status Door::tend() {
    std::shared_ptr<Post> before; // never ended under the lock
    {
        const std::lock_guard lock(m_mutex);
        if (m_terminals && m_terminals->process->alive()) {
            return {};
        }
        before = std::exchange(m_terminals, nullptr);
    }
    Jail jail;
    auto hired = hire({}, {}, jail); // says no hello
    if (!hired) {
        return fail(std::move(hired).error());
    }
    {
        const std::lock_guard lock(m_mutex);
        if (m_closed) {
            return fail(ErrorCode::Unavailable, "the machine has stopped");
        }
        m_terminals = *hired; // from here on its end is noticed
    }
    joinNetwork(**hired);
    auto attached = attach(**hired, kOfNoFolder);
    if (!attached) {
        (*hired)->process->end();
    }
    return attached;
}

void Door::gone(Post& who, const std::string& how) {
    bool ours = false;
    bool tendSoon = false;
    {
        const std::lock_guard lock(m_mutex);
        ours = &who == m_post.get() && !m_closed;
        for (auto& [session, leash] : who.sessions) {
            leash.reset(); // its copy would keep the caller from seeing the clerk's end
        }
        tendSoon = &who == m_terminals.get() && !m_closed;
    }
    who.leaveNetwork();
    if (tendSoon) {
        m_events.tend();
    }
    if (ours) {
        m_events.clerkGone(how);
    }
}

} // namespace carrel::agents
