// SPDX-License-Identifier: Apache-2.0
// The text of office files and PDFs, so that a person can compare two versions line by line although nothing on the host may
// parse a document that a guest made (invariant I8). Who wants the text of a version asks and goes on; it is read from the
// frozen copy in a disposable machine (viewer_machine.h), and what became of it is kept here for a while.
//
//   state    meaning                                             next
//   Unasked  nobody has asked, or it was forgotten               ask → Waiting
//   Waiting  a machine starts, or reads it or others before it   Ready, Failed
//   Ready    the text is here                                    forgotten where room is needed
//   Failed   `why` says why. The document's fault stays; a machine's is tried again by who asks after a moment
//
// Whose machine: each agent has one of its own, never shared, since who breaks out of the reader on one document can lie
// about the text of every later one in that machine, and what one agent's documents say must not be another's to choose.
// Within an agent one machine serves many documents: starting one takes seconds, a document tenths of them; their readers
// are kept apart within it (guest/guestd/viewer_spawner.h); and all of them come from the same agent, which can put what
// it likes into each. The texts are what the viewer makes of the bytes and no more: what is applied is bytes (I12).
// A machine is started by the first question and ended when it was idle for a while, has served many, or something was its
// fault. Machines of different agents run side by side up to a number; an idle one makes room for who waits.
//
// Ownership: the engine's; outlives every call. Thread: any; only await(), forget() and stop() block. OpenContent is called
// on a thread of this object's, with no lock held.
#pragma once

#include "app/files/sha256.h"
#include "app/viewer/viewer_machine.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

namespace carrel::viewer {

struct Version { // of a document: which bytes, and what their name says they are
    files::Sha256 content;
    std::uint64_t size = 0;
    files::DocumentKind kind = files::DocumentKind::Pdf;
};

struct Reading {
    enum class State { Unasked, Waiting, Ready, Failed };
    State state = State::Unasked;
    std::shared_ptr<const std::string> text; // Ready
    bool cut = false;                        // Ready: there was more than kMaxText
    std::string why;                         // Failed
};
[[nodiscard]] std::string_view toString(Reading::State state); // "unasked", "waiting", "ready", "failed"

struct ViewerPatience {
    std::chrono::seconds start{90};    // for a machine's first answer, beside that of the reading
    std::chrono::seconds reading{60};  // of one document, by its reader's own clock
    std::chrono::seconds answer{30};   // on top of that, before the machine is given up
    std::chrono::milliseconds idle{60'000};
    std::chrono::milliseconds again{10'000}; // before a machine's fault is tried anew
    std::size_t machines = 2;          // at once
    std::uint32_t documents = 200;     // of one machine
    std::uint32_t documentsInTurn = 20; // where other agents wait for room
};

inline constexpr std::uint64_t kMaxDocument = std::uint64_t{64} << 20U; // bytes of a version
inline constexpr std::size_t kMaxAsked = 2000;                          // of one agent, not yet read
inline constexpr std::size_t kMaxKept = std::size_t{64} << 20U;         // bytes of texts, of all agents

class DocumentViewer {
public:
    using OpenContent = std::function<Result<UniqueFd>(const files::Sha256&)>;

    DocumentViewer(MachineSetup setup, ViewerPatience patience, std::function<void(std::string_view)> complain);
    ~DocumentViewer();
    DocumentViewer(const DocumentViewer&) = delete;
    DocumentViewer& operator=(const DocumentViewer&) = delete;

    // What earlier engines left of their machines' folders. Before the first question, when those machines have been ended.
    void clearFolders() const;

    [[nodiscard]] Reading look(const std::string& agent, const Version& version);
    // Ahead: after what waits already. Now: a person looks at it, so it is the next, also where it waits already.
    enum class When { Ahead, Now };
    void ask(const std::string& agent, const Version& version, const OpenContent& open, When when = When::Ahead);
    // What becomes of one that was asked for; Waiting still when asked to stop, or at that time.
    [[nodiscard]] Reading await(const std::string& agent, const Version& version, std::chrono::steady_clock::time_point until,
                                std::stop_token stop);
    // The agent goes: its machine is ended, and what it was asked.
    void forget(const std::string& agent);
    void stop(); // ends every machine; whoever awaits is told that it failed

private:
    struct Key {
        std::string agent;
        files::Sha256 content;
        files::DocumentKind kind;
        auto operator<=>(const Key&) const = default;
    };
    struct Kept {
        Reading reading;
        Fault fault = Fault::None;
        std::chrono::steady_clock::time_point at;
        std::uint64_t used = 0;
    };
    struct Job {
        Key key;
        OpenContent open;
    };
    struct Lane { // an agent's
        std::deque<Job> jobs;
        std::unique_ptr<ViewerMachine> machine; // its own thread's
        std::stop_source off;
        bool over = true; // no thread, or one that has nothing left to do
        std::thread thread;
    };

    void run(Lane& lane);
    void endMachine(Lane& lane, std::unique_lock<std::mutex>& lock);
    [[nodiscard]] bool waitForWork(Lane& lane, std::unique_lock<std::mutex>& lock);
    [[nodiscard]] ViewerMachine::Text read(Lane& lane, const Job& job, std::unique_lock<std::mutex>& lock);
    [[nodiscard]] Status haveMachine(Lane& lane, std::unique_lock<std::mutex>& lock);
    void settle(const Key& key, ViewerMachine::Text outcome);
    void makeRoom();
    void endLanes(std::map<std::string, std::unique_ptr<Lane>> lanes);

    const MachineSetup m_setup;
    const ViewerPatience m_patience;
    const std::function<void(std::string_view)> m_complain;

    std::mutex m_mutex; // guards everything below
    std::condition_variable_any m_changed;
    bool m_stopped = false;
    std::map<std::string, std::unique_ptr<Lane>> m_lanes;
    std::map<Key, Kept> m_kept;
    std::size_t m_keptBytes = 0;
    std::uint64_t m_uses = 0;
    std::size_t m_machines = 0;
    std::size_t m_wanting = 0; // lanes that wait for room for a machine
};

} // namespace carrel::viewer
