// SPDX-License-Identifier: Apache-2.0
// A program of two bytes a step for a viewer's machine that lies about one document: text of any bytes in any pieces,
// outcomes of any form, ends and resets in any order. What is handed on is plain text within its bound, whole lines where it
// was cut, and exactly what came; the outcome is told once at most, in one of its forms. Nothing leaves the process.
#include "app/clerk/document_reader.h"
#include "guest/protocol/share_path.h"
#include "tests/app/clerk/mux_peer.h"

#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <optional>
#include <span>
#include <sys/mman.h>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::clerk;
using carrel::clerk::test::MuxPeer;
namespace json = boost::json;

namespace {

constexpr std::uint32_t kSession = 7;
constexpr std::uint64_t kMost = 200;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}
std::uint32_t inGuest(std::uint32_t part) {
    return kSession * control::kSessionStreams + part;
}

class Program {
public:
    Program() {
        int ends[2] = {-1, -1};
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        m_guest = std::make_unique<MuxPeer>(UniqueFd(ends[0]), Side::Guest);
        Mux::Events events;
        const auto part = [](std::uint32_t stream) { return stream % control::kSessionStreams; };
        events.accept = [](std::uint32_t) -> std::optional<StreamKind> { return std::nullopt; };
        events.data = [this, part](std::uint32_t s, Bytes&& data) { m_reader->guestData(part(s), std::move(data)); };
        events.end = [this, part](std::uint32_t s) { m_reader->guestEnd(part(s)); };
        events.reset = [this, part](std::uint32_t s, std::uint32_t) { m_reader->guestReset(part(s)); };
        events.writable = [this, part](std::uint32_t s) { m_reader->guestWritable(part(s)); };
        m_channel = ChannelPump::create(m_loop, UniqueFd(ends[1]), ChannelPump::Peer::Guest, std::move(events), {}, [](const std::string&) {});
        m_channel->start();
        settle();
        UniqueFd document(::memfd_create("document", MFD_CLOEXEC));
        require(::ftruncate(document.get(), 700'000) == 0);
        UniqueFd text(::memfd_create("text", MFD_CLOEXEC));
        m_text.reset(::dup(text.get()));
        m_reader = std::make_shared<DocumentReader>(
            kSession, m_channel, DocumentReader::Setup{std::move(document), std::move(text), kMost},
            [this](std::uint32_t, Result<json::object> outcome) {
                require(!m_outcome);
                m_outcome = std::move(outcome);
            });
        m_reader->start({"extract"});
        settle();
        for (const auto out : {control::kSessionStdout, control::kSessionStderr}) {
            m_guest->mux().openStream(inGuest(out), StreamKind::Bytes);
        }
    }

    void step(std::uint8_t what, std::uint8_t how, std::span<const std::uint8_t> rest) {
        const auto part = how % control::kSessionStreams;
        switch (what % 7) {
        case 0: {
            const auto size = std::min<std::size_t>(rest.size(), how);
            const std::string piece(reinterpret_cast<const char*>(rest.data()), size);
            if (m_guest->mux().sendBytes(inGuest(control::kSessionStdout), asBytes(piece))) {
                m_sent += m_ended ? std::string() : piece;
            }
            break;
        }
        case 1: {
            static const char* const kSaid[] = {R"({"exit":{"code":0}})", R"({"exit":{"signal":9}})", R"({"started":{}})", R"({"exit":{}})",
                                                R"({"error":{"code":1,"message":"x"}})", "[]", "{", R"({"exit":{"code":999}})"};
            (void)m_guest->mux().sendMessage(inGuest(control::kSessionControl), asBytes(std::string_view(kSaid[how % 8]))).has_value();
            break;
        }
        case 2:
            m_guest->mux().sendEnd(inGuest(part));
            m_ended = m_ended || part == control::kSessionStdout;
            break;
        case 3:
            m_guest->mux().sendReset(inGuest(part), how);
            m_ended = m_ended || part == control::kSessionStdout;
            break;
        case 4:
            (void)m_guest->mux().sendBytes(inGuest(control::kSessionStderr), asBytes(std::string_view("noise\0", 6))).has_value();
            break;
        case 5:
            m_guest->giveBack(inGuest(control::kSessionStdin));
            break;
        default:
            m_reader->guestGone("gone");
            break;
        }
        settle();
        check();
    }

private:
    void settle() {
        for (bool moved = true; moved;) {
            m_loop.restart();
            moved = m_loop.poll() > 0;
            moved = m_guest->pump() || moved;
        }
    }
    void check() const {
        std::string text(kMost * 2, '\0');
        const auto got = ::pread(m_text.get(), text.data(), text.size(), 0);
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        if (!m_outcome || !*m_outcome) {
            require(text.empty());
            return;
        }
        const auto& outcome = **m_outcome;
        require(json::serialize(outcome).size() < 200);
        require(outcome.at("size").to_number<std::uint64_t>() == text.size() && text.size() <= kMost);
        require(isUtf8(text) && isPlainLines(text));
        require(m_sent.starts_with(text));
        require(outcome.contains("code") != outcome.contains("signal"));
    }

    boost::asio::io_context m_loop;
    std::unique_ptr<MuxPeer> m_guest;
    std::shared_ptr<ChannelPump> m_channel;
    std::shared_ptr<DocumentReader> m_reader;
    UniqueFd m_text;
    std::string m_sent;
    bool m_ended = false;
    std::optional<Result<json::object>> m_outcome;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program program;
    const std::span<const std::uint8_t> bytes(data, size);
    for (std::size_t at = 0; at + 1 < size && at < 200; at += 2) {
        program.step(bytes[at], bytes[at + 1], bytes.subspan(at + 2));
    }
    return 0;
}
