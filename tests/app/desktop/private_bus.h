// SPDX-License-Identifier: Apache-2.0
// A message bus of the test's own, which starts nothing and knows no service but the played ones.
#pragma once

#include <QProcess>
#include <QTemporaryDir>

#include <memory>
#include <string>

namespace carrel::desktop::test {

class PrivateBus {
public:
    PrivateBus();
    ~PrivateBus();
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;

    [[nodiscard]] bool runs() const { return m_daemon && m_daemon->state() == QProcess::Running; }
    [[nodiscard]] std::string address() const;
    void start();
    void stop();

private:
    QTemporaryDir m_folder;
    std::unique_ptr<QProcess> m_daemon;
};

} // namespace carrel::desktop::test
