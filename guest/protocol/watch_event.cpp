// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/watch_event.h"

#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::watch {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxBase64 = (kMaxBatchBytes + 2) / 3 * 4;
constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 53; // exact in every reader of JSON
constexpr std::size_t kMaxWhy = 300;

tl::unexpected<Error> malformed(const char* why) {
    return fail(ErrorCode::Malformed, std::string("what the agent's machine tells of its programs ") + why);
}

// Keeps the first trouble, and goes on with zeros.
class Reader {
public:
    explicit Reader(ByteSpan from)
        : m_from(from) {}

    template <class T> T number() {
        if (m_why != nullptr || m_from.size() - m_at < sizeof(T)) {
            trouble("ends too early");
            return T{};
        }
        const T value = loadLe<T>(m_from, m_at);
        m_at += sizeof(T);
        return value;
    }
    std::string_view text(std::size_t most) {
        const auto length = number<std::uint16_t>();
        if (length > most) {
            trouble("has a text that is too long");
        }
        const auto bytes = raw(length);
        if (bytes.find('\0') != std::string_view::npos) {
            trouble("has a text with a NUL");
        }
        return bytes;
    }
    std::string_view path() {
        const auto path = text(kMaxPath);
        if (path.empty()) {
            trouble("names no path");
        }
        return path;
    }
    std::string_view raw(std::size_t length) {
        if (m_why != nullptr || m_from.size() - m_at < length) {
            trouble("ends too early");
            return {};
        }
        const auto bytes = asText(m_from.subspan(m_at, length));
        m_at += length;
        return bytes;
    }
    bool flag() {
        const auto value = number<std::uint8_t>();
        if (value > 1) {
            trouble("has a yes or no that is neither");
        }
        return value == 1;
    }
    template <class E> E oneOf(E last) {
        const auto value = number<std::uint8_t>();
        if (value == 0 || value > static_cast<std::uint8_t>(last)) {
            trouble("names a deed that there is not");
        }
        return static_cast<E>(value);
    }
    Process process() {
        Process out;
        out.pid = number<std::uint32_t>();
        out.started = number<std::uint64_t>();
        return out;
    }
    void trouble(const char* why) {
        if (m_why == nullptr) {
            m_why = why;
        }
    }
    [[nodiscard]] const char* why() const { return m_why; }
    [[nodiscard]] bool atEnd() const { return m_at == m_from.size(); }

private:
    ByteSpan m_from;
    std::size_t m_at = 0;
    const char* m_why = nullptr;
};

void read(Reader& from, Started& out) {
    out.parent = from.process();
    out.user = from.number<std::uint32_t>();
    out.program = from.path();
    const auto count = from.number<std::uint16_t>();
    if (count > kMaxArguments) {
        from.trouble("has too many arguments");
        return;
    }
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        out.arguments.push_back(from.text(kMaxArgumentBytes));
        bytes += out.arguments.back().size();
    }
    if (bytes > kMaxArgumentBytes) {
        from.trouble("has arguments that are too long");
    }
    out.cut = from.flag();
    if (from.flag()) {
        const auto digest = asBytes(from.raw(sizeof(Digest)));
        out.content.emplace();
        std::copy(digest.begin(), digest.end(), out.content->begin()); // nothing, where it ends too early
    }
}

void read(Reader& from, Ended& out) {
    out.signal = from.number<std::uint8_t>();
    out.code = from.number<std::uint8_t>();
    if (out.signal > 127 || (out.signal != 0 && out.code != 0)) {
        from.trouble("tells of an end that there is not");
    }
    out.userMicroseconds = from.number<std::uint64_t>();
    out.systemMicroseconds = from.number<std::uint64_t>();
    out.mostKibibytes = from.number<std::uint64_t>();
    if (std::max({out.userMicroseconds, out.systemMicroseconds, out.mostKibibytes}) > kMaxNumber) {
        from.trouble("has a number that is too large");
    }
}

void read(Reader& from, FileDone& out) {
    out.deed = from.oneOf(FileDeed::ModeChanged);
    out.mode = from.number<std::uint16_t>();
    if (out.mode > 07777 || (out.mode != 0 && out.deed != FileDeed::ModeChanged)) {
        from.trouble("has a mode where there is none");
    }
    out.path = from.path();
}

void read(Reader& from, Renamed& out) {
    out.from = from.path();
    out.to = from.path();
}

void read(Reader& from, NetTried& out) {
    out.transport = from.oneOf(Transport::Other);
    out.port = from.number<std::uint16_t>();
    const auto length = from.number<std::uint8_t>();
    if (length != 4 && length != 16) {
        from.trouble("has an address that is none");
    }
    out.address = from.raw(length);
    out.name = from.text(kMaxText);
}

void read(Reader& from, RightTried& out) {
    out.right = from.oneOf(Right::Capability);
    out.text = from.text(kMaxPath);
}

void read(Reader& from, Lost& out) {
    out.restarted = from.flag();
    std::uint64_t all = out.restarted ? 1 : 0;
    for (auto* count : {&out.programs, &out.files, &out.connections, &out.rights}) {
        *count = from.number<std::uint64_t>();
        if (*count > kMaxNumber) {
            from.trouble("has a number that is too large");
        }
        all |= *count;
    }
    if (all == 0) {
        from.trouble("tells of a loss of nothing");
    }
}

template <std::size_t... kAt> bool readKind(Reader& from, std::size_t kind, Event& out, std::index_sequence<kAt...>) {
    return ((kind == kAt ? (read(from, out.what.template emplace<kAt>()), true) : false) || ...);
}

void readEvent(Reader& from, Event& out) {
    const auto kind = from.number<std::uint8_t>();
    out.count = from.number<std::uint32_t>();
    out.timeNs = from.number<std::int64_t>();
    out.process = from.process();
    if (out.count == 0) {
        from.trouble("stands for nothing");
    }
    if (out.timeNs < 0) {
        from.trouble("is of before 1970");
    }
    constexpr auto kKinds = std::variant_size_v<decltype(Event::what)>;
    if (!readKind(from, static_cast<std::size_t>(kind) - 1, out, std::make_index_sequence<kKinds>())) {
        from.trouble("is of a kind that there is not");
    }
}

void put(Bytes& to, std::string_view text) {
    appendLe(to, static_cast<std::uint16_t>(text.size()));
    const auto bytes = asBytes(text);
    to.insert(to.end(), bytes.begin(), bytes.end());
}
void put(Bytes& to, const Process& process) {
    appendLe(to, process.pid);
    appendLe(to, process.started);
}
void put(Bytes& to, bool flag) {
    appendLe(to, static_cast<std::uint8_t>(flag ? 1 : 0));
}

void put(Bytes& to, const Started& what) {
    put(to, what.parent);
    appendLe(to, what.user);
    put(to, what.program);
    appendLe(to, static_cast<std::uint16_t>(what.arguments.size()));
    for (const auto argument : what.arguments) {
        put(to, argument);
    }
    put(to, what.cut);
    put(to, what.content.has_value());
    if (what.content) {
        to.insert(to.end(), what.content->begin(), what.content->end());
    }
}
void put(Bytes& to, const Ended& what) {
    appendLe(to, what.signal);
    appendLe(to, what.code);
    appendLe(to, what.userMicroseconds);
    appendLe(to, what.systemMicroseconds);
    appendLe(to, what.mostKibibytes);
}
void put(Bytes& to, const FileDone& what) {
    appendLe(to, what.deed);
    appendLe(to, what.mode);
    put(to, what.path);
}
void put(Bytes& to, const Renamed& what) {
    put(to, what.from);
    put(to, what.to);
}
void put(Bytes& to, const NetTried& what) {
    appendLe(to, what.transport);
    appendLe(to, what.port);
    appendLe(to, static_cast<std::uint8_t>(what.address.size()));
    const auto bytes = asBytes(what.address);
    to.insert(to.end(), bytes.begin(), bytes.end());
    put(to, what.name);
}
void put(Bytes& to, const RightTried& what) {
    appendLe(to, what.right);
    put(to, what.text);
}
void put(Bytes& to, const Lost& what) {
    put(to, what.restarted);
    for (const auto count : {what.programs, what.files, what.connections, what.rights}) {
        appendLe(to, count);
    }
}

bool fitsLengths(const Event& event) {
    std::vector<std::string_view> texts;
    if (const auto* started = std::get_if<Started>(&event.what)) {
        texts = started->arguments;
        texts.push_back(started->program);
        if (started->arguments.size() > kMaxArguments) {
            return false;
        }
    } else if (const auto* file = std::get_if<FileDone>(&event.what)) {
        texts = {file->path};
    } else if (const auto* renamed = std::get_if<Renamed>(&event.what)) {
        texts = {renamed->from, renamed->to};
    } else if (const auto* net = std::get_if<NetTried>(&event.what)) {
        texts = {net->name, net->address};
    } else if (const auto* right = std::get_if<RightTried>(&event.what)) {
        texts = {right->text};
    }
    return std::all_of(texts.begin(), texts.end(), [](std::string_view each) { return each.size() <= kMaxArgumentBytes; });
}

} // namespace

Result<Bytes> toWire(const Event& event) {
    if (!fitsLengths(event)) { // a length would not fit its two bytes
        return fail(ErrorCode::LimitExceeded, "an event is too long to be told");
    }
    Bytes out;
    out.reserve(160);
    appendLe(out, static_cast<std::uint8_t>(event.what.index() + 1));
    appendLe(out, event.count);
    appendLe(out, event.timeNs);
    put(out, event.process);
    std::visit([&](const auto& what) { put(out, what); }, event.what);
    Reader reader(out);
    Event again;
    readEvent(reader, again);
    if (reader.why() != nullptr) { // nothing leaves that the host would refuse together with all that comes with it
        return malformed(reader.why());
    }
    return out;
}

Bytes batchOf(std::size_t count, ByteSpan events) {
    Bytes out;
    out.reserve(kBatchHeadBytes + events.size());
    out.push_back(kBatchVersion);
    appendLe(out, static_cast<std::uint16_t>(count));
    out.insert(out.end(), events.begin(), events.end());
    return out;
}

Result<std::size_t> readBatch(ByteSpan batch, const std::function<Status(const Event&)>& each) {
    if (batch.size() > kMaxBatchBytes) {
        return malformed("is too long");
    }
    Reader from(batch);
    if (from.number<std::byte>() != kBatchVersion) {
        return malformed("is in a form that is not known");
    }
    const auto count = from.number<std::uint16_t>();
    std::vector<Event> events;
    events.reserve(std::min<std::size_t>(count, batch.size() / 32)); // what an event has at least
    for (std::size_t i = 0; i < count && from.why() == nullptr; ++i) {
        readEvent(from, events.emplace_back());
    }
    if (from.why() == nullptr && !from.atEnd()) {
        from.trouble("goes on after its end");
    }
    if (from.why() != nullptr) {
        return malformed(from.why());
    }
    for (const auto& event : events) {
        CARREL_TRY(each(event));
    }
    return events.size();
}

json::object paramsOf(const Ask& ask) {
    return {{"book", ask.book}, {"after", ask.after}, {"wait_ms", ask.wait.count()}};
}

Result<Ask> askFrom(const json::object& params) {
    JsonFields fields(params, kMethod);
    Ask out;
    out.book = fields.number("book", kMaxNumber);
    out.after = fields.number("after", kMaxNumber);
    out.wait = std::chrono::milliseconds(fields.number("wait_ms", static_cast<std::uint64_t>(kMaxWait.count())));
    CARREL_TRY(fields.finish());
    return out;
}

json::object answerOf(const Told& told) {
    json::object out{{"book", told.book}, {"first", told.first}, {"events", toBase64(asText(told.batch))}};
    if (!told.why.empty()) {
        out["why"] = told.why;
    }
    return out;
}

Result<Told> toldFrom(const Ask& ask, const json::object& answer) {
    JsonFields fields(answer, kMethod);
    Told out;
    out.book = fields.number("book", kMaxNumber);
    out.first = fields.number("first", kMaxNumber);
    const auto text = fields.string("events", kMaxBase64);
    out.why = fields.optionalString("why", kMaxWhy).value_or("");
    CARREL_TRY(fields.finish());
    const bool goesOn = ask.book == 0 ? out.first != 0 : out.first == (out.book == ask.book ? ask.after + 1 : 1);
    if (out.book == 0 || !goesOn) {
        return malformed("does not go on from what it told before");
    }
    if (!isUtf8(out.why)) {
        return malformed("is not UTF-8");
    }
    const auto bytes = fromBase64(text);
    if (!bytes) {
        return malformed("is no base64");
    }
    out.batch = toBytes(*bytes);
    return out;
}

} // namespace carrel::watch
