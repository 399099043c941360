// SPDX-License-Identifier: Apache-2.0
// A real machine with gate-helper in it, and the host's word on programs. Thread: the test's.
#pragma once

#include "tests/live/guest/guestd/machine_rig.h"

#include <QString>

namespace carrel::test {

class GateRig : public MachineRig {
public:
    // Empty when the machine is ready and the helper lies at /tmp/helper; otherwise why not.
    [[nodiscard]] QString prepare();

    struct Policy {
        std::string mode = "deny";
        std::string unknown = "refuse";
        std::vector<QByteArray> deny, allow, code; // hexadecimal
    };
    [[nodiscard]] Status setPolicy(const Policy& policy);

    // What the shell says on both of its outputs, without the last line's end.
    [[nodiscard]] QByteArray sh(const QByteArray& line);
    // The SHA-256 of a file in the machine, as the machine's own tool says it.
    [[nodiscard]] QByteArray hashOf(const QByteArray& path);
    // Texts of the log lines that guestd has sent.
    [[nodiscard]] QByteArray logged();

    [[nodiscard]] QByteArray helper() const { return m_helper; }

private:
    std::uint64_t m_age = 0;
    QByteArray m_helper;
};

// What no machine need be asked for.
[[nodiscard]] QByteArray sha256(const QByteArray& content);

} // namespace carrel::test
