// SPDX-License-Identifier: Apache-2.0
#include "tests/support/played_agent/played_agent.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace carrel::test {

namespace json = boost::json;

namespace {

constexpr int kNotAsExpected = 3;

[[noreturn]] void notAsExpected(const std::string& what) {
    std::cerr << "played-agent: " << what << std::endl;
    ::_exit(kNotAsExpected);
}

void write(std::string_view left) {
    while (!left.empty()) {
        const auto done = ::write(STDOUT_FILENO, left.data(), left.size());
        if (done < 0 && errno != EINTR) {
            notAsExpected("nobody reads");
        }
        left.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
    }
}

void send(json::object message) {
    message["jsonrpc"] = "2.0";
    write(json::serialize(message) + "\n");
}

bool holds(const json::value& is, const json::value& wanted) {
    if (wanted == json::value("*")) {
        return true;
    }
    if (wanted.is_object() && is.is_object()) {
        return std::all_of(wanted.get_object().begin(), wanted.get_object().end(), [&](const auto& each) {
            const auto* found = is.get_object().if_contains(each.key());
            return found != nullptr && holds(*found, each.value());
        });
    }
    if (wanted.is_array() && is.is_array()) {
        return std::equal(wanted.get_array().begin(), wanted.get_array().end(), is.get_array().begin(), is.get_array().end(),
                          [](const auto& a, const auto& b) { return holds(b, a); });
    }
    return is == wanted;
}

const json::value* in(const json::object& step, std::string_view key) {
    return step.if_contains({key.data(), key.size()});
}
std::string text(const json::object& step, std::string_view key) {
    const auto* value = in(step, key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}
std::uint64_t number(const json::object& step, std::string_view key, std::uint64_t otherwise) {
    const auto* value = in(step, key);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : otherwise;
}

} // namespace

int PlayedAgent::play() {
    for (const auto& each : m_script) {
        step(each.as_object());
    }
    for (;;) {
        readLine();
        m_buffer.clear();
    }
}

// Appends something to the buffer.
void PlayedAgent::readLine() {
    char piece[65536];
    const auto got = ::read(STDIN_FILENO, piece, sizeof piece);
    if (got == 0 && m_isStubborn) {
        for (;;) {
            ::pause();
        }
    }
    if (got == 0) {
        std::exit(0);
    }
    if (got < 0 && errno != EINTR) {
        notAsExpected("its input cannot be read");
    }
    m_buffer.append(piece, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

json::object PlayedAgent::read() {
    for (;;) {
        const auto end = m_buffer.find('\n');
        if (end == std::string::npos) {
            readLine();
            continue;
        }
        const auto line = m_buffer.substr(0, end);
        m_buffer.erase(0, end + 1);
        json::error_code error;
        auto value = json::parse(line, error);
        if (error || !value.is_object() || text(value.get_object(), "jsonrpc") != "2.0") {
            notAsExpected("no message: " + line);
        }
        return std::move(value.get_object());
    }
}

void PlayedAgent::keepAnswer(json::object message) {
    if (const auto& id = message.at("id"); !id.is_null()) { // else it is about a line that was no message
        m_answers[id.to_number<std::int64_t>()] = std::move(message);
    }
}

json::object PlayedAgent::next() {
    while (m_waiting.empty()) {
        auto message = read();
        if (in(message, "method") != nullptr) {
            m_waiting.push_back(std::move(message));
        } else {
            keepAnswer(std::move(message));
        }
    }
    auto message = std::move(m_waiting.front());
    m_waiting.pop_front();
    return message;
}

json::object PlayedAgent::answerTo(std::int64_t id) {
    while (!m_answers.contains(id)) {
        auto message = read();
        if (in(message, "method") != nullptr) {
            m_waiting.push_back(std::move(message));
        } else {
            keepAnswer(std::move(message));
        }
    }
    return std::move(m_answers.extract(id).mapped());
}

json::value PlayedAgent::filled(const json::value& value, std::uint64_t time) const {
    if (const auto* object = value.if_object()) {
        json::object out;
        for (const auto& each : *object) {
            out[each.key()] = filled(each.value(), time);
        }
        return out;
    }
    if (const auto* list = value.if_array()) {
        json::array out;
        for (const auto& each : *list) {
            out.push_back(filled(each, time));
        }
        return out;
    }
    const auto* string = value.if_string();
    if (string == nullptr) {
        return value;
    }
    std::string out(*string);
    if (out.starts_with("$id:")) {
        return m_asked.at(out.substr(4));
    }
    if (out.starts_with("$") && m_kept.contains(out.substr(1))) {
        return json::value(m_kept.at(out.substr(1)));
    }
    for (auto at = out.find('#'); time > 0 && at != std::string::npos; at = out.find('#', at + 1)) {
        out.replace(at, 1, std::to_string(time));
    }
    return json::value(out);
}

void PlayedAgent::answer(const json::value& id, const json::object& step) {
    if (const auto* error = in(step, "error")) {
        send({{"id", id}, {"error", *error}});
    } else if (const auto* result = in(step, "result")) {
        send({{"id", id}, {"result", *result}});
    }
}

void PlayedAgent::expect(const json::object& step) {
    const auto message = next();
    const auto* params = in(message, "params");
    const auto* wanted = in(step, "params");
    if (text(message, "method") != text(step, "expect") ||
        (wanted != nullptr && (params == nullptr || !holds(*params, filled(*wanted, 0))))) {
        notAsExpected("expected " + json::serialize(step) + " and got " + json::serialize(message));
    }
    if (const auto* id = in(message, "id")) {
        answer(*id, step);
        m_open[text(step, "as")] = *id;
    }
}

void PlayedAgent::settle(const std::string& name, const json::object& step, std::string_view result, std::string_view error) {
    const auto answer = answerTo(m_asked.at(name));
    for (const auto& [field, key] : {std::pair{"result", result}, {"error", error}}) {
        const auto* wanted = in(step, key);
        const auto* is = in(answer, field);
        if (wanted != nullptr && (is == nullptr || !holds(*is, filled(*wanted, 0)))) {
            notAsExpected("expected " + json::serialize(step) + " and got " + json::serialize(answer));
        }
    }
    if (const auto* keep = in(step, "keep")) {
        for (const auto& each : keep->as_object()) {
            m_kept[std::string(each.key())] = std::string(answer.at("result").at(std::string_view(each.value().as_string())).as_string());
        }
    }
}

void PlayedAgent::ask(const json::object& step) {
    const auto name = text(step, "as");
    const auto id = m_nextId++;
    m_asked[name] = id;
    send({{"id", id}, {"method", text(step, "ask")}, {"params", filled(step.at("params"), 0)}});
    if (name.empty()) {
        settle(name, step, "answered", "refused");
    }
}

void PlayedAgent::update(const json::object& step) {
    const auto session = text(step, "session");
    const auto times = number(step, "times", 1);
    std::string lines;
    for (std::uint64_t time = 1; time <= times; ++time) {
        const json::object message{{"jsonrpc", "2.0"},
                                   {"method", "session/update"},
                                   {"params", {{"sessionId", session.empty() ? "s1" : session}, {"update", filled(step.at("update"), times > 1 ? time : 0)}}}};
        lines += json::serialize(message) + "\n";
        if (lines.size() > 65536 || time == times) {
            write(lines);
            lines.clear();
        }
    }
}

void PlayedAgent::step(const json::object& step) {
    const std::string kind(step.begin()->key());
    if (kind == "expect") {
        expect(step);
    } else if (kind == "answer") {
        answer(m_open.at(text(step, "answer")), step);
    } else if (kind == "update") {
        update(step);
    } else if (kind == "ask") {
        ask(step);
    } else if (kind == "answered") {
        settle(text(step, "answered"), step, "result", "error");
    } else if (kind == "note") {
        send({{"method", text(step, "note")}, {"params", filled(step.at("params"), 0)}});
    } else if (kind == "print") {
        for (std::uint64_t i = number(step, "times", 1); i > 0; --i) {
            write(text(step, "print") + "\n");
        }
    } else if (kind == "byte") {
        write(std::string(1, static_cast<char>(number(step, "byte", 0))));
    } else if (kind == "long") {
        write(std::string(number(step, "long", 0), 'x'));
    } else if (kind == "complain") {
        std::cerr << text(step, "complain") << std::flush;
    } else if (kind == "variables") {
        for (const auto& each : step.at("variables").as_array()) {
            const std::string name(each.as_string());
            const char* value = std::getenv(name.c_str());
            update({{"update", {{"sessionUpdate", "agent_message_chunk"},
                                {"content", {{"type", "text"}, {"text", name + "=" + (value == nullptr ? "(none)" : value) + "\n"}}}}}});
        }
    } else if (kind == "touch") {
        ::close(::open(text(step, "touch").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    } else if (kind == "until") {
        while (::access(text(step, "until").c_str(), F_OK) != 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    } else if (kind == "close") {
        ::close(STDOUT_FILENO);
    } else if (kind == "stubborn") {
        ::signal(SIGTERM, SIG_IGN);
        m_isStubborn = true;
    } else if (kind == "end") {
        std::exit(static_cast<int>(number(step, "end", 0)));
    } else if (kind == "die") {
        ::kill(::getpid(), static_cast<int>(number(step, "die", SIGKILL)));
    } else {
        notAsExpected("there is no step " + kind);
    }
}

} // namespace carrel::test
