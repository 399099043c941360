// SPDX-License-Identifier: Apache-2.0
// The reading of one document in a viewer's machine: a command of the engine's there gets the document's bytes as its
// standard input, and what it writes is held to be the document's text. The bytes of the machine end here: what goes on to
// the engine is at most so many bytes of plain text, and how the command ended, as a number.
//
//   text       valid UTF-8 without control characters but tab and line end; anything else is no text, and is refused whole
//   too much   the command is ended, what came is kept up to the end of a line, and said to be cut
//   stderr     is taken and dropped
//
// Thread: the event loop's. Ownership: the clerk's, until `done` was called, once.
#pragma once

#include "app/clerk/channel_pump.h"
#include "app/clerk/guest_session.h"

#include <functional>
#include <memory>
#include <string>

namespace carrel::clerk {

inline constexpr std::uint64_t kMaxDocumentText = 4 * 1024 * 1024; // what the engine may ask for at most

class DocumentReader final : public GuestSession {
public:
    struct Setup {
        UniqueFd document;        // read from its beginning, by position
        UniqueFd text;            // written from its beginning when all of it is there
        std::uint64_t maxText = 0;
    };
    // {size, cut, code | signal}, or why there is no text. Malformed: what came was none. Unavailable: the machine went.
    using Done = std::function<void(std::uint32_t session, Result<boost::json::object> outcome)>;

    DocumentReader(std::uint32_t session, std::shared_ptr<ChannelPump> guest, Setup setup, Done done);

    void start(const boost::json::array& argv);

    void guestData(std::uint32_t part, Bytes&& data) override;
    void guestEnd(std::uint32_t part) override;
    void guestReset(std::uint32_t part) override;
    void guestWritable(std::uint32_t part) override;
    void guestGone(const std::string& why) override;

private:
    void sendSome();
    void takeText(ByteSpan data);
    void maybeFinish();
    [[nodiscard]] Result<boost::json::object> conclude();
    void finish(Result<boost::json::object> outcome);
    [[nodiscard]] std::uint32_t stream(std::uint32_t part) const { return m_session * control::kSessionStreams + part; }

    std::uint32_t m_session;
    std::shared_ptr<ChannelPump> m_guest;
    Setup m_setup;
    Done m_done;
    std::uint64_t m_sent = 0;
    bool m_inputOver = false;
    std::string m_text;
    bool m_cut = false;
    bool m_textOver = false;
    boost::json::object m_outcome;
};

// The longest beginning of `text` that ends with a line, or with a character where it is all one line.
[[nodiscard]] std::string_view wholeLines(std::string_view text);
[[nodiscard]] bool isPlainLines(std::string_view text);

} // namespace carrel::clerk
