// SPDX-License-Identifier: Apache-2.0
// A file that appears whole or not at all: it is written beside its place, for its owner alone, and put there when it is done.
// Ownership: removes what is half done. Thread: one owner.
#pragma once

#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <filesystem>
#include <string>

namespace carrel::cli {

enum class Existing { Keep, Replace };

class NewFile {
public:
    // Conflict: something is there already, and is to be kept.
    [[nodiscard]] static Result<NewFile> begin(const std::filesystem::path& file, Existing existing);
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    [[nodiscard]] int fd() const { return m_fd.get(); }
    // Flushes it and puts it in its place. Conflict: something came there meanwhile.
    [[nodiscard]] Status finish();

private:
    NewFile(std::filesystem::path file, std::string beside, UniqueFd fd, Existing existing);
    std::filesystem::path m_file;
    std::string m_beside; // empty: nothing is left to remove
    UniqueFd m_fd;
    Existing m_existing;
};

} // namespace carrel::cli
