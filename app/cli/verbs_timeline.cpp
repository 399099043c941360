// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"
#include "app/cli/duration.h"
#include "app/cli/since.h"

#include <algorithm>
#include <ctime>
#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::int64_t kSecondMs = 1000;

std::optional<std::int64_t> agoFrom(std::string_view text, std::int64_t nowMs) {
    const auto ago = durationFrom(text);
    return ago ? std::optional(std::max<std::int64_t>(0, nowMs - ago->count() * kSecondMs)) : std::nullopt;
}

struct TimelineOptions {
    std::string agent;
    std::string since;
    std::vector<std::string> kinds;
    bool follow = false;
};

void printEvent(Context& context, const json::object& event) {
    if (context.format == Format::Json) {
        context.printJson(event);
    } else {
        context.print(eventText(event));
    }
}

int timeline(Context& context, const TimelineOptions& options) {
    json::object params{{"agent", options.agent}};
    if (!options.since.empty()) {
        const auto since = sinceFrom(options.since, std::int64_t{std::time(nullptr)} * kSecondMs);
        if (!since) {
            return context.failed(since.error());
        }
        params["since_ms"] = static_cast<std::uint64_t>(*since);
    }
    if (!options.kinds.empty()) {
        params["kinds"] = json::value_from(options.kinds);
    }
    if (options.follow) {
        params["follow"] = true;
    }
    for (;;) {
        auto result = context.call("timeline", params, [&](const json::object& event) {
            printEvent(context, event);
            return context.done() == 0 ? api::Flow::Continue : api::Flow::Stop;
        });
        if (!result) {
            return context.failed(result.error());
        }
        for (const auto& event : listAt(*result, "events")) {
            if (event.is_object()) {
                printEvent(context, event.get_object());
            }
        }
        const auto next = numberAt(*result, "next_seq");
        if (next == 0 || context.done() != 0) {
            return context.done();
        }
        params["after_seq"] = next;
    }
}

} // namespace

std::optional<std::int64_t> momentFrom(const std::string& text) {
    std::tm parts{};
    for (const char* form :
         {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
        parts = {};
        const char* rest = ::strptime(text.c_str(), form, &parts);
        if (rest == nullptr) {
            continue;
        }
        if (*rest == '.') { // fractions of a second: the second is fine enough
            ++rest;
            while (*rest >= '0' && *rest <= '9') {
                ++rest;
            }
        }
        const bool utc = *rest == 'Z';
        if (rest[utc ? 1 : 0] != '\0') {
            continue;
        }
        parts.tm_isdst = -1;
        const std::time_t moment = utc ? ::timegm(&parts) : std::mktime(&parts);
        return moment < 0 ? 0 : std::int64_t{moment} * kSecondMs;
    }
    return std::nullopt;
}

Result<std::int64_t> sinceFrom(const std::string& text, std::int64_t nowMs) {
    auto moment = agoFrom(text, nowMs);
    if (!moment) {
        moment = momentFrom(text);
    }
    if (!moment) {
        return fail(
            ErrorCode::InvalidArgument, "the time is not one that can be read",
            "Write how long ago (90s, 10m, 2h, 3d) or when (2026-03-01, 2026-03-01T14:30, with Z for UTC).");
    }
    return *moment;
}

void addTimelineVerb(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("timeline", "Show what happened to an agent, oldest first");
    auto options = std::make_shared<TimelineOptions>();
    verb->add_option("NAME", options->agent, "The agent")->required();
    verb->add_flag("--follow", options->follow, "Go on showing what happens");
    verb->add_option("--since", options->since, "From then on: 10m, 2h, 3d ago, or 2026-03-01T14:30")
        ->type_name("T");
    verb->add_option("--kind", options->kinds,
                     "Only these kinds: exec, apply.done, …; may be given several times")
        ->type_name("K")
        ->allow_extra_args(false);
    verb->footer("With --json: one event per line. Example: carrel timeline clerk --since 1h --kind exec. What the agent's programs did is "
                 "told by its machine (GUEST SAYS): --kind program, file, net.tried, rights.tried; watch.lost and watch.silent say where it "
                 "is not whole.");
    verb->callback([&context, options] {
        context.action = [&context, options] { return timeline(context, *options); };
    });
}

} // namespace carrel::cli
