// SPDX-License-Identifier: Apache-2.0
// A real machine for tests of guestd: raw QEMU under emulation, and the host's ends of the four channels,
// driven by the test's own thread. What it needs is made in a temporary folder and goes with it.
#pragma once

#include "guest/protocol/mux.h"
#include "guest/protocol/rpc.h"
#include "guest/protocol/unique_fd.h"

#include <QByteArray>
#include <QProcess>
#include <QString>
#include <QTemporaryDir>

#include <functional>
#include <map>
#include <memory>

namespace carrel::test {

// The host's end of one channel.
class HostChannel {
public:
    HostChannel(const QString& socketPath, std::function<StreamKind(std::uint32_t)> kinds);
    void begin(); // a new epoch
    void reconnect();
    void disconnect();
    void pump(); // reads and writes what is possible now

    Mux& mux() { return *m_mux; }
    [[nodiscard]] int fd() const { return m_fd.get(); }
    [[nodiscard]] UniqueFd take() { return std::move(m_fd); }
    [[nodiscard]] int epochs() const { return m_epochs; }

    struct Stream {
        QByteArray bytes; // of byte streams
        std::vector<QByteArray> messages;
        bool ended = false;
        bool reset = false;
        bool stalled = false; // the test takes nothing: no credit is returned
    };
    std::map<std::uint32_t, Stream> streams;
    std::function<void(std::uint32_t, ByteSpan)> onMessage; // besides the record
    std::function<void(std::uint32_t)> onChange;            // bytes came, or the end, or a reset

private:
    void makeMux();
    void changed(std::uint32_t stream);
    QString m_path;
    std::function<StreamKind(std::uint32_t)> m_kinds;
    std::unique_ptr<Mux> m_mux;
    UniqueFd m_fd;
    std::map<std::uint32_t, std::size_t> m_owed;
    Bytes m_pending;
    int m_epochs = 0;
};

class MachineRig {
public:
    // Before boot(): as the image's own keys of Debian's archive.
    void bringKeyring(const QString& file) { m_keyring = file; }
    // Empty when the machine started; otherwise why the test must be skipped or has failed.
    // guestd: the program to run as carrel-guestd; empty: the one that was built.
    [[nodiscard]] QString boot(const QString& guestd = {});
    ~MachineRig();

    HostChannel& control() { return *m_control; }
    HostChannel& terminals() { return *m_terminals; }
    HostChannel& files() { return *m_files; }
    HostChannel& network() { return *m_network; }
    UniqueFd takeNetwork(); // the host's end, for somebody else to drive

    // Moves all channels until `done`, or until nothing at all happens for a long while.
    [[nodiscard]] bool until(const std::function<bool()>& done);
    enum class Programs { Undecided, Follow }; // whether the hello says that a policy of programs comes
    [[nodiscard]] bool greet(const boost::json::array& shares = {}, const boost::json::value& authority = nullptr,
                             Programs programs = Programs::Undecided);
    [[nodiscard]] Result<boost::json::value> call(const std::string& method, boost::json::object params);

    struct Outcome {
        QByteArray out;
        QByteArray err;
        QByteArray end; // the exit or error message's text
    };
    [[nodiscard]] Outcome run(const std::vector<std::string>& argv, const QByteArray& input = {});
    std::uint32_t startSession(const boost::json::object& start); // its number
    [[nodiscard]] bool ended(std::uint32_t session);
    [[nodiscard]] Outcome outcome(std::uint32_t session);
    [[nodiscard]] QByteArray console();
    [[nodiscard]] bool isRunning();

private:
    QTemporaryDir m_folder;
    QString m_keyring;
    QProcess m_qemu;
    QByteArray m_console;
    std::unique_ptr<HostChannel> m_control, m_terminals, m_files, m_network;
    std::uint64_t m_nextId = 1;
    std::uint32_t m_nextSession = 1;
};

} // namespace carrel::test
