// SPDX-License-Identifier: Apache-2.0
#include "app/export/html_page.h"

#include "app/api/characters.h"
#include "app/api/display_text.h"
#include "app/export/asciicast.h"
#include "app/export/json_text.h"
#include "app/export/page_parts.h"
#include "app/export/shown_recording.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

namespace carrel::exporting {

namespace json = boost::json;
using api::CharacterKind;
using api::DisplayText;

namespace {

constexpr std::uint64_t kEventsAtOnce = 1000; // in one element
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::size_t kNameColumns = 200;
constexpr std::size_t kTextBytes = 16 * 1024; // of one text in an event's detail
constexpr char32_t kLastCharacter = 0x10ffff;

Result<std::string> sourceHash(std::string_view text) { // as a policy names what may run
    std::array<unsigned char, 32> hash{};
    unsigned int length = 0;
    if (EVP_Digest(text.data(), text.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) {
        return fail(ErrorCode::Internal, "SHA-256 is not available in the cryptographic library");
    }
    return "'sha256-" + toBase64({reinterpret_cast<const char*>(hash.data()), hash.size()}) + "'";
}

std::string element(const std::string& attributes, std::string json) {
    return "<script type=\"application/json\" " + attributes + ">" + insideScript(std::move(json)) + "</script>\n";
}

std::string lineOf(std::string_view text, std::size_t columns = DisplayText::kLineColumns) {
    return DisplayText::line(text, columns).text();
}

std::string hexOf(const activity::LogId& id) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const auto byte : id) {
        out += {kDigits[byte >> 4U], kDigits[byte & 0xfU]};
    }
    return out;
}

// Every text of it fit for a person's eyes. As deep as it was parsed.
json::value shown(const json::value& value) {
    if (value.is_string()) {
        return json::string(DisplayText::block(std::string_view(value.get_string()), kTextBytes).text());
    }
    if (value.is_array()) {
        json::array out;
        for (const auto& each : value.get_array()) {
            out.push_back(shown(each));
        }
        return out;
    }
    if (value.is_object()) {
        json::object out;
        for (const auto& member : value.get_object()) {
            out[lineOf(member.key(), kNameColumns)] = shown(member.value());
        }
        return out;
    }
    return value;
}

std::string pageEvent(const activity::StoredEvent& event) {
    const auto detail = parseJsonObject(event.detail, JsonLimits{activity::kMaxDetailBytes, 32});
    json::object out{{"n", event.seq},
                     {"t", event.timeNs / kNsPerMs},
                     {"k", lineOf(event.kind, kNameColumns)},
                     {"g", event.provenance == activity::toString(activity::Provenance::Host) ? 0 : 1}, // in doubt it is a claim
                     {"s", lineOf(event.subject)},
                     {"d", detail ? shown(*detail) : json::value(json::object{{"detail", DisplayText::block(event.detail, kTextBytes).text()}})},
                     {"h", activity::toHex(event.hash)}};
    if (!event.asWritten) {
        out["x"] = 1;
    }
    return json::serialize(out);
}

// [[first, last], …] of the characters of a kind.
json::array rangesOf(CharacterKind kind) {
    json::array out;
    char32_t first = 0;
    bool inside = false;
    for (char32_t point = 0x7f; point <= kLastCharacter + 1; ++point) {
        const bool is = point <= kLastCharacter && api::characterKind(point) == kind;
        if (is && !inside) {
            first = point;
        } else if (!is && inside) {
            out.push_back(json::array{static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(point - 1)});
        }
        inside = is;
    }
    return out;
}

class Page {
public:
    Page(activity::LogReader& log, const PageSubject& subject, const Sink& sink)
        : m_log(log)
        , m_subject(subject)
        , m_sink(sink) {}
    Result<PageWritten> write();

private:
    Status put(std::string_view text);
    Status part(std::string_view name);
    Status policy();
    Status data();
    Status events();
    Status recordings();
    Status recording(const activity::RecordingRow& row, json::array& into);

    activity::LogReader& m_log;
    const PageSubject& m_subject;
    const Sink& m_sink;
    std::uint64_t m_bytes = 0;
    std::string m_head; // the newest that was signed
    PageWritten m_written;
};

Status Page::put(std::string_view text) {
    m_bytes += text.size();
    if (m_bytes > m_subject.mostBytes) {
        return fail(ErrorCode::LimitExceeded, "the page would be too large for a browser", "Export one recording, by --recording, or use another format.");
    }
    return m_sink(text);
}

Status Page::policy() {
    auto script = sourceHash(pageScript());
    auto style = sourceHash(pageStyle());
    if (!script || !style) {
        return fail(!script ? script.error() : style.error());
    }
    return put("default-src 'none'; script-src " + *script + "; style-src " + *style +
               "; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
}

Status Page::events() {
    auto from = m_log.beforeNewest(kMostPageEvents);
    auto all = m_log.eventCount();
    if (!from || !all) {
        return fail(!from ? from.error() : all.error());
    }
    std::string some;
    std::uint64_t count = 0;
    const auto flush = [&]() -> Status {
        auto text = std::exchange(some, {});
        return text.empty() ? Status() : put(element("class=\"events\"", "[" + text + "]"));
    };
    CARREL_TRY(m_log.events(*from, [&](const activity::StoredEvent& event) -> Status {
        some += (some.empty() ? "" : ",\n") + pageEvent(event);
        if (!event.signedHead.empty()) {
            m_head = event.signedHead;
        }
        if (!event.asWritten && m_written.events.firstWrong == 0) {
            m_written.events.firstWrong = event.seq;
        }
        return ++count % kEventsAtOnce == 0 ? flush() : Status();
    }));
    CARREL_TRY(flush());
    m_written.events.events = count;
    return put(element("id=\"about\"", json::serialize(json::object{{"agent", lineOf(m_subject.agent)},
                                                                   {"madeMs", m_subject.madeNs / kNsPerMs},
                                                                   {"log", hexOf(m_log.id())},
                                                                   {"head", m_head},
                                                                   {"leftOut", *all > count ? *all - count : 0}})));
}

Status Page::recording(const activity::RecordingRow& row, json::array& into) {
    ShownRecording shown;
    json::array pieces;
    CARREL_TRY(m_log.chunks(row.id, [&](const activity::RecordingChunk& chunk) -> Status {
        auto piece = shown.next(chunk);
        if (!piece) {
            return fail(std::move(piece).error());
        }
        json::array events;
        for (const auto& event : piece->events) {
            if (event.code != 'i') { // what was typed is seen in what was shown
                events.push_back(json::array{event.us, std::string(1, event.code), event.text});
            }
        }
        pieces.push_back(json::object{{"number", chunk.place.number}, {"from", piece->firstUs}, {"to", piece->lastUs}, {"follows", piece->follows}});
        return put(element("id=\"r" + std::to_string(row.id) + "p" + std::to_string(chunk.place.number) + "\"",
                           json::serialize(json::object{{"columns", piece->columns}, {"rows", piece->rows}, {"screen", piece->screen}, {"events", std::move(events)}})));
    }));
    if (!pieces.empty()) {
        ++m_written.recordings;
        into.push_back(json::object{{"id", row.id},
                                    {"kind", lineOf(row.start.kind)},
                                    {"title", lineOf(row.start.title)},
                                    {"startedMs", row.startedNs / kNsPerMs},
                                    {"pieces", std::move(pieces)}});
    }
    return {};
}

Status Page::recordings() {
    json::array told;
    if (m_subject.recording) {
        auto row = findRecording(m_log, *m_subject.recording);
        if (!row) {
            return fail(std::move(row).error());
        }
        CARREL_TRY(recording(*row, told));
    } else {
        auto rows = m_log.recordings();
        if (!rows) {
            return fail(std::move(rows).error());
        }
        for (const auto& row : *rows) {
            CARREL_TRY(recording(row, told));
        }
    }
    return put(element("id=\"recordings\"", json::serialize(told)));
}

Status Page::data() {
    CARREL_TRY(events());
    CARREL_TRY(recordings());
    return put(element("id=\"widths\"", json::serialize(json::object{{"marks", rangesOf(CharacterKind::Mark)},
                                                                    {"wide", rangesOf(CharacterKind::Wide)},
                                                                    {"hidden", rangesOf(CharacterKind::Hidden)}})));
}

Status Page::part(std::string_view name) {
    if (name == "policy") {
        return policy();
    }
    if (name == "title") {
        return put(asMarkupText(lineOf(m_subject.agent)) + " \xe2\x80\x93 Carrel");
    }
    if (name == "style") {
        return put(pageStyle());
    }
    if (name == "script") {
        return put(pageScript());
    }
    return data();
}

Result<PageWritten> Page::write() {
    std::string_view rest = pageFrame(); // with marks as {{name}}
    for (;;) {
        const auto mark = rest.find("{{");
        const auto end = rest.find("}}", mark == std::string_view::npos ? rest.size() : mark);
        CARREL_TRY(put(rest.substr(0, mark)));
        if (end == std::string_view::npos) {
            return m_written;
        }
        CARREL_TRY(part(rest.substr(mark + 2, end - mark - 2)));
        rest.remove_prefix(end + 2);
    }
}

} // namespace

Result<PageWritten> writePage(activity::LogReader& log, const PageSubject& subject, const Sink& sink) {
    return Page(log, subject, sink).write();
}

} // namespace carrel::exporting
