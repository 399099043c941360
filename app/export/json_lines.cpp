// SPDX-License-Identifier: Apache-2.0
#include "app/export/json_lines.h"

#include "app/export/json_text.h"
#include "guest/protocol/strict_json.h"

namespace carrel::exporting {

namespace json = boost::json;

std::string jsonLine(const activity::StoredEvent& event) {
    auto detail = parseJsonObject(event.detail, JsonLimits{activity::kMaxDetailBytes, 32});
    std::string out = "{\"seq\":" + std::to_string(event.seq);
    const auto add = [&](std::string_view name, std::string_view text) { out.append(",\"").append(name).append("\":").append(jsonString(text)); };
    add("time", activity::formatTime(event.timeNs));
    add("time_ns", std::to_string(event.timeNs));
    add("kind", event.kind);
    add("provenance", event.provenance);
    add("subject", event.subject);
    out += ",\"detail\":" + (detail ? json::serialize(*detail) : std::string("null"));
    add("detail_text", event.detail);
    add("previous", activity::toHex(event.previous));
    add("hash", activity::toHex(event.hash));
    if (!event.signedHead.empty()) {
        add("signed_head", event.signedHead);
    }
    if (!event.asWritten) {
        out += ",\"as_written\":false";
    }
    return out + "}\n";
}

Result<EventsWritten> writeJsonLines(activity::LogReader& log, const Sink& sink) {
    EventsWritten written;
    CARREL_TRY(log.events(0, [&](const activity::StoredEvent& event) {
        ++written.events;
        if (!event.asWritten && written.firstWrong == 0) {
            written.firstWrong = event.seq;
        }
        return sink(jsonLine(event));
    }));
    return written;
}

} // namespace carrel::exporting
