// SPDX-License-Identifier: Apache-2.0
// Answers the control channel: reads requests, runs them, replies. Nothing but hello is answered before hello
// in an epoch. What touches mounts, the clock or power runs in the order in which it came, on one thread;
// reports and content run beside, on a few. What is said to the agent program (agent_talk.h) waits on no thread: the machine answers it
// when it likes, and so it does what watch.events asks; only the program's start comes in the order, after hello has made what it needs. A request can be cancelled by its id, and the end of an epoch
// cancels all of its requests. What the agent's programs ask the host goes out here, too (host_asks.h).
//
// Thread: handle() from the control channel's thread. Ownership: borrows everything it is given.
#pragma once

#include "guest/guestd/channel.h"
#include "guest/guestd/control_call.h"
#include "guest/guestd/host_asks.h"
#include "guest/guestd/worker_pool.h"
#include "guest/protocol/agent_talk.h"
#include "guest/protocol/watch_event.h"

#include <map>

namespace carrel::guestd {

// What the service needs of the machine itself.
class MachineControl {
public:
    virtual ~MachineControl() = default;
    [[nodiscard]] virtual Status setClock(std::chrono::nanoseconds sinceEpoch) = 0;
    [[nodiscard]] virtual std::string bootId() = 0;
    // The agent's account stands and bears this name when it returns.
    [[nodiscard]] virtual Status adoptAgent(const std::string& name) = 0;
    // The agent's programs trust it when this returns, those that are started from then on by their environment, too.
    [[nodiscard]] virtual Status trust(const AuthorityCertificate& authority) = 0;
    // A host which decides about programs: until it has done so, none runs but Carrel's own.
    [[nodiscard]] virtual Status expectPolicy() = 0;
    // A part of what it decides; with the last, in force when this returns.
    [[nodiscard]] virtual Status takePolicy(const ProgramsPolicyCall& part) = 0;
    // What is said to the agent program: `answer` is called once, on whichever thread. An epoch's end is no concern of the program's.
    using AgentAnswer = std::function<void(Result<boost::json::value> answer)>;
    virtual void talk(talk::Call call, AgentAnswer answer) = 0;
    // What the kernel saw: `answer` is called likewise.
    virtual void watch(const watch::Ask& ask, AgentAnswer answer) = 0;
    // The shares are there, so commands may come. Called with each hello.
    [[nodiscard]] virtual Status takeCommands() = 0;
    // Ends the agent's processes; what they wrote is on the disk. Nothing is staged after it.
    virtual void endAgent() = 0;
    // Leaves nothing mounted and nothing unwritten. After it, powerOff() follows.
    [[nodiscard]] virtual Status settleDown() = 0;
    virtual void powerOff() = 0;                   // returns; the machine ends soon after
    virtual void stage(std::string_view name) = 0; // a line on the console
};

class ControlService {
public:
    ControlService(ShareMounts& shares, MachineControl& machine);
    ~ControlService();
    ControlService(const ControlService&) = delete;
    ControlService& operator=(const ControlService&) = delete;

    [[nodiscard]] static std::optional<StreamKind> accept(std::uint32_t stream);
    // Both channels must outlive this; `files` carries content.send.
    void start(Channel& control, Channel& files);
    void handle(ChannelEvent&& event);
    void stop();
    // A notification to whoever is there now; dropped when nobody is.
    void notify(std::string_view method, boost::json::object params);
    [[nodiscard]] HostAsks& asks() { return m_asks; }

private:
    struct Job {
        EpochNumber epoch = 0;
        std::uint64_t id = 0;
        bool isLeft = false; // to the machine: nobody else would see that it is cancelled
        std::atomic<bool> cancelled = false;
    };
    using JobPtr = std::shared_ptr<Job>;
    using Call = std::variant<ControlCall, talk::Call, watch::Ask>;
    using Answer = Result<boost::json::value>;

    void receive(std::string_view text, EpochNumber epoch);
    [[nodiscard]] static Result<Call> callFrom(const RpcRequest& request);
    void dispatch(ControlCall call, const JobPtr& job);
    void cancel(std::uint64_t id);
    void newEpoch(EpochNumber epoch);
    void reply(EpochNumber epoch, std::uint64_t id, Answer answer);
    void finish(const JobPtr& job, Answer answer); // the first one counts
    void sendStage(EpochNumber epoch, std::string_view name);

    Answer run(const HelloCall& call, Job& job);
    Answer run(const ClockCall& call, Job& job);
    Answer run(const ShareAddCall& call, Job& job);
    Answer run(const ShareRemoveCall& call, Job& job);
    Answer run(const ChangesListCall& call, Job& job);
    Answer run(const ContentSendCall& call, Job& job);
    Answer run(const ChangesEndCall& call, Job& job);
    Answer run(const ProgramsPolicyCall& call, Job& job);
    Answer run(const PowerOffCall& call, Job& job);
    Answer run(const CancelCall& call, Job& job);
    void talkToAgent(talk::Call call, const JobPtr& job);
    // What could not come or go, as hello answers it.
    boost::json::array bringSharesInLine(const std::vector<ShareSpec>& wanted);
    Status copyContent(StagedContent& content, const ContentSendCall& call, EpochNumber filesEpoch, Job& job);

    ShareMounts& m_shares;
    MachineControl& m_machine;
    Channel* m_control = nullptr;
    Channel* m_files = nullptr;
    std::mutex m_mutex;
    std::map<std::uint64_t, JobPtr> m_jobs; // of the present epoch, by request id
    EpochNumber m_epoch = 0;
    enum class Greeted { No, Yes };
    Greeted m_greeted = Greeted::No;
    HostAsks m_asks;
    WorkerPool m_inOrder;
    WorkerPool m_beside;
};

} // namespace carrel::guestd
