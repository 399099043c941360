// SPDX-License-Identifier: Apache-2.0
// A conversation on the disk, so that it outlives the agent and its machine: JSON Lines, a line for each thing that was added, written and
// flushed before it counts. A last line without its end is what a crash left of one that never counted: it is dropped. Any other line that
// cannot be read is an error, and the file stays as it is: nothing of a conversation is thrown away in silence. A shorter conversation in
// the place of the old one is one more line, so that the whole story stays in the file.
//
//   {"carrel-conversation": 1}
//   {"add": {"role": "user", "parts": [{"text": "…"}]}}
//   {"add": {"role": "assistant", "parts": [{"call": {"id": "…", "name": "…", "input": {…}}}, {"sealed": {"api": "…", "block": {…}}}]}}
//   {"add": {"role": "user", "parts": [{"result": {"id": "…", "text": "…", "error": false}}]}}
//   {"instead": [ … messages … ]}
//
// Thread: one at a time; of one file, one object in one process (flock(2)).
#pragma once

#include "guest/agent/conversation.h"
#include "guest/protocol/unique_fd.h"

#include <memory>

namespace carrel::agent {

class ConversationFile final : public ConversationKeeper {
public:
    struct Opened {
        std::unique_ptr<ConversationFile> file;
        std::vector<Message> messages; // for Conversation::restored()
    };
    // Makes it, readable by its owner alone, where there is none. Refused: another process has it open. Malformed: it is no conversation,
    // or has a line that cannot be read. LimitExceeded. Errors of open(2), read(2), fsync(2).
    [[nodiscard]] static Result<Opened> open(const std::string& path);

    [[nodiscard]] Status keep(const Message& added) override;
    [[nodiscard]] Status keepInstead(const std::vector<Message>& messages) override;

private:
    ConversationFile(UniqueFd file, std::string path, std::uint64_t size)
        : m_file(std::move(file))
        , m_path(std::move(path))
        , m_size(size) {}
    [[nodiscard]] Status append(const boost::json::object& line);

    UniqueFd m_file;
    std::string m_path;
    std::uint64_t m_size; // up to where lines are whole
};

// One message, there and back. Malformed.
[[nodiscard]] boost::json::object messageJson(const Message& message);
[[nodiscard]] Result<Message> messageFrom(const boost::json::value& json);

} // namespace carrel::agent
