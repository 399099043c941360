// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/guest_words.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/control.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

namespace carrel::clerk {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxStepBytes = 64;
constexpr std::size_t kMaxSaidBytes = 4096; // of a text before it is cut
constexpr std::size_t kMaxCapabilities = 32;
constexpr std::size_t kMaxKept = 100'000;
constexpr std::size_t kMaxSharesFailed = 2 * kMaxSharesPerAgent; // those that should go, and those that should come
// A path of nothing but control characters is six times as long in JSON.
constexpr std::size_t kMaxPathText = kMaxPathBytes * 6 + 64;

Result<ChangeEntry> entryFrom(const json::value& item) {
    auto entry = item.is_object() ? changeEntryFrom(item.get_object())
                                  : fail(ErrorCode::Malformed, "a change is not an object");
    if (!entry) {
        return fail(entry.error().wrap("The agent's machine reported a change that makes no sense"));
    }
    return entry;
}

} // namespace

std::optional<Told> toldByGuest(std::string_view method, const json::object& params) {
    JsonFields fields(params, method);
    Told out{std::string(method), {}};
    if (method == "stage") {
        out.params = {{"name", plainText(fields.string("name", kMaxStepBytes), kMaxStepBytes)},
                      {"detail", plainText(fields.optionalString("detail", kMaxSaidBytes).value_or(""),
                                           kMaxDetailBytes)},
                      {"from", "carrel-guestd"}};
    } else if (method == "changes.touched") {
        out.params = {{"share", fields.number("share", control::kMaxShareId)}};
    } else if (method == "log") {
        out.method = "guest.log";
        out.params = {{"level", plainText(fields.string("level", 16), 16)},
                      {"text", plainText(fields.string("text", kMaxSaidBytes), kMaxDetailBytes)}};
    } else {
        return std::nullopt; // a newer guest may tell more than this host knows
    }
    if (!fields.finish()) {
        return std::nullopt;
    }
    return out;
}

Told toldByConsole(std::string_view who, std::string_view step, std::string_view detail) {
    return {"stage",
            {{"name", plainText(step, kMaxStepBytes)},
             {"detail", plainText(detail, kMaxDetailBytes)},
             {"from", plainText(who, 32)}}};
}

Result<json::object> greetingFrom(const json::object& answer) {
    JsonFields fields(answer, "hello");
    const auto version = fields.number("version");
    json::array capabilities;
    for (const auto& name : fields.strings("capabilities", kMaxCapabilities, kMaxStepBytes)) {
        capabilities.emplace_back(name);
    }
    const auto bootId = fields.string("boot_id", kMaxStepBytes);
    json::array failed;
    for (const auto& item : fields.array("shares_failed", kMaxSharesFailed)) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "a share that failed is not an object");
        }
        JsonFields one(item.get_object(), "shares_failed");
        failed.push_back({{"share", one.number("share", control::kMaxShareId)},
                          {"why", plainText(one.string("why", kMaxSaidBytes), kMaxDetailBytes)},
                          {"passing", one.boolean("passing")}});
        CARREL_TRY(one.finish());
    }
    CARREL_TRY(fields.finish());
    if (version != control::kProtocolVersion) {
        return fail(ErrorCode::Unsupported, "the agent's machine was started by another version of Carrel, and speaks as that one did",
                    "Stop the agent and start it again; what it has made is kept");
    }
    return json::object{{"version", version},
                        {"capabilities", std::move(capabilities)},
                        {"boot_id", bootId},
                        {"shares_failed", std::move(failed)}};
}

Result<json::object> changesFrom(const json::object& answer) {
    JsonFields fields(answer, "changes.list");
    const auto& entries = fields.array("entries", kMaxChangesPerPage);
    auto next = takeOptionalPath(fields, answer, "next");
    const std::uint64_t staged = fields.optionalNumber("staged").value_or(0);
    CARREL_TRY(fields.finish());
    json::array kept;
    std::size_t bytes = 0;
    std::string last;
    for (const auto& item : entries) {
        auto entry = entryFrom(item);
        if (!entry) {
            return fail(std::move(entry).error());
        }
        auto coded = toJson(*entry);
        bytes += json::serialize(coded).size() + 1;
        if (bytes > kMaxLinkResult - kMaxPathText && !kept.empty()) {
            next = last; // the rest is asked for again from where this page ends
            break;
        }
        kept.push_back(std::move(coded));
        last = entry->path.text();
    }
    json::object out{{"entries", std::move(kept)}, {"staged", staged}};
    if (next) {
        putPath(out, "next", *next);
    }
    return out;
}

Result<json::object> keptFrom(const json::object& answer) {
    JsonFields fields(answer, "settled");
    json::array kept;
    for (const auto& item : fields.array("kept", kMaxKept)) {
        if (item.is_string() && item.get_string().size() <= kMaxPathBytes) {
            kept.push_back(item);
        } else if (item.is_object()) {
            JsonFields path(item.get_object(), "kept");
            if (auto raw = takeOptionalPath(path, item.get_object(), "path"); raw && path.finish()) {
                json::object one;
                putPath(one, "path", *raw);
                kept.push_back(std::move(one));
            }
        }
    }
    CARREL_TRY(fields.finish());
    if (json::serialize(kept).size() > kMaxLinkResult / 2) {
        kept.clear(); // only told for the user's sake; the next listing shows them anyway
    }
    return json::object{{"kept", std::move(kept)}};
}

json::object lastCountFrom(const json::object& answer) {
    json::array staged;
    const auto* told = answer.if_contains("staged");
    for (const auto& item : told != nullptr && told->is_array() ? told->get_array() : json::array()) {
        if (!item.is_object()) {
            continue;
        }
        JsonFields one(item.get_object(), "staged");
        const auto share = one.number("share", control::kMaxShareId);
        const auto count = one.number("staged");
        if (one.finish() && staged.size() < kMaxSharesPerAgent) {
            staged.push_back({{"share", share}, {"staged", count}});
        }
    }
    return {{"staged", std::move(staged)}};
}

Result<json::object> agentAnswerFrom(const talk::Call& call, const json::object& answer) {
    const auto* asked = std::get_if<talk::Updates>(&call);
    if (asked == nullptr) {
        CARREL_TRY(JsonFields(answer, talk::methodOf(call)).finish());
        return json::object{};
    }
    const auto updates = talk::updatesFrom(asked->after, answer);
    if (!updates) {
        return fail(updates.error().wrap("The agent's machine told something of its agent program that makes no sense"));
    }
    return talk::answerWith(*updates);
}

Result<json::object> eventsFrom(const watch::Ask& ask, const json::object& answer) {
    auto told = watch::toldFrom(ask, answer);
    if (!told) {
        return fail(std::move(told).error());
    }
    if (auto read = watch::readBatch(told->batch, [](const watch::Event&) { return Status(); }); !read) {
        return fail(std::move(read).error());
    }
    return json::object(answer); // there is one way to write it, and this is it
}

Result<std::uint64_t> sentSizeFrom(const json::object& answer) {
    JsonFields fields(answer, "content.send");
    const std::uint64_t size = fields.number("size");
    CARREL_TRY(fields.finish());
    return size;
}

} // namespace carrel::clerk
