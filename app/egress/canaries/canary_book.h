// SPDX-License-Identifier: Apache-2.0
// The canaries of one home, in a file of Carrel's folder (canaries.json, 0600).
// Owner: the engine. Thread: any; blocks for the disk. The listener is called without a lock, after the change.
#pragma once

#include "app/egress/canaries/canary.h"

#include <filesystem>
#include <functional>
#include <mutex>

namespace carrel::egress {

class CanaryBook {
public:
    explicit CanaryBook(std::filesystem::path file, std::function<std::int64_t()> nowMs = {}); // since 1970; none: the system's clock

    // An error: the file cannot be read; then none is looked for, and none is added.
    [[nodiscard]] Result<std::vector<Canary>> list();
    [[nodiscard]] Result<std::vector<Canary>> of(std::string_view agent);
    // Called once nothing else stands in the way, before anything changes. An error: then nothing does.
    using Before = std::function<Status(const Canary& canary)>;
    // AlreadyExists: the name or the text is taken. LimitExceeded: there are kMaxCanaries. InvalidArgument: also where the text stands
    // in what logs tell of it.
    [[nodiscard]] Result<Canary> add(Canary wanted, const Before& before = {});
    // What is said of where it is. Nothing: that stays as it was. AlreadyExists: the variable is another's for one of its agents.
    struct Planting {
        std::optional<std::string> planted, variable;
    };
    [[nodiscard]] Result<Canary> plant(const std::string& name, const Planting& where, const Before& before = {});
    [[nodiscard]] Result<Canary> remove(const std::string& name, const Before& before = {});

    void onChange(std::function<void()> listener) { m_changed = std::move(listener); } // once, before anything is asked

private:
    using Canaries = std::vector<Canary>;
    [[nodiscard]] Result<Canaries> read(); // m_mutex is held
    // `change` answers the one that it is about.
    [[nodiscard]] Result<Canary> change(const std::function<Result<Canary>(Canaries&)>& change, const Before& before);

    const std::filesystem::path m_file;
    const std::function<std::int64_t()> m_nowMs;
    std::function<void()> m_changed;
    std::mutex m_mutex; // guards the file, and what follows
    std::optional<Canaries> m_all; // once it was read
};

} // namespace carrel::egress
