// SPDX-License-Identifier: Apache-2.0
// The file ability that an agent program may ask its client for: fs/read_text_file and fs/write_text_file, each by a process of the
// agent's own (text_file.h), never by guestd. Bounded: so many at a time, so large a text. Thread: one.
#pragma once

#include "guest/acp/message.h"
#include "guest/runner/child.h"

#include <functional>
#include <list>

namespace carrel::runner {

class AgentFiles {
public:
    static constexpr std::size_t kMostBytes = 4 * 1024 * 1024; // of a file that is read; one that is written came in a line
    static constexpr std::size_t kMostAtATime = 16;
    using Answer = std::function<void(const acp::Id& id, acp::Outcome outcome)>;
    using Spawners = std::function<std::shared_ptr<guestd::Spawner>()>; // null: the agent's account does not stand

    // `program`: where carrel-ask lies in the agent's root.
    AgentFiles(Spawners spawners, std::string program, Reaper& reaper, Answer answer)
        : m_spawners(std::move(spawners))
        , m_program(std::move(program))
        , m_reaper(reaper)
        , m_answer(std::move(answer)) {}

    [[nodiscard]] static bool isMethod(std::string_view method);
    void request(const acp::Request& request);
    void cancel(const acp::Id& id); // it is answered Cancelled; a write may have been done
    void collectPoll(std::vector<pollfd>& into) const;
    void advance();

private:
    struct Job {
        acp::Id id;
        std::string path;
        bool isRead = false;
        std::unique_ptr<Child> child;
        std::string out, err;
    };
    [[nodiscard]] Status begin(const acp::Request& request);
    [[nodiscard]] bool goesOn(Job& job);
    void finish(const Job& job);

    Spawners m_spawners;
    std::string m_program;
    Reaper& m_reaper;
    Answer m_answer;
    std::list<Job> m_jobs;
};

} // namespace carrel::runner
