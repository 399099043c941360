// SPDX-License-Identifier: Apache-2.0
// The providers of one home, in a file of Carrel's folder (providers.json, 0600), which is replaced as a whole and flushed. A file that
// cannot be read is an error of every call and is never written over: until it is put right no provider is used and none is added.
//
// Owner: the engine. Thread: any; blocks for the disk where something is changed, and once to read.
#pragma once

#include "app/providers/provider.h"

#include <filesystem>
#include <functional>
#include <mutex>
#include <vector>

namespace carrel::providers {

inline constexpr std::size_t kMaxProviders = 64;

class ProviderBook {
public:
    // `nowMs`: since 1970; none: the system's clock.
    explicit ProviderBook(std::filesystem::path file, std::function<std::int64_t()> nowMs = {});

    [[nodiscard]] Result<std::vector<Provider>> list(); // by name
    [[nodiscard]] Result<Provider> find(const std::string& name);
    // AlreadyExists: the name is taken. Answers it with its time.
    [[nodiscard]] Result<Provider> add(Provider wanted);
    [[nodiscard]] Result<Provider> remove(const std::string& name);

private:
    [[nodiscard]] Status read(); // under m_mutex
    [[nodiscard]] Status write(const std::vector<Provider>& all) const;

    const std::filesystem::path m_file;
    std::function<std::int64_t()> m_nowMs;
    std::mutex m_changing; // one change at a time; before m_mutex
    std::mutex m_mutex;    // guards what follows
    bool m_read = false;
    std::vector<Provider> m_all; // by name
};

} // namespace carrel::providers
