// SPDX-License-Identifier: Apache-2.0
// A Secret Service of the test's own: one keyring, whose items can be locked, damaged, doubled or kept back. Knows the plain
// session only; what is asked for an encrypted one falls back to it, as libsecret does of itself.
#pragma once

#include "tests/app/desktop/played_service.h"

#include <map>
#include <mutex>

namespace carrel::desktop::test {

class PlayedKeyring final : public PlayedService {
public:
    struct Item {
        std::map<std::string, std::string> attributes;
        std::string label, secret;
    };
    struct State {
        bool hasKeyring = true;
        bool locked = false;
        bool hidesLocked = false; // as a program that keeps everything in one encrypted file
        bool wantsPrompt = false; // for whatever it is asked to store
        std::vector<Item> items;
        int prompts = 0; // that were opened
        int calls = 0;
        std::string silentFrom; // this method and every later call get no answer
    };
    explicit PlayedKeyring(const std::string& address);
    PlayedKeyring(const std::string& address, State state);
    ~PlayedKeyring() override;

    [[nodiscard]] State state() {
        const std::lock_guard lock(m_mutex);
        return m_state;
    }
    template <class Change> void change(Change&& how) {
        const std::lock_guard lock(m_mutex);
        how(m_state);
    }

private:
    void setUp() override;
    GVariant* answer(const PlayedCall& call, std::string& error) override;
    GVariant* property(const std::string& path, const std::string& interface, const std::string& name) override;
    GVariant* store(GVariant* arguments);

    std::mutex m_mutex;
    State m_state;
};

} // namespace carrel::desktop::test
