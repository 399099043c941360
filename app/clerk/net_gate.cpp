// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_gate.h"

#include "app/clerk/tls_hello.h"

namespace carrel::clerk {

namespace {

class OpenGate final : public NetGate {
public:
    [[nodiscard]] Verdict look(ByteSpan bytes) override { return {bytes.size(), true}; }
    void serverSaid(ByteSpan) override {}
    [[nodiscard]] bool waitsForServer() const override { return false; }
    [[nodiscard]] bool hasToHear() const override { return false; }
};

// Hello → Server → Open, or → SecondHello → Open where the server wants another hello. What comes after a hello is held
// until the server has answered it: it always does so first, and only then is it known which.
class TlsGate final : public NetGate {
public:
    explicit TlsGate(std::string host)
        : m_host(std::move(host)) {}

    [[nodiscard]] Verdict look(ByteSpan bytes) override {
        switch (m_state) {
        case State::Open:
            return {bytes.size(), true};
        case State::Server:
            return {};
        default:
            return lookAtFirst(bytes);
        }
    }
    void serverSaid(ByteSpan bytes) override {
        if (m_state != State::Server) {
            return;
        }
        constexpr std::size_t kEnough = 64;
        const auto some = bytes.first(std::min(bytes.size(), kEnough - std::min(kEnough, m_server.size())));
        m_server.insert(m_server.end(), some.begin(), some.end());
        const Look look = looksLikeRetry(m_server);
        if (look != Look::More) {
            m_state = look == Look::Good ? State::SecondHello : State::Open;
        }
    }
    [[nodiscard]] bool waitsForServer() const override { return m_state == State::Server; }
    [[nodiscard]] bool hasToHear() const override { return true; }

private:
    enum class State { Hello, Server, SecondHello, Open };

    Verdict lookAtFirst(ByteSpan bytes) {
        std::size_t before = 0;
        if (m_state == State::SecondHello) { // some send this first, to please what stands between
            const auto record = changeCipherSpec(bytes);
            if (record.look == Look::More) {
                return {};
            }
            before = record.bytes;
        }
        const auto hello = lookAtHello(bytes.subspan(before), m_host);
        if (hello.look != Look::Good) {
            return {0, hello.look == Look::More};
        }
        m_state = m_state == State::Hello ? State::Server : State::Open;
        return {before + hello.bytes, true};
    }

    std::string m_host;
    State m_state = State::Hello;
    Bytes m_server;
};

} // namespace

std::unique_ptr<NetGate> makeOpenGate() {
    return std::make_unique<OpenGate>();
}

std::unique_ptr<NetGate> makeTlsGate(std::string host) {
    return std::make_unique<TlsGate>(std::move(host));
}

} // namespace carrel::clerk
