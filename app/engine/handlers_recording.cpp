// SPDX-License-Identifier: Apache-2.0
// An agent's recordings. What is in their pieces is for whoever asked to read: the engine does not look into them.
#include "app/engine/engine.h"

#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <set>

namespace carrel::engine {

namespace json = boost::json;

namespace {

constexpr std::int64_t kMs = 1'000'000;

Result<json::value> list(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "recording.list");
    const auto name = fields.string("agent", 256);
    const auto after = fields.optionalNumber("after", INT64_MAX).value_or(0);
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto rows = (*agent)->log().recordings();
    if (!rows) {
        return fail(std::move(rows).error());
    }
    // Of those without an end, which nobody makes any more. One that ended between both looks is looked at again.
    std::set<std::uint64_t> brokenOff;
    for (const auto& row : *rows) {
        if (row.endedNs == 0 && !(*agent)->records(row.id)) {
            brokenOff.insert(row.id);
        }
    }
    if (!brokenOff.empty()) {
        rows = (*agent)->log().recordings();
        if (!rows) {
            return fail(std::move(rows).error());
        }
    }
    constexpr std::size_t kMost = 500;
    json::array out;
    json::value next;
    for (const auto& row : *rows) {
        if (row.id <= after) {
            continue;
        }
        if (out.size() == kMost) {
            next = out.back().at("recording");
            break;
        }
        out.push_back(json::object{{"recording", row.id},
                                   {"kind", row.start.kind},
                                   {"title", row.start.title},
                                   {"columns", row.start.columns},
                                   {"rows", row.start.rows},
                                   {"started_ms", row.startedNs / kMs},
                                   {"ended_ms", row.endedNs == 0 ? json::value() : json::value(row.endedNs / kMs)},
                                   {"goes_on", row.endedNs == 0 && !brokenOff.contains(row.id)},
                                   {"chunks", row.chunks},
                                   {"bytes", row.bytes},
                                   {"last_us", row.lastUs}});
    }
    return json::object{{"recordings", std::move(out)}, {"next", std::move(next)}};
}

Result<json::value> read(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "recording.read");
    const auto name = fields.string("agent", 256);
    const auto recording = fields.number("recording", INT64_MAX);
    const auto at = fields.optionalNumber("at_us", INT64_MAX);
    auto number = fields.optionalNumber("after", INT64_MAX).value_or(0);
    CARREL_TRY(fields.finish());
    auto agent = engine.agentFor(call, name);
    if (!agent) {
        return fail(std::move(agent).error());
    }
    auto& log = (*agent)->log();
    auto chunk = at ? log.chunkAt(recording, *at) : log.chunk(recording, number + 1);
    json::array out;
    std::size_t bytes = 0;
    while (chunk) {
        number = chunk->place.number;
        bytes += chunk->data.size() * 4 / 3;
        if (!out.empty() && bytes > api::kPageBytes) {
            return json::object{{"chunks", std::move(out)}, {"next", number - 1}};
        }
        out.push_back(json::object{{"number", number},
                                   {"first_us", chunk->place.firstUs},
                                   {"last_us", chunk->place.lastUs},
                                   {"data_b64", toBase64(chunk->data)}});
        chunk = log.chunk(recording, number + 1);
    }
    if (chunk.error().code != ErrorCode::NotFound) {
        return fail(std::move(chunk).error());
    }
    if (out.empty() && number == 0) { // an empty one is not a missing one
        auto rows = log.recordings();
        if (!rows) {
            return fail(std::move(rows).error());
        }
        if (std::none_of(rows->begin(), rows->end(), [&](const auto& row) { return row.id == recording; })) {
            return fail(std::move(chunk).error());
        }
    }
    return json::object{{"chunks", std::move(out)}, {"next", nullptr}};
}

} // namespace

void addRecordingVerbs(Engine& engine, api::Handlers& to) {
    to["recording.list"] = [&engine](api::Call& call) { return list(engine, call); };
    to["recording.read"] = [&engine](api::Call& call) { return read(engine, call); };
}

} // namespace carrel::engine
