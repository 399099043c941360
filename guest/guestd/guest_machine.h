// SPDX-License-Identifier: Apache-2.0
// guestd itself: the channels, the services on them, and the agent's account, put together. One object, made
// by main(). Thread: main's; the rest runs on threads of its own.
#pragma once

#include "guest/bpf/program_gate.h"
#include "guest/guestd/agent_keeper.h"
#include "guest/guestd/ask_desk.h"
#include "guest/guestd/control_service.h"
#include "guest/guestd/known_programs.h"
#include "guest/guestd/net_service.h"
#include "guest/guestd/package_desk.h"
#include "guest/guestd/refusal_book.h"
#include "guest/guestd/session_server.h"
#include "guest/guestd/union_shares.h"
#include "guest/runner/agent_runner.h"
#include "guest/watch/kernel_watch.h"

#include <future>

namespace carrel::guestd {

inline constexpr const char* kWorkspace = "/run/carrel/workspace";
inline constexpr const char* kAgentShelf = "/carrel"; // read-only in the agent's world
inline constexpr const char* kPrivateFolder = "/disk/carrel";
inline constexpr const char* kStagedFolder = "/disk/carrel/shares";
inline constexpr const char* kLastHandLock = "/run/carrel/last-hand";
inline constexpr const char* kPowerOffWish = "/run/carrel/poweroff"; // carrel-init's contract

void sayStage(std::string_view name); // "carrel-guestd: stage <name>" on the console
void say(std::string_view text);      // "carrel-guestd: <text>"

class GuestMachine final : public MachineControl {
public:
    GuestMachine();
    ~GuestMachine() override;

    // Everything up to the open channels; after that the host leads.
    [[nodiscard]] Status start();
    // Blocks until powerOff() or a signal that ends guestd. True: the machine shall go off.
    [[nodiscard]] bool waitForEnd();

    [[nodiscard]] Status setClock(std::chrono::nanoseconds sinceEpoch) override;
    [[nodiscard]] std::string bootId() override;
    [[nodiscard]] Status adoptAgent(const std::string& name) override;
    [[nodiscard]] Status trust(const AuthorityCertificate& authority) override;
    [[nodiscard]] Status expectPolicy() override;
    [[nodiscard]] Status takePolicy(const ProgramsPolicyCall& part) override { return m_known.take(part); }
    void talk(talk::Call call, AgentAnswer answer) override;
    void watch(const watch::Ask& ask, AgentAnswer answer) override;
    [[nodiscard]] Status takeCommands() override;
    void endAgent() override;
    [[nodiscard]] Status settleDown() override;
    void powerOff() override;
    void stage(std::string_view name) override { sayStage(name); }

private:
    [[nodiscard]] Status prepareFolders();
    [[nodiscard]] Status openChannels();
    [[nodiscard]] std::shared_ptr<Spawner> spawner(); // null while the agent's account does not stand

    const ByteSpan m_window; // empty: there is none
    RefusalBook m_refusals;
    NetService m_network;
    runner::AgentRunner m_runner; // before the account, which tells it of its end
    AgentKeeper m_agent;
    UnionShares m_shares;
    ControlService m_control;
    KnownPrograms m_known;
    packages::PackageSearch m_fetched;
    PackageDesk m_packages;
    bpf::ProgramGate m_gate; // after what it tells of refusals
    AskDesk m_asks;
    SessionServer m_sessions;
    watch::WatchDesk m_watched;
    watch::KernelWatch m_watch;
    std::unique_ptr<Channel> m_controlChannel;
    std::unique_ptr<Channel> m_filesChannel;
    std::unique_ptr<Channel> m_networkChannel;
    std::unique_ptr<Channel> m_terminalsChannel;
    bool m_takesCommands = false; // by the thread that answers hello
    std::future<void> m_processors;
};

} // namespace carrel::guestd
