// SPDX-License-Identifier: Apache-2.0
// The heads of HTTP/1.1 messages (RFC 9112), read strictly: what does not have exactly one meaning is a fault, because the other side
// may read it otherwise (request smuggling, response splitting). Faults: both lengths, several of one or one in bad form, a coding but
// chunked, obs-fold, a lone CR or LF, blanks about a field's name, NUL and other control characters, HTTP/0.9 and HTTP/2 by prior
// knowledge, CONNECT, several Hosts or another one than the connection's, a head beyond its bounds.
//
// A parser of its own, and not Boost.Beast's: that one accepts obs-fold and joins the lines, and everything else that must be refused
// here would have to be looked for a second time in what it has already put right. What goes on is written anew from what was read,
// so that nothing passes that was not understood.
// Thread: values and pure functions.
#pragma once

#include "app/relay/http_target.h"

#include <vector>

namespace carrel::relay {

inline constexpr std::size_t kMaxHead = 64 * 1024;
inline constexpr std::size_t kMaxFields = 256;
inline constexpr std::size_t kMaxMethod = 32;

struct Field {
    std::string name;
    std::string value; // trimmed
};
using Fields = std::vector<Field>;
[[nodiscard]] bool isField(const Field& field, std::string_view name);
void removeFields(Fields& fields, std::string_view name);

enum class Version { Http10, Http11 };

// How a body ends (RFC 9112, section 6.3).
struct BodyEnd {
    enum class Kind { None, Length, Chunked, Connection } kind = Kind::None;
    std::uint64_t length = 0;
};

struct RequestHead {
    std::string method;
    Target target;
    Version version = Version::Http11;
    Fields fields; // without those of the connection (Connection and what it names, Keep-Alive, TE, Transfer-Encoding, …), and Host
    BodyEnd body;
    bool keepsAlive = true;
    bool expectsContinue = false;
    bool wantsWebSocket = false; // no other upgrade is ever asked for
};
// `head`: with the empty line at its end.
[[nodiscard]] HttpResult<RequestHead> readRequest(std::string_view head, const Origin& origin);

struct ResponseHead {
    Version version = Version::Http11;
    int status = 0;
    std::string reason;
    Fields fields; // likewise
    BodyEnd body;
    bool keepsAlive = true;
    bool isWebSocket = false; // it upgrades to that
};
[[nodiscard]] HttpResult<ResponseHead> readResponse(std::string_view head, std::string_view method);

// Finds the end of a head in bytes that come in pieces, each of them looked at once; what can be none any more is a fault at once.
class HeadSeeker {
public:
    enum class Kind { Request, Response };
    explicit HeadSeeker(Kind kind) : m_kind(kind) {}
    // `all`: what has come since the head began. The head's size once its end is there, 0 before.
    [[nodiscard]] HttpResult<std::size_t> look(std::string_view all);
    void restart();

private:
    [[nodiscard]] bool isFirstLineGood(std::string_view line) const;

    Kind m_kind;
    std::size_t m_seen = 0;
    std::size_t m_lineBegin = 0;
    bool m_isFirstLine = true;
};

} // namespace carrel::relay
