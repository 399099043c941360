// SPDX-License-Identifier: Apache-2.0
// A notification service of the test's own.
#pragma once

#include "tests/app/desktop/played_service.h"

#include <map>
#include <mutex>
#include <vector>

namespace carrel::desktop::test {

class PlayedNotifications final : public PlayedService {
public:
    struct Shown {
        std::string application, icon, summary, body;
        std::size_t actions = 0;
        int urgency = -1;
        std::size_t hints = 0;
        int timeout = 0;
        int replaced = 0;
    };
    struct State {
        std::map<std::uint32_t, Shown> screen;
        std::vector<Shown> all; // that were ever on it, each time that they changed
        int notified = 0, closed = 0;
        std::size_t mostAtOnce = 0;
        std::uint32_t last = 0;
        bool answersNothingUseful = false; // Notify gives 0
        bool fails = false;
    };
    explicit PlayedNotifications(const std::string& address, std::uint32_t firstNumber = 1);
    ~PlayedNotifications() override;

    [[nodiscard]] State state() {
        const std::lock_guard lock(m_mutex);
        return m_state;
    }
    template <class Change> void change(Change&& how) {
        const std::lock_guard lock(m_mutex);
        how(m_state);
    }
    void personCloses(std::uint32_t number);

private:
    void setUp() override;
    GVariant* answer(const PlayedCall& call, std::string& error) override;
    GVariant* property(const std::string&, const std::string&, const std::string&) override { return nullptr; }

    std::mutex m_mutex;
    State m_state;
};

} // namespace carrel::desktop::test
