// SPDX-License-Identifier: Apache-2.0
// One started command of the agent's, with its pipes: the agent program itself, a terminal's command, the helper that reads a file.
// Nothing here waits: what could is polled for by whoever owns it.
//
//   NotYet   forked; whether the program runs is not known
//   Yes      it runs, or ran
//   No       it never did; whyNot() says why
//
// The process stays a zombie until this object goes, so that its number, and that of its group, cannot be another's: that is how the
// group can be killed whenever. What goes with it: its group is killed and the process given to the reaper.
//
// Ownership: owns the descriptors; borrows the reaper, which must outlive it. Thread: one.
#pragma once

#include "guest/guestd/spawner.h"

#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::runner {

struct Exit { // one of both
    std::optional<unsigned> code, signal;
};

// Waits for processes that were killed: one may take long to go, e.g. while a file system of the agent's own does not answer it.
class Reaper {
public:
    void take(pid_t pid, UniqueFd pidfd);
    void collectPoll(std::vector<pollfd>& into) const;
    void advance();

private:
    struct Dying {
        pid_t pid = 0;
        UniqueFd pidfd;
    };
    std::vector<Dying> m_dying;
};

class Child {
public:
    enum class Errors { Apart, WithOutput };
    enum class Began { NotYet, Yes, No };
    enum class More { Perhaps, Later, Never };

    // The request's descriptors are filled in here.
    [[nodiscard]] static Result<std::unique_ptr<Child>> start(guestd::Spawner& spawner, guestd::SpawnRequest request, Errors errors,
                                                              Reaper& reaper);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // Hands a pipe's end to somebody else; then it is not dealt with here any more.
    [[nodiscard]] UniqueFd takeInput() { return std::move(m_in); }
    [[nodiscard]] UniqueFd takeOutput() { return std::move(m_out); }

    void write(std::string_view bytes); // kept until it goes
    void endInput();                    // after what was written
    // Adds at most `most` bytes of it.
    [[nodiscard]] More readOutput(std::string& into, std::size_t most) { return read(m_out, into, most); }
    [[nodiscard]] More readErrors(std::string& into, std::size_t most) { return read(m_err, into, most); }

    void collectPoll(std::vector<pollfd>& into) const;
    void advance(); // writes what goes, and looks how it began and ended
    [[nodiscard]] Began began() const { return m_began; }
    [[nodiscard]] const Error& whyNot() const { return m_whyNot; } // guestd::describe()
    [[nodiscard]] const std::optional<Exit>& exit() const { return m_exit; }
    void signal(int number) const; // to its group

private:
    explicit Child(Reaper& reaper)
        : m_reaper(reaper) {}
    [[nodiscard]] static More read(UniqueFd& from, std::string& into, std::size_t most);
    void pump();

    Reaper& m_reaper;
    guestd::SpawnRequest m_request; // for words about a start that failed
    pid_t m_pid = 0;
    UniqueFd m_pidfd, m_execStatus, m_in, m_out, m_err;
    std::string m_unwritten;
    bool m_inputEnds = false;
    Began m_began = Began::NotYet;
    Error m_whyNot;
    std::optional<Exit> m_exit;
};

} // namespace carrel::runner
