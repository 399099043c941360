// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/control_service.h"

#include "guest/protocol/control.h"

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>

namespace carrel::guestd {

namespace json = boost::json;

namespace {

constexpr unsigned kBesideThreads = 4;
constexpr std::size_t kMaxWaiting = 64;
constexpr std::size_t kMaxPageBytes = 512 * 1024; // well within one message, whatever the paths look like
constexpr std::size_t kContentPiece = 256 * 1024;
constexpr std::size_t kContentQueue = 1024 * 1024;

tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::Cancelled, "the host no longer wants it");
}

tl::unexpected<Error> tooMany() {
    return fail(ErrorCode::LimitExceeded, "the guest has too many requests waiting");
}

json::array pathsJson(const std::vector<SharePath>& paths) {
    json::array out;
    for (const auto& path : paths) {
        if (isUtf8(path.text())) {
            out.emplace_back(path.text());
        } else { // JSON's texts cannot carry it
            json::object entry;
            putPath(entry, "path", path.text());
            out.push_back(std::move(entry));
        }
    }
    return out;
}

} // namespace

ControlService::ControlService(ShareMounts& shares, MachineControl& machine)
    : m_shares(shares)
    , m_machine(machine)
    , m_asks([this](EpochNumber epoch, std::string_view text) {
        return m_control->sendMessage(epoch, control::kRpcStream, asBytes(text));
    })
    , m_inOrder(1, kMaxWaiting)
    , m_beside(kBesideThreads, kMaxWaiting) {}

ControlService::~ControlService() {
    stop();
}

std::optional<StreamKind> ControlService::accept(std::uint32_t stream) {
    return stream == control::kRpcStream ? std::optional(StreamKind::Messages) : std::nullopt;
}

void ControlService::start(Channel& control, Channel& files) {
    m_control = &control;
    m_files = &files;
}

void ControlService::stop() {
    newEpoch(0);
    m_inOrder.stop();
    m_beside.stop();
}

void ControlService::handle(ChannelEvent&& event) {
    if (event.kind == ChannelEvent::Kind::Epoch) {
        newEpoch(event.epoch);
        m_control->openStream(event.epoch, control::kRpcStream, StreamKind::Messages);
    } else if (event.kind == ChannelEvent::Kind::Data) {
        m_control->consumed(event.epoch, event.stream, event.data.size());
        receive(asText(event.data), event.epoch);
    }
}

void ControlService::newEpoch(EpochNumber epoch) {
    {
        const std::lock_guard lock(m_mutex);
        for (auto& [id, job] : m_jobs) {
            job->cancelled = true;
        }
        m_jobs.clear();
        m_epoch = epoch;
        m_greeted = Greeted::No;
    }
    if (m_files != nullptr) {
        m_files->wakeWaiters();
    }
    m_asks.newEpoch(epoch, HostAsks::Clock::now());
}

void ControlService::receive(std::string_view text, EpochNumber epoch) {
    auto message = parseRpc(text, {.bytes = kMaxMessageBytes, .depth = 12});
    if (!message) {
        return; // without a trustworthy id there is nobody to answer; the host waits for nothing it did not
                // ask well
    }
    auto* request = std::get_if<RpcRequest>(&*message);
    if (request == nullptr) {
        m_asks.receive(std::move(std::get<RpcResponse>(*message)), epoch);
        return;
    }
    auto call = callFrom(*request);
    auto* own = call ? std::get_if<ControlCall>(&*call) : nullptr;
    if (!request->id) {
        if (own != nullptr && std::holds_alternative<CancelCall>(*own)) {
            cancel(std::get<CancelCall>(*own).id);
        }
        return;
    }
    if (!call) {
        reply(epoch, *request->id, fail(call.error()));
        return;
    }
    auto job = std::make_shared<Job>();
    job->epoch = epoch;
    job->id = *request->id;
    job->isLeft = own == nullptr;
    const bool isHello = own != nullptr && std::holds_alternative<HelloCall>(*own);
    bool isDouble = false;
    bool isEarly = false;
    {
        const std::lock_guard lock(m_mutex);
        isEarly = m_greeted == Greeted::No && !isHello;
        if (isHello) {
            m_greeted = Greeted::Yes;
        }
        isDouble = !isEarly && !m_jobs.emplace(job->id, job).second;
    }
    if (isEarly) {
        reply(epoch, job->id, fail(ErrorCode::Refused, "hello comes first"));
    } else if (isDouble) {
        reply(epoch, job->id, fail(ErrorCode::AlreadyExists, "a request of that id is still running"));
    } else if (own != nullptr) {
        dispatch(std::move(*own), job);
    } else if (const auto* ask = std::get_if<watch::Ask>(&*call)) {
        m_machine.watch(*ask, [this, job](Answer answer) { finish(job, std::move(answer)); });
    } else {
        talkToAgent(std::move(std::get<talk::Call>(*call)), job);
    }
}

Result<ControlService::Call> ControlService::callFrom(const RpcRequest& request) {
    if (talk::isMethod(request.method)) {
        return talk::callFrom(request.method, request.params).map([](talk::Call&& call) { return Call(std::move(call)); });
    }
    if (request.method == watch::kMethod) {
        return watch::askFrom(request.params).map([](watch::Ask&& ask) { return Call(ask); });
    }
    return controlCallFrom(request).map([](ControlCall&& call) { return Call(std::move(call)); });
}

void ControlService::talkToAgent(talk::Call call, const JobPtr& job) {
    const bool isStart = std::holds_alternative<talk::Start>(call);
    auto say = [this, job, call = std::move(call)] {
        m_machine.talk(call, [this, job](Answer answer) { finish(job, std::move(answer)); });
    };
    if (!isStart) {
        say();
    } else if (m_inOrder.post(std::move(say)) == WorkerPool::Posted::Full) {
        finish(job, tooMany());
    }
}

void ControlService::dispatch(ControlCall call, const JobPtr& job) {
    const bool isBeside = std::holds_alternative<ChangesListCall>(call) ||
                          std::holds_alternative<ContentSendCall>(call) ||
                          std::holds_alternative<ChangesEndCall>(call);
    const bool isLast = std::holds_alternative<PowerOffCall>(call);
    const bool isFirst = std::holds_alternative<HelloCall>(call);
    auto work = [this, job, isFirst, isLast, call = std::move(call)] {
        Answer answer = job->cancelled ? Answer(cancelled())
                                       : std::visit([&](const auto& one) { return run(one, *job); }, call);
        const bool isGood = answer.has_value();
        finish(job, std::move(answer));
        if (isFirst && isGood) {
            m_asks.greeted(job->epoch, HostAsks::Clock::now());
        }
        if (isLast && isGood) {
            m_machine.powerOff();
        }
    };
    if ((isBeside ? m_beside : m_inOrder).post(std::move(work)) == WorkerPool::Posted::Full) {
        finish(job, tooMany());
    }
}

void ControlService::cancel(std::uint64_t id) {
    JobPtr job;
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_jobs.find(id);
        if (at == m_jobs.end()) {
            return; // answered already: both went past each other
        }
        job = at->second;
        job->cancelled = true;
    }
    if (job->isLeft) {
        finish(job, cancelled());
    }
    m_files->wakeWaiters();
}

void ControlService::finish(const JobPtr& job, Answer answer) {
    {
        const std::lock_guard lock(m_mutex);
        const auto at = m_jobs.find(job->id);
        if (at == m_jobs.end() || at->second != job) {
            return; // answered already, or of an epoch that is over
        }
        m_jobs.erase(at);
    }
    reply(job->epoch, job->id, std::move(answer));
}

void ControlService::reply(EpochNumber epoch, std::uint64_t id, Answer answer) {
    const std::string text = toText(RpcResponse{id, std::move(answer)});
    static_cast<void>(m_control->sendMessage(epoch, control::kRpcStream, asBytes(text)));
}

void ControlService::notify(std::string_view method, json::object params) {
    if (m_control == nullptr) {
        return;
    }
    const std::string text = toText(RpcRequest{std::nullopt, std::string(method), std::move(params)});
    static_cast<void>(m_control->sendMessage(m_control->epoch(), control::kRpcStream, asBytes(text)));
}

void ControlService::sendStage(EpochNumber epoch, std::string_view name) {
    m_machine.stage(name);
    const std::string text = toText(RpcRequest{std::nullopt, "stage", {{"name", name}, {"detail", ""}}});
    static_cast<void>(m_control->sendMessage(epoch, control::kRpcStream, asBytes(text)));
}

ControlService::Answer ControlService::run(const HelloCall& call, Job& job) {
    if (call.version != control::kProtocolVersion) {
        return fail(ErrorCode::Unsupported, "the host speaks another version of the protocol",
                    "Restart the agent, so that it starts with this version's own parts");
    }
    CARREL_TRY(m_machine.setClock(call.realtime));
    sendStage(job.epoch, "guestd");
    CARREL_TRY(m_machine.adoptAgent(call.agentName));
    sendStage(job.epoch, "agent");
    if (call.authority) { // before anything of the agent's can run
        if (const auto trusted = m_machine.trust(*call.authority); !trusted) {
            notify("log", {{"level", "warning"},
                           {"text", "the agent's programs do not trust the hosts whose connections are looked into: " + trusted.error().text()}});
        }
    }
    if (call.programsFollow) {
        CARREL_TRY(m_machine.expectPolicy());
    }
    auto failed = bringSharesInLine(call.shares);
    sendStage(job.epoch, "shares");
    CARREL_TRY(m_machine.takeCommands());
    sendStage(job.epoch, "ready");
    return json::value{{"version", control::kProtocolVersion},
                       {"capabilities", {"shares", "changes", "sessions", "asks", "programs", "watch"}},
                       {"boot_id", m_machine.bootId()},
                       {"shares_failed", std::move(failed)}};
}

json::array ControlService::bringSharesInLine(const std::vector<ShareSpec>& wanted) {
    const auto present = m_shares.mounted();
    const auto isIn = [](const std::vector<ShareSpec>& list, const ShareSpec& share) {
        return std::find(list.begin(), list.end(), share) != list.end();
    };
    json::array failed;
    const auto tell = [&](const ShareSpec& share, const Error& error) {
        const auto is = [&](const json::value& one) { return one.at("share") == json::value(share.id); };
        if (std::none_of(failed.begin(), failed.end(), is)) { // what comes first is the reason, and may be that of the rest
            failed.push_back({{"share", share.id}, {"why", error.text()}, {"passing", error.code == ErrorCode::Unavailable}});
        }
    };
    for (const auto& share : present) {
        if (isIn(wanted, share)) {
            continue;
        }
        const bool served = std::any_of(wanted.begin(), wanted.end(), [&](const ShareSpec& each) { return each.id == share.id; });
        if (auto gone = m_shares.remove(share.id, served ? ShareMounts::Host::Serves : ShareMounts::Host::Gone); !gone) {
            tell(share, gone.error().wrap("The folder " + share.name + " could not be taken from the machine"));
        }
    }
    for (const auto& share : wanted) {
        if (isIn(present, share)) {
            continue;
        }
        if (auto come = m_shares.add(share); !come) {
            tell(share, come.error().wrap("The folder " + share.name + " could not be given to the machine"));
        }
    }
    return failed;
}

ControlService::Answer ControlService::run(const ClockCall& call, Job&) {
    CARREL_TRY(m_machine.setClock(call.realtime));
    return json::object{};
}

ControlService::Answer ControlService::run(const ShareAddCall& call, Job&) {
    CARREL_TRY(m_shares.add(call.share));
    return json::object{};
}

ControlService::Answer ControlService::run(const ShareRemoveCall& call, Job&) {
    CARREL_TRY(m_shares.remove(call.id, ShareMounts::Host::Serves));
    return json::object{};
}

ControlService::Answer ControlService::run(const ChangesListCall& call, Job&) {
    auto page = m_shares.changes(call.share, call.after, call.limit);
    if (!page) {
        return fail(page.error());
    }
    json::array entries;
    std::size_t bytes = 0;
    std::optional<SharePath> next = page->next;
    for (const auto& entry : page->entries) {
        json::object object = toJson(entry);
        bytes += json::serialize(object).size();
        entries.push_back(std::move(object));
        if (bytes > kMaxPageBytes && &entry != &page->entries.back()) {
            next = entry.path;
            break;
        }
    }
    json::object result{{"entries", std::move(entries)}, {"staged", page->staged}};
    if (next) {
        putPath(result, "next", next->text());
    } else {
        result["next"] = nullptr;
    }
    return result;
}

ControlService::Answer ControlService::run(const ContentSendCall& call, Job& job) {
    const EpochNumber filesEpoch = m_files->epoch();
    if (m_files->openStream(filesEpoch, call.stream, StreamKind::Bytes) == Channel::Sent::Gone) {
        return fail(ErrorCode::Unavailable, "the files channel is not connected");
    }
    auto content = m_shares.content(call.share, call.path, call.generation);
    Status status = content ? copyContent(**content, call, filesEpoch, job) : Status(fail(content.error()));
    if (!status) {
        // What has arrived must never pass for the whole.
        m_files->sendReset(filesEpoch, call.stream, ESTALE);
        return fail(status.error());
    }
    m_files->sendEnd(filesEpoch, call.stream);
    return json::value{{"size", (*content)->size()}};
}

Status ControlService::copyContent(StagedContent& content, const ContentSendCall& call,
                                   EpochNumber filesEpoch, Job& job) {
    if (content.size() > call.max) {
        return fail(ErrorCode::LimitExceeded, "the file is larger than the host takes");
    }
    std::uint64_t sent = 0;
    for (;;) {
        if (job.cancelled) {
            return cancelled();
        }
        auto piece = content.read(kContentPiece);
        if (!piece) {
            return fail(piece.error());
        }
        if (piece->empty()) {
            break;
        }
        sent += piece->size();
        CARREL_TRY(m_files->waitQueuedBelow(filesEpoch, call.stream, kContentQueue,
                                            [&job] { return job.cancelled.load(); }));
        CARREL_TRY(m_files->sendBytes(filesEpoch, call.stream, *piece));
    }
    CARREL_TRY(content.stillTheSame());
    if (sent != content.size()) {
        return fail(ErrorCode::Conflict, "the file changed while it was copied");
    }
    return {};
}

ControlService::Answer ControlService::run(const ChangesEndCall& call, Job&) {
    auto kept = call.how == ChangesEndCall::How::Settle ? m_shares.settle(call.share, call.entries)
                                                        : m_shares.discard(call.share, call.entries);
    if (!kept) {
        return fail(kept.error());
    }
    return json::value{{"kept", pathsJson(*kept)}};
}

ControlService::Answer ControlService::run(const ProgramsPolicyCall& call, Job&) {
    CARREL_TRY(m_machine.takePolicy(call));
    return json::object{};
}

ControlService::Answer ControlService::run(const PowerOffCall&, Job&) {
    m_machine.endAgent();
    json::array staged; // the last word on it: a program that is ended may have saved its work
    for (const auto& share : m_shares.mounted()) {
        if (const auto page = m_shares.changes(share.id, SharePath(), 1)) { // else the host knows that nobody has counted it
            staged.push_back({{"share", share.id}, {"staged", page->staged}});
        }
    }
    CARREL_TRY(m_machine.settleDown());
    return json::value{{"staged", std::move(staged)}};
}

ControlService::Answer ControlService::run(const CancelCall&, Job&) {
    return fail(ErrorCode::InvalidArgument, "cancel is a notification and has no id of its own");
}

} // namespace carrel::guestd
