// SPDX-License-Identifier: Apache-2.0
// Recordings of an agent's terminals: which there are, and playing one back (recording_player.h).
#include "app/api/display_text.h"
#include "app/cli/context.h"
#include "app/cli/recording_player.h"
#include "guest/protocol/share_path.h"
#include "hypervisor/confine/confine.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <memory>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxHeld = 512 * 1024 * 1024; // compressed; one is read whole before this process confines itself
constexpr std::uint64_t kMicro = 1'000'000;

struct PlayOptions {
    std::string agent;
    std::uint64_t recording = 0; // 0: the newest
    double speed = 1;
    double from = 0; // seconds
};

std::string secondsText(std::uint64_t us) {
    std::array<char, 32> out{};
    const auto seconds = us / kMicro;
    (void)std::snprintf(out.data(), out.size(), "%llu:%02llu", static_cast<unsigned long long>(seconds / 60),
                        static_cast<unsigned long long>(seconds % 60));
    return out.data();
}

std::string momentText(std::int64_t ms) {
    const std::time_t at = ms / 1000;
    std::tm parts{};
    (void)::localtime_r(&at, &parts);
    std::array<char, 32> out{};
    (void)std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return out.data();
}

constexpr const char* kGoesOn = "it goes on";
constexpr const char* kBrokenOff = "broken off: Carrel's engine ended before the terminal did";

// Empty: it has ended.
const char* standingOf(const json::object& row) {
    const auto* ended = row.if_contains("ended_ms");
    return ended != nullptr && !ended->is_null() ? "" : flagAt(row, "goes_on") ? kGoesOn : kBrokenOff;
}

Result<json::array> recordingsOf(Context& context, const std::string& agent) {
    json::array out;
    json::object params{{"agent", agent}};
    for (;;) {
        auto page = context.call("recording.list", params);
        if (!page) {
            return fail(std::move(page).error());
        }
        for (const auto& each : listAt(*page, "recordings")) {
            if (each.is_object()) {
                out.push_back(each);
            }
        }
        const auto next = numberAt(*page, "next");
        if (next == 0) {
            return out;
        }
        params["after"] = next;
    }
}

int list(Context& context, const std::string& agent) {
    auto all = recordingsOf(context, agent);
    if (!all) {
        return context.failed(all.error());
    }
    if (context.format == Format::Json) {
        context.printJson(json::object{{"recordings", std::move(*all)}, {"next", nullptr}});
        return context.done();
    }
    if (all->empty()) {
        context.print("No terminal of this agent's was recorded yet.\n");
    }
    for (const auto& each : *all) {
        const auto& row = each.get_object();
        const std::string standing = standingOf(row);
        context.print(std::to_string(numberAt(row, "recording")) + "  " + momentText(static_cast<std::int64_t>(numberAt(row, "started_ms"))) + "  " +
                      secondsText(numberAt(row, "last_us")) + "  " + api::DisplayText::line(textAt(row, "title")).text() +
                      (standing.empty() ? "" : "  (" + standing + ")") + "\n");
    }
    return context.done();
}

std::uint64_t fromUs(const PlayOptions& options) {
    return static_cast<std::uint64_t>(std::llround(options.from * static_cast<double>(kMicro)));
}

Result<std::vector<RecordedPiece>> piecesOf(Context& context, const PlayOptions& options) {
    std::vector<RecordedPiece> out;
    std::size_t held = 0;
    json::object params{{"agent", options.agent}, {"recording", options.recording}};
    if (options.from > 0) {
        params["at_us"] = fromUs(options);
    }
    for (;;) {
        auto page = context.call("recording.read", params);
        if (!page) {
            return fail(std::move(page).error());
        }
        for (const auto& each : listAt(*page, "chunks")) {
            const auto* data = each.is_object() ? each.get_object().if_contains("data_b64") : nullptr;
            if (data == nullptr || !data->is_string()) {
                return fail(ErrorCode::Malformed, "the engine's answer has no form that can be read");
            }
            auto bytes = fromBase64(std::string_view(data->get_string()));
            if (!bytes) {
                return fail(bytes.error().wrap("the engine's answer has no form that can be read"));
            }
            held += bytes->size();
            if (held > kMaxHeld) {
                return fail(ErrorCode::LimitExceeded, "the recording is too long to be played from there", "Begin later, with --from.");
            }
            out.push_back({numberAt(each.get_object(), "first_us"), std::move(*bytes)});
        }
        const auto next = numberAt(*page, "next");
        if (next == 0) {
            return out;
        }
        params.erase("at_us");
        params["after"] = next;
    }
}

// The row of the one that is to be played.
Result<json::object> chosen(Context& context, const PlayOptions& options) {
    if (options.recording == 0) {
        auto all = recordingsOf(context, options.agent);
        if (!all) {
            return fail(std::move(all).error());
        }
        if (all->empty()) {
            return fail(ErrorCode::NotFound, "no terminal of this agent's was recorded yet", "Use: carrel shell " + options.agent);
        }
        return all->back().get_object();
    }
    auto page = context.call("recording.list", {{"agent", options.agent}, {"after", options.recording - 1}});
    if (!page) {
        return fail(std::move(page).error());
    }
    const auto& rows = listAt(*page, "recordings");
    if (rows.empty() || !rows.front().is_object() || numberAt(rows.front().get_object(), "recording") != options.recording) {
        return fail(ErrorCode::NotFound, "there is no recording " + std::to_string(options.recording) + " of this agent's",
                    "These there are: carrel record list " + options.agent);
    }
    return rows.front().get_object();
}

int play(Context& context, PlayOptions options) {
    if (::isatty(STDOUT_FILENO) == 0) {
        return context.failed(Error{ErrorCode::InvalidArgument, "a recording is played in a terminal, and the output is not one",
                                    "Leave out what redirects it; \"carrel export\" writes a recording to a file.", 0, nullptr});
    }
    const auto row = chosen(context, options);
    if (!row) {
        return context.failed(row.error());
    }
    options.recording = numberAt(*row, "recording");
    auto pieces = piecesOf(context, options);
    if (!pieces) {
        return context.failed(pieces.error());
    }
    const std::string standing = standingOf(*row);
    if (pieces->empty()) {
        return context.failed(standing == kGoesOn ? Error{ErrorCode::NotFound, "nothing of this recording is kept yet", "What is shown is kept some seconds later.", 0, nullptr}
                                                  : Error{ErrorCode::NotFound, "this recording is empty: nothing was shown in its terminal", {}, 0, nullptr});
    }
    Playing playing;
    playing.pieces = std::move(*pieces);
    playing.fromUs = fromUs(options);
    playing.speed = options.speed;
    playing.confine = [] { return confine::restrictSyscalls(confine::SyscallProfile::TerminalViewer); };
    const auto played = playRecording(playing);
    if (!played) {
        return context.failed(played.error());
    }
    if (*played == 0 && !standing.empty()) {
        context.print(standing == kGoesOn ? "The recording goes on. This is what was kept of it by now.\n"
                                          : "The recording is broken off here: Carrel's engine ended before the terminal did.\n");
    }
    return context.done(*played);
}

} // namespace

void addRecordVerbs(CLI::App& app, Context& context) {
    auto* record = app.add_subcommand("record", "Show and play the recordings of an agent's terminals");
    record->require_subcommand(1);
    auto options = std::make_shared<PlayOptions>();
    auto* listing = record->add_subcommand("list", "Show which terminals were recorded");
    listing->add_option("NAME", options->agent, "The agent")->required();
    listing->callback([&context, options] { context.action = [&context, options] { return list(context, options->agent); }; });
    auto* playing = record->add_subcommand("play", "Play a recording in this terminal");
    playing->add_option("NAME", options->agent, "The agent")->required();
    playing->add_option("ID", options->recording, "Which one, by its number in the list; otherwise the newest");
    playing->add_option("--speed", options->speed, "So many times as fast")->type_name("X")->check(CLI::Range(0.01, 10000.0));
    playing->add_option("--from", options->from, "Begin so many seconds after its beginning")->type_name("T")->check(CLI::Range(0.0, 1e9));
    playing->footer("While it plays: space stops it and lets it go on, q or Ctrl+C ends it. Example: carrel record play clerk 3 --speed 4");
    playing->callback([&context, options] { context.action = [&context, options] { return play(context, *options); }; });
}

} // namespace carrel::cli
