// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"

#include "app/api/display_text.h"
#include "app/cli/client_token.h"
#include "app/cli/terminal_mode.h"
#include "guest/protocol/change_report.h"

#include <cstdlib>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

// no-color.org, and terminals that say that they know nothing.
Colour colourWanted() {
    const char* no = std::getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe)
    const char* term = std::getenv("TERM");   // NOLINT(concurrency-mt-unsafe)
    const bool dumb = term == nullptr || std::string_view(term) == "dumb";
    const bool wanted = ::isatty(STDOUT_FILENO) != 0 && !dumb && (no == nullptr || no[0] == '\0');
    return wanted ? Colour::Yes : Colour::No;
}

bool writeAll(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    return true;
}

} // namespace

Context::Context()
    : m_errorsAreTerminal(::isatty(STDERR_FILENO) != 0)
    , m_colour(colourWanted()) {}

Result<json::object> Context::call(std::string_view verb, json::object params,
                                   const std::function<api::Flow(const json::object&)>& event) {
    if (!m_client) {
        auto client = connect();
        if (!client) {
            return fail(std::move(client).error());
        }
        m_client.emplace(std::move(*client));
    }
    api::Listener listener;
    listener.progress = [this](const api::Progress& progress) { showProgress(progress); };
    listener.event = event;
    auto result = m_client->call(verb, std::move(params), listener);
    clearProgress();
    if (!result) {
        return fail(std::move(result).error());
    }
    if (!result->is_object()) {
        return fail(ErrorCode::Malformed, "the engine's answer cannot be read");
    }
    return std::move(result->as_object());
}

Result<api::Client> Context::connect() const {
    auto token = clientToken(tokenFile);
    if (!token) {
        return fail(std::move(token).error());
    }
    if (*token) {
        return connectAsClient(**token);
    }
    auto home = api::openHome();
    if (!home) {
        return fail(std::move(home).error());
    }
    return connectEngine(*home, start);
}

UniqueFd Context::takeDescriptor() {
    return m_client ? m_client->takeDescriptor() : UniqueFd();
}

void Context::showProgress(const api::Progress& progress) {
    std::string text = shown(progress.text, 160);
    if (progress.fraction) {
        text += " " + std::to_string(static_cast<int>(*progress.fraction * 100)) + "%";
    }
    if (m_errorsAreTerminal) {
        const auto columns = terminalSize(STDERR_FILENO).columns;
        const auto line = shown(text, columns > 1 ? columns - 1U : 1U);
        m_progressShown = writeAll(STDERR_FILENO, "\r\x1b[K" + line);
    } else if (format == Format::Text && !onlyResults && progress.text != m_lastProgress) {
        m_lastProgress = progress.text;
        print(text + "\n");
    }
}

void Context::clearProgress() {
    if (m_progressShown) {
        (void)writeAll(STDERR_FILENO, "\r\x1b[K");
        m_progressShown = false;
    }
}

void Context::print(std::string_view text) {
    m_outputBroken = m_outputBroken || !writeAll(STDOUT_FILENO, text);
}

namespace {

// The same JSON (RFC 8259) with nothing in it that acts on a terminal: what turns text around or hides is beyond ASCII.
std::string inAscii(std::string_view text) {
    std::string out;
    const auto put = [&out](unsigned unit) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        out += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) {
            out += kDigits[(unit >> unsigned(shift)) & 0xfU];
        }
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        if (first < 0x7f) {
            out += text[at++];
            continue;
        }
        const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4; // the serializer has checked that it is UTF-8
        unsigned character = first == 0x7f ? 0x7f : first & (0x7fU >> length);
        for (std::size_t i = 1; first != 0x7f && i < length && at + i < text.size(); ++i) {
            character = (character << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
        }
        at += first == 0x7f ? 1 : length;
        if (character < 0x10000) {
            put(character);
        } else {
            put(0xd800 + ((character - 0x10000) >> 10U));
            put(0xdc00 + ((character - 0x10000) & 0x3ffU));
        }
    }
    return out;
}

} // namespace

void Context::printJson(const json::value& value) {
    const auto text = json::serialize(value);
    print((::isatty(STDOUT_FILENO) != 0 ? inAscii(text) : text) + "\n");
}

int Context::failed(const Error& error) {
    clearProgress();
    (void)writeAll(STDERR_FILENO, errorLine(error));
    return 1;
}

int Context::done(int status) {
    if (m_outputBroken) {
        return failed(Error{ErrorCode::Io, "the output could not be written", {}, 0, nullptr});
    }
    return status;
}

int Context::show(std::string_view verb, json::object params, const Render& render) {
    auto result = call(verb, std::move(params));
    if (!result) {
        return failed(result.error());
    }
    if (format == Format::Json) {
        printJson(*result);
    } else {
        print(render(*result));
    }
    return done();
}

Status putHostPath(json::object& into, std::string_view key, const std::string& argument) {
    std::error_code ec;
    auto path = std::filesystem::absolute(argument, ec).lexically_normal();
    if (argument.empty() || ec) {
        return fail(ErrorCode::InvalidArgument, "the path is empty or cannot be made absolute");
    }
    if (!path.has_filename() && path.has_relative_path()) { // a trailing slash
        path = path.parent_path();
    }
    putPath(into, key, path.native());
    return {};
}

} // namespace carrel::cli
