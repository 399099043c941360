// SPDX-License-Identifier: Apache-2.0
#include "app/engine/describe_report.h"

#include "app/api/display_text.h"
#include "guest/protocol/change_report.h"

namespace carrel::engine {

namespace json = boost::json;

void putFullPath(json::object& into, std::string_view key, const std::string& share, const SharePath& path) {
    putPath(into, key, share + "/" + path.text());
}

static json::object describe(const agents::ItemOutcome& item) {
    json::object out{{"share", item.share}, {"kind", toString(item.kind)}, {"outcome", item.outcome}};
    putFullPath(out, "path", item.share, item.path);
    if (!item.reason.empty()) {
        out["reason"] = api::asUtf8(item.reason); // may name a file
    }
    return out;
}

json::object describeReport(const agents::ActionReport& report) {
    json::object totals{{"done", 0}, {"conflicts", 0}, {"refused", 0}, {"failed", 0}, {"kept", 0}};
    json::array outcomes;
    // What was not done first: that is what somebody must look at.
    for (const bool done : {false, true}) {
        for (const auto& item : report.items) {
            if ((item.outcome == "done") == done) {
                auto& total = totals[item.outcome == "conflict" ? "conflicts" : item.outcome];
                total = total.to_number<std::uint64_t>() + 1;
                if (outcomes.size() < kMaxOutcomes) {
                    outcomes.push_back(describe(item));
                }
            }
        }
    }
    return {{"outcomes", std::move(outcomes)}, {"totals", std::move(totals)}};
}

json::value numberOf(const agents::ActionReport& report) {
    return report.number ? json::value(*report.number) : json::value(nullptr);
}

} // namespace carrel::engine
