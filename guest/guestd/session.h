// SPDX-License-Identifier: Apache-2.0
// One command and its four streams on the terminals channel (guest/protocol/control.h).
//
//   Waiting   nothing started; input that came early is held (bounded by its credit)
//   Starting  forked; whether the program runs is not known yet
//   Running   {"started"} was sent
//   Draining  the command has ended; what it wrote is still on its way (or waits for the host's credit)
//   Over      {"exit"} or {"error"} was sent and every stream ended
//
// A reader that stalls stops only this session: its output is read only while the host's credit takes it.
// After the command's end, what it wrote is sent on and then the streams end, also when a process that it
// left behind still holds them.
//
// Thread: the session server's only. Ownership: the session owns its descriptors; the server polls them.
#pragma once

#include "guest/guestd/channel.h"
#include "guest/guestd/session_start.h"
#include "guest/guestd/spawner.h"

#include <deque>
#include <poll.h>

namespace carrel::guestd {

class Session {
public:
    enum class State { Waiting, Starting, Running, Draining, Over };

    Session(Channel& channel, EpochNumber epoch, std::uint32_t number);

    // From the host.
    void control(std::string_view message, Spawner* spawner);
    void input(Bytes&& data);
    void inputEnded();
    void streamReset(std::uint32_t which); // kSessionControl …: 0 kills
    // The epoch is over: SIGHUP, and nothing is sent any more.
    void hangUp();

    [[nodiscard]] State state() const { return m_state; }
    // What the server should wait for; empty when only the host can move this session.
    void collectPoll(std::vector<pollfd>& into) const;
    // Does whatever is possible now, without blocking.
    void advance();
    // Hung up or killed, and the process not yet reaped: the server keeps it until Over.

private:
    struct Output {
        UniqueFd fd;
        std::uint32_t which = 0;
        bool open = false;
    };

    void start(const StartSession& wanted, Spawner* spawner);
    [[nodiscard]] Result<Spawned> startProcess(const StartSession& wanted, Spawner& spawner);
    void signal(int number);
    void resize(TerminalSize size);
    void killGroup(int number);
    void readExecStatus();
    void checkExit();
    void pumpInput();
    bool pumpOutput(Output& output);
    [[nodiscard]] bool hasRoom(const Output& output) const;
    void dropInput();
    void say(const std::string& text);
    void finish(const std::string& lastWords);
    [[nodiscard]] std::uint32_t stream(std::uint32_t which) const { return m_number * 4 + which; }

    Channel& m_channel;
    EpochNumber m_epoch;
    std::uint32_t m_number;
    State m_state = State::Waiting;
    bool m_hungUp = false;
    bool m_terminal = false;
    SpawnRequest m_request; // for words about a failed start
    pid_t m_pid = 0;
    UniqueFd m_pidfd;
    UniqueFd m_execStatus;
    UniqueFd m_input; // the pipe's end, or a copy of the terminal's master
    std::deque<Bytes> m_pendingInput;
    std::size_t m_pendingDone = 0;
    bool m_hostEndedInput = false;
    bool m_inputGone = false;
    Output m_outputs[2];
    std::string m_exitWords;
};

} // namespace carrel::guestd
