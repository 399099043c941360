// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/app/files/call_tracer.h"

namespace carrel::files::test {

// Even points are before a call, odd ones after it.
class Killer : public Watcher {
public:
    explicit Killer(std::size_t point)
        : m_point(point) {}
    Order before(const Call& call) override {
        m_at = std::string(call.name());
        if (call.index != m_point / 2) {
            return {Act::Go};
        }
        return {m_point % 2 == 0 ? Act::Kill : Act::GoOn};
    }
    Order after(const Call&, long) override { return {Act::Kill}; }
    [[nodiscard]] std::string where() const {
        return "point " + std::to_string(m_point) + (m_point % 2 == 0 ? ", before " : ", after ") + m_at;
    }

private:
    std::size_t m_point;
    std::string m_at;
};

} // namespace carrel::files::test
