// SPDX-License-Identifier: Apache-2.0
// How many bytes an agent's connections have carried today, by the day of this computer's clock: kept in its folder (volume.json), so
// that neither a new machine nor a new engine begins to count anew. Another day than the one that was written down begins at nothing.
//
// What is going to be used is written down before (cover()), so that an engine that is killed has counted too much by that, and never
// too little. A file that cannot be read counts for a day that is used up: it may have been.
//
// Owner: the agent; its network shares it. Thread: any; cover(), settle() and the first call block for the disk.
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>

namespace carrel::egress {

class DayVolume {
public:
    // `today`: the date, as text; none: this computer's.
    explicit DayVolume(std::filesystem::path file, std::function<std::string()> today = {});

    [[nodiscard]] std::uint64_t used(); // today
    [[nodiscard]] std::string day();
    void add(std::uint64_t bytes);      // to it; not written down before cover() or settle()
    // That much more may be used, for it is written down now. An error: it is not.
    [[nodiscard]] Status cover(std::uint64_t ahead);
    // What was used, and no more. Best effort: what is written down is too much, or lacks what nobody limits.
    void settle();
    // The owner has not been told yet that this was used up today; from now on he has.
    [[nodiscard]] bool tellOnce(std::uint64_t limit);

private:
    void look(); // m_mutex is held, as of what follows
    [[nodiscard]] Status write(std::uint64_t bytes);

    const std::filesystem::path m_file;
    const std::function<std::string()> m_today;
    std::mutex m_mutex;
    bool m_read = false;
    std::string m_day;
    std::uint64_t m_used = 0, m_written = 0;
    std::uint64_t m_told = 0; // the limit of which the owner was told today
    bool m_changed = false;   // besides the number
};

} // namespace carrel::egress
