// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/synthetic_dns.h"

namespace carrel::guestd {

namespace {

constexpr std::size_t kHeader = 12;
constexpr std::size_t kMaxWireName = 255;
constexpr std::uint32_t kSeconds = 60; // a name keeps its address for longer, so that this is no promise

constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeAaaa = 28;
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::uint16_t kTypeAny = 255;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kOurUdpSize = 1232; // what fits everywhere (DNS flag day 2020)

constexpr std::uint16_t kResponse = 0x8000;
constexpr std::uint16_t kOpcode = 0x7800;
constexpr std::uint16_t kAuthoritative = 0x0400;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;

enum class Code : std::uint16_t { None = 0, FormErr = 1, NxDomain = 3, NotImp = 4, Refused = 5 };

std::uint16_t get16(ByteSpan bytes, std::size_t at) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8U | std::to_integer<unsigned>(bytes[at + 1]));
}

void put16(Bytes& to, std::uint16_t value) {
    appendLe(to, static_cast<std::uint8_t>(value >> 8U));
    appendLe(to, static_cast<std::uint8_t>(value));
}

struct Question {
    std::string name;         // lower case, without the final dot
    bool isHost = true;       // false: it holds what no host's name can
    std::uint16_t type = 0;
    std::uint16_t kind = 0;   // the class
    std::size_t end = 0;      // of the question in the query
    bool hasOptions = false;  // EDNS
};

// The name of the question: labels and nothing else. A pointer has nothing to point at here.
bool readName(ByteSpan query, Question& question) {
    std::size_t at = kHeader;
    for (;;) {
        if (at >= query.size()) {
            return false;
        }
        const auto length = std::to_integer<std::size_t>(query[at++]);
        if (length == 0) {
            question.end = at;
            return at - kHeader <= kMaxWireName;
        }
        if (length > net::kMaxLabel || at + length > query.size()) {
            return false;
        }
        if (!question.name.empty()) {
            question.name += '.';
        }
        for (const char c : asText(query.subspan(at, length))) {
            const bool isUpper = c >= 'A' && c <= 'Z';
            question.isHost = question.isHost && c != '.'; // one that is part of a label would look like two
            question.name += isUpper ? static_cast<char>(c - 'A' + 'a') : c;
        }
        at += length;
    }
}

// The one record that may follow: the sender's options (RFC 6891), of which none matters here.
bool readOptions(ByteSpan query, std::size_t at) {
    constexpr std::size_t kFixed = 11; // the root's name, type, class, time, length
    return at + kFixed <= query.size() && query[at] == std::byte{0} && get16(query, at + 1) == kTypeOpt &&
           at + kFixed + get16(query, at + 9) == query.size();
}

std::optional<Question> readQuestion(ByteSpan query) {
    Question question;
    const auto additional = get16(query, 10);
    if (get16(query, 4) != 1 || get16(query, 6) != 0 || get16(query, 8) != 0 || additional > 1 || !readName(query, question) ||
        question.end + 4 > query.size()) {
        return std::nullopt;
    }
    question.type = get16(query, question.end);
    question.kind = get16(query, question.end + 2);
    question.end += 4;
    question.hasOptions = additional == 1;
    const bool endsHere = question.hasOptions ? readOptions(query, question.end) : question.end == query.size();
    return endsHere ? std::optional(std::move(question)) : std::nullopt;
}

bool isBeneath(std::string_view name, std::string_view domain) {
    return name == domain || (name.ends_with(domain) && name[name.size() - domain.size() - 1] == '.');
}

bool isPossible(const Question& question) {
    if (!question.isHost || !net::isHostName(question.name)) {
        return false;
    }
    for (const char* domain : {"invalid", "onion", "in-addr.arpa", "ip6.arpa", "use-application-dns.net"}) {
        if (isBeneath(question.name, domain)) {
            return false;
        }
    }
    return true;
}

struct Addresses {
    net::Ipv4 v4{};
    net::Ipv6 v6{};
};

Addresses addressesOf(const std::string& name, NameTable& names) {
    if (isBeneath(name, "localhost")) {
        Addresses loopback{{127, 0, 0, 1}, {}};
        loopback.v6.back() = 1;
        return loopback;
    }
    const auto number = names.numberFor(name);
    return {address4(number), address6(number)};
}

template <class Address> void putRecord(Bytes& to, std::uint16_t type, const Address& address) {
    put16(to, 0xc000U | kHeader); // the name is the question's
    put16(to, type);
    put16(to, kClassIn);
    put16(to, 0);
    put16(to, kSeconds);
    put16(to, static_cast<std::uint16_t>(address.size()));
    const auto bytes = std::as_bytes(std::span(address));
    to.insert(to.end(), bytes.begin(), bytes.end());
}

void putHeader(Bytes& to, ByteSpan query, Code code, std::uint16_t questions, std::uint16_t answers, std::uint16_t additional) {
    const auto flags = get16(query, 2);
    put16(to, get16(query, 0));
    put16(to, static_cast<std::uint16_t>(kResponse | (flags & (kOpcode | kRecursionDesired)) | kAuthoritative | kRecursionAvailable |
                                         static_cast<std::uint16_t>(code)));
    put16(to, questions);
    put16(to, answers);
    put16(to, 0);
    put16(to, additional);
}

Bytes refusal(ByteSpan query, Code code) {
    Bytes out;
    putHeader(out, query, code, 0, 0, 0);
    return out;
}

} // namespace

Bytes dnsAnswer(ByteSpan query, NameTable& names) {
    if (query.size() < kHeader || query.size() > kMaxDnsQuery || (get16(query, 2) & kResponse) != 0) {
        return {};
    }
    if ((get16(query, 2) & kOpcode) != 0) {
        return refusal(query, Code::NotImp);
    }
    const auto question = readQuestion(query);
    if (!question) {
        return refusal(query, Code::FormErr);
    }
    if (question->kind != kClassIn) {
        return refusal(query, Code::Refused);
    }
    Bytes records;
    std::uint16_t count = 0;
    const bool possible = isPossible(*question);
    const bool wants4 = question->type == kTypeA || question->type == kTypeAny;
    const bool wants6 = question->type == kTypeAaaa || question->type == kTypeAny;
    if (possible && (wants4 || wants6)) {
        const auto addresses = addressesOf(question->name, names);
        if (wants4) {
            putRecord(records, kTypeA, addresses.v4);
            ++count;
        }
        if (wants6) {
            putRecord(records, kTypeAaaa, addresses.v6);
            ++count;
        }
    }
    Bytes out;
    // Other types have names that no host can have (_http._tcp.…): that there is no such record says enough.
    const Code code = possible || !(wants4 || wants6) ? Code::None : Code::NxDomain;
    putHeader(out, query, code, 1, count, question->hasOptions ? 1 : 0);
    const auto asked = query.subspan(kHeader, question->end - kHeader); // as it was written: some check that
    out.insert(out.end(), asked.begin(), asked.end());
    out.insert(out.end(), records.begin(), records.end());
    if (question->hasOptions) {
        appendLe(out, std::uint8_t{0});
        put16(out, kTypeOpt);
        put16(out, kOurUdpSize);
        put16(out, 0);
        put16(out, 0);
        put16(out, 0);
    }
    return out;
}

} // namespace carrel::guestd
