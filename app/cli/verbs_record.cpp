// SPDX-License-Identifier: Apache-2.0
// Recordings of an agent's terminals: which there are, and playing one back. What is in one comes from a guest: it is read only after
// this process has confined itself (I1), and shown through the allow-list of sequences (I11).
#include "app/api/display_text.h"
#include "app/api/terminal_filter.h"
#include "app/cli/context.h"
#include "app/recording/chunk.h"
#include "guest/protocol/share_path.h"
#include "hypervisor/confine/confine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <poll.h>
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

struct Piece {
    std::uint64_t firstUs = 0;
    std::string data;
};

std::string secondsText(std::uint64_t us) {
    std::array<char, 32> out{};
    const auto seconds = us / kMicro;
    (void)std::snprintf(out.data(), out.size(), "%llu:%02llu", static_cast<unsigned long long>(seconds / 60),
                        static_cast<unsigned long long>(seconds % 60));
    return out.data();
}

std::string timeText(std::int64_t ms) {
    const std::time_t at = ms / 1000;
    std::tm parts{};
    (void)::localtime_r(&at, &parts);
    std::array<char, 32> out{};
    (void)std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return out.data();
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
            out.push_back(each);
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
        context.printJson(json::object{{"recordings", std::move(*all)}});
        return context.done();
    }
    if (all->empty()) {
        context.print("No terminal of this agent's was recorded yet.\n");
    }
    for (const auto& each : *all) {
        if (!each.is_object()) {
            continue;
        }
        const auto& row = each.get_object();
        const auto* title = row.if_contains("title");
        const auto shown = title != nullptr && title->is_string() ? api::DisplayText::line(std::string_view(title->get_string())) : api::DisplayText();
        context.print(std::to_string(numberAt(row, "recording")) + "  " + timeText(static_cast<std::int64_t>(numberAt(row, "started_ms"))) + "  " +
                      secondsText(numberAt(row, "last_us")) + "  " + shown.text() + "\n");
    }
    return context.done();
}

Result<std::vector<Piece>> piecesOf(Context& context, const PlayOptions& options) {
    std::vector<Piece> out;
    std::size_t held = 0;
    json::object params{{"agent", options.agent}, {"recording", options.recording}};
    if (options.from > 0) {
        params["at_us"] = static_cast<std::uint64_t>(options.from * static_cast<double>(kMicro));
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
                return fail(std::move(bytes).error());
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

bool put(std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::write(STDOUT_FILENO, text.data(), text.size());
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    }
    return true;
}

Status show(const std::vector<Piece>& pieces, const PlayOptions& options) {
    api::TerminalFilter filter;
    const auto from = static_cast<std::uint64_t>(options.from * static_cast<double>(kMicro));
    std::uint64_t before = from;
    bool first = true;
    for (const auto& piece : pieces) {
        auto content = recording::readChunk(piece.data, piece.firstUs);
        if (!content) {
            (void)put(filter.restore());
            return fail(std::move(content).error());
        }
        if (std::exchange(first, false) && piece.firstUs > 0 && options.from > 0 && !put(filter.feed(content->screen))) {
            return {};
        }
        for (const auto& event : content->events) {
            if (event.code != 'o') {
                continue;
            }
            if (event.us > before) {
                const double ms = static_cast<double>(event.us - before) / 1000.0 / options.speed;
                (void)::poll(nullptr, 0, static_cast<int>(std::min(ms, 3.6e6)));
                before = event.us;
            }
            if (!put(filter.feed(event.text))) {
                return {};
            }
        }
    }
    (void)put(filter.restore());
    return {};
}

int play(Context& context, PlayOptions options) {
    if (options.recording == 0) {
        auto all = recordingsOf(context, options.agent);
        if (!all) {
            return context.failed(all.error());
        }
        if (all->empty() || !all->back().is_object()) {
            return context.failed(Error{ErrorCode::NotFound, "no terminal of this agent's was recorded yet", "Use: carrel shell " + options.agent, 0, nullptr});
        }
        options.recording = numberAt(all->back().get_object(), "recording");
    }
    auto pieces = piecesOf(context, options);
    if (!pieces) {
        return context.failed(pieces.error());
    }
    if (auto confined = confine::restrictSyscalls(confine::SyscallProfile::TerminalViewer); !confined) {
        return context.failed(confined.error());
    }
    auto shown = show(*pieces, options);
    return shown ? 0 : context.failed(shown.error());
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
    playing->footer("Example: carrel record play clerk 3 --speed 4");
    playing->callback([&context, options] { context.action = [&context, options] { return play(context, *options); }; });
}

} // namespace carrel::cli
