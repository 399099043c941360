// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/session_start.h"

#include "guest/protocol/control.h"
#include "guest/protocol/strict_json.h"

namespace carrel::guestd {

namespace {

constexpr std::size_t kMaxEnvironment = 1024;
constexpr std::size_t kMaxTermBytes = 64;
constexpr std::size_t kMaxPathBytes = 4095; // PATH_MAX less its NUL
constexpr std::uint64_t kMaxSide = 9999;    // rows or columns; more is a mistake and costs programs memory
constexpr std::uint64_t kMaxSignal = 64;

// A text with a NUL would be cut silently by the kernel's C strings.
bool hasNul(const std::string& text) {
    return text.find('\0') != std::string::npos;
}

TerminalSize sizeFrom(JsonFields& fields) {
    TerminalSize size;
    size.rows = static_cast<std::uint16_t>(fields.number("rows", kMaxSide));
    size.columns = static_cast<std::uint16_t>(fields.number("cols", kMaxSide));
    return size;
}

Result<StartSession> parseStart(const boost::json::object& object) {
    JsonFields fields(object, "start");
    StartSession start;
    start.argv = fields.strings("argv", control::kMaxArgvItems, control::kMaxArgvBytes);
    if (start.argv.empty() || start.argv.front().empty()) {
        fields.problem("argv", "names no program");
    }
    std::size_t bytes = 0;
    for (const auto& argument : start.argv) {
        bytes += argument.size() + 1;
        if (hasNul(argument)) {
            fields.problem("argv", "holds a NUL");
        }
    }
    if (const auto* environment = fields.optionalObject("env")) {
        if (environment->size() > kMaxEnvironment) {
            fields.problem("env", "has too many variables");
        }
        for (const auto& [key, value] : *environment) {
            const std::string name(key.data(), key.size());
            const auto* text = value.if_string();
            if (text == nullptr || name.empty() || hasNul(name) || name.find('=') != std::string::npos) {
                fields.problem("env", "holds something that is not a variable");
                break;
            }
            std::string content(text->data(), text->size());
            if (hasNul(content)) {
                fields.problem("env", "holds a NUL");
            }
            bytes += name.size() + content.size() + 2;
            start.environment.emplace(name, std::move(content));
        }
    }
    if (bytes > control::kMaxArgvBytes) {
        fields.problem("argv", "is too long together with the environment");
    }
    start.cwd = fields.optionalString("cwd", kMaxPathBytes);
    if (start.cwd && (start.cwd->empty() || hasNul(*start.cwd))) {
        fields.problem("cwd", "is not a path");
    }
    if (const auto* tty = fields.optionalObject("tty")) {
        JsonFields inner(*tty, "start.tty");
        StartSession::Tty wanted;
        wanted.size = sizeFrom(inner);
        wanted.term = inner.optionalString("term", kMaxTermBytes).value_or("");
        if (hasNul(wanted.term)) {
            inner.problem("term", "holds a NUL");
        }
        CARREL_TRY(inner.finish());
        start.tty = std::move(wanted);
    }
    CARREL_TRY(fields.finish());
    return start;
}

} // namespace

Result<SessionRequest> parseSessionRequest(std::string_view text) {
    // Escapes can make JSON six times as long as the text that it carries.
    const auto object = parseJsonObject(text, {.bytes = 6 * control::kMaxArgvBytes + 64 * 1024, .depth = 4});
    if (!object) {
        return fail(object.error());
    }
    JsonFields fields(*object, "session");
    if (object->size() != 1) {
        return fail(ErrorCode::Malformed, "a session message says exactly one thing");
    }
    if (object->contains("start")) {
        const auto& start = fields.object("start");
        CARREL_TRY(fields.finish());
        auto parsed = parseStart(start);
        if (!parsed) {
            return fail(parsed.error());
        }
        return SessionRequest(std::move(*parsed));
    }
    if (object->contains("signal")) {
        const auto number = fields.number("signal", kMaxSignal);
        if (number == 0) {
            fields.problem("signal", "is not a signal's number");
        }
        CARREL_TRY(fields.finish());
        return SessionRequest(SignalSession{static_cast<int>(number)});
    }
    const auto& resize = fields.object("resize");
    CARREL_TRY(fields.finish());
    JsonFields inner(resize, "resize");
    const TerminalSize size = sizeFrom(inner);
    CARREL_TRY(inner.finish());
    return SessionRequest(ResizeSession{size});
}

} // namespace carrel::guestd
