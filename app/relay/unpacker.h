// SPDX-License-Identifier: Apache-2.0
// Unfolds what is compressed within the body of a request, as it comes, so that it can be searched (canary_watch.h):
//
//   - all of it, where the request says so (Content-Encoding: gzip, deflate)
//   - else gzip at the body's beginning, behind an empty line, where a part of a multipart body begins (RFC 2046), or right behind gzip
//   - else each member of a ZIP archive that is deflated and not encrypted (APPNOTE.TXT 6.3, 4.3.7), wherever it begins. Many documents
//     are such archives
//
// Bounded for each body: kMostUnfolded bytes, and kMostRatio times what they were unfolded from beyond the first kUnfoldedFreely.
// Not unfolded: other codings, more than one on top of each other, formats that compress within themselves (PNG, PDF, git's packs).
// Ownership: one for each body. Thread: one.
#pragma once

#include "app/relay/http_head.h"
#include "app/relay/inflater.h"

#include <cstdint>
#include <functional>

namespace carrel::relay {

inline constexpr std::uint64_t kMostUnfolded = 64ULL * 1024 * 1024;
inline constexpr std::uint64_t kMostRatio = 256; // DEFLATE itself can come to about 1030
inline constexpr std::uint64_t kUnfoldedFreely = 1024 * 1024;

class Unpacker {
public:
    enum class Coding { None, Gzip, Deflate };
    // What a head says of its body; one that is not known, or more than one: None.
    [[nodiscard]] static Coding codingOf(const Fields& fields);

    explicit Unpacker(Coding coding);

    enum class Outcome { Fine, TooMuch, NotInOrder }; // NotInOrder: the body is not what its head says. Both are for good
    using Sink = std::function<void(ByteSpan unfolded)>;
    [[nodiscard]] Outcome feed(ByteSpan in, const Sink& sink);

private:
    enum class State {
        Seek,       // for the beginning of something
        ZipHeader,  // behind its signature
        ZipNames,   // behind that
        Format,     // of what is said to be "deflate": zlib's, or without a frame
        Unfold,
        Rest,       // behind the end of what the head spoke of
    };
    [[nodiscard]] std::size_t seek(ByteSpan in);
    [[nodiscard]] std::size_t takeZipHeader(ByteSpan in);
    [[nodiscard]] std::size_t takeFormat(ByteSpan in);
    [[nodiscard]] std::size_t unfold(ByteSpan in, const Sink& sink);
    [[nodiscard]] std::size_t run(ByteSpan in, const Sink& sink);
    void begin(Inflater::Format format, std::string_view head = {});
    void ended(Inflater::State how);

    const Coding m_coding;
    State m_state;
    Outcome m_outcome = Outcome::Fine;
    Inflater m_inflater;
    Inflater::Format m_format = Inflater::Format::Gzip;
    std::string m_head;             // of what begins: not looked at yet, or to be unfolded first
    std::uint64_t m_last;           // the last eight bytes, the newest lowest
    std::uint64_t m_skip = 0;       // of a ZIP member's names
    std::uint64_t m_taken = 0, m_given = 0; // compressed, and what it came to
};

} // namespace carrel::relay
