// SPDX-License-Identifier: Apache-2.0
// Where conversations lie: HOME/sessions/ID.jsonl, a file each (conversation_file.h). Thread: any.
#pragma once

#include "guest/protocol/result.h"

namespace carrel::agent {

class SessionStore {
public:
    explicit SessionStore(std::string home)
        : m_folder(std::move(home) + "/sessions") {}

    // A name that nobody else has, for a conversation that begins. Makes the folders, closed to others. Io.
    [[nodiscard]] Result<std::string> newId() const;
    // NotFound: no conversation of this name is here, or it is no such name.
    [[nodiscard]] Status has(std::string_view id) const;
    [[nodiscard]] std::string path(std::string_view id) const; // of a name that newId() gave or has() knows

private:
    std::string m_folder;
};

} // namespace carrel::agent
