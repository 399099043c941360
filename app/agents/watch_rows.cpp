// SPDX-License-Identifier: Apache-2.0
#include "app/agents/watch_rows.h"

#include "guest/protocol/plain_text.h"
#include "guest/protocol/share_path.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <utility>

namespace carrel::agents {

namespace {

using activity::EventKind;
using namespace watch;

constexpr std::string_view kHex = "0123456789abcdef";

// Writes one JSON object's text, without a tree of it in between (RFC 8259).
class Writer {
public:
    explicit Writer(std::string& to)
        : m_to(to) {
        m_to.clear();
        m_to += '{';
    }
    template <class Number> void number(std::string_view key, Number value) {
        begin(key);
        put(value);
    }
    void yes(std::string_view key) {
        begin(key);
        m_to += "true";
    }
    void text(std::string_view key, std::string_view value) {
        begin(key);
        quote(value);
    }
    void process(std::string_view key, const Process& process) {
        begin(key);
        m_to += '"';
        put(process.pid);
        m_to += '.';
        put(process.started);
        m_to += '"';
    }
    void texts(std::string_view key, const std::vector<std::string_view>& values) {
        begin(key);
        m_to += '[';
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i > 0) {
                m_to += ',';
            }
            quote(values[i]);
        }
        m_to += ']';
    }
    void end() { m_to += '}'; }

private:
    void begin(std::string_view key) {
        if (m_to.size() > 1) {
            m_to += ',';
        }
        m_to += '"';
        m_to += key;
        m_to += "\":";
    }
    template <class Number> void put(Number value) {
        std::array<char, 24> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
        m_to.append(digits.data(), end.ptr);
    }
    void quote(std::string_view text) {
        std::string fit;
        if (!isUtf8(text)) {
            fit = plainText(text, text.size());
            text = fit;
        }
        m_to += '"';
        std::size_t from = 0;
        for (std::size_t at = 0; at < text.size(); ++at) {
            const auto c = static_cast<unsigned char>(text[at]);
            if (c >= 0x20 && c != '"' && c != '\\') {
                continue;
            }
            m_to += text.substr(from, at - from);
            if (c < 0x20) {
                m_to += "\\u00";
                m_to += kHex[c >> 4U];
                m_to += kHex[c & 0xfU];
            } else {
                m_to += '\\';
                m_to += text[at];
            }
            from = at + 1;
        }
        m_to += text.substr(from);
        m_to += '"';
    }
    std::string& m_to;
};

void setText(std::string& to, std::string_view from) {
    if (isUtf8(from)) {
        to.assign(from);
    } else {
        to = plainText(from, from.size());
    }
}

std::string_view rightName(Right right) {
    switch (right) {
    case Right::Namespace:
        return "namespace";
    case Right::Mount:
        return "mount";
    case Right::Trace:
        return "trace";
    case Right::BpfCall:
        return "bpf";
    case Right::Performance:
        return "performance";
    case Right::Account:
        return "account";
    case Right::RefusedCall:
        return "refused-call";
    case Right::Capability:
        return "capability";
    }
    return "";
}

std::string_view transportName(Transport transport) {
    return transport == Transport::Tcp ? "tcp" : transport == Transport::Udp ? "udp" : "other";
}

EventKind kindOf(FileDeed deed) {
    switch (deed) {
    case FileDeed::Written:
        return EventKind::FileWritten;
    case FileDeed::Created:
    case FileDeed::FolderMade:
    case FileDeed::Linked:
        return EventKind::FileCreated;
    case FileDeed::Deleted:
    case FileDeed::FolderDeleted:
        return EventKind::FileDeleted;
    case FileDeed::ModeChanged:
        return EventKind::FileMode;
    }
    return EventKind::FileWritten;
}

std::string whereTo(const NetTried& tried) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool v6 = tried.address.size() == 16;
    std::string host;
    if (!tried.name.empty()) {
        setText(host, tried.name);
    } else if (::inet_ntop(v6 ? AF_INET6 : AF_INET, tried.address.data(), text.data(), text.size()) != nullptr) {
        host = v6 ? "[" + std::string(text.data()) + "]" : std::string(text.data());
    }
    return host + ":" + std::to_string(tried.port);
}

} // namespace

void WatchRows::add(const Event& event) {
    if (m_isBrief && !std::holds_alternative<Started>(event.what) && !std::holds_alternative<Ended>(event.what)) {
        return;
    }
    if (m_used == m_rows.size()) {
        m_rows.emplace_back();
    }
    auto& row = m_rows[m_used++];
    row.subject.clear();
    Writer detail(row.detail);
    if (event.process != Process{}) {
        detail.process("process", event.process);
    }
    if (const auto* started = std::get_if<Started>(&event.what)) {
        row.kind = EventKind::ProgramStarted;
        setText(row.subject, m_isBrief ? started->program.substr(0, kMostPath) : started->program);
        if (started->parent != Process{}) {
            detail.process("parent", started->parent);
        }
        detail.number("pid", event.process.pid);
        detail.number("user", started->user);
        if (!m_isBrief) {
            detail.texts("argv", started->arguments);
        }
        if (started->cut || m_isBrief) {
            detail.yes("cut");
        }
        if (started->content) {
            std::string hex;
            for (const auto byte : *started->content) {
                hex += kHex[std::to_integer<unsigned>(byte) >> 4U];
                hex += kHex[std::to_integer<unsigned>(byte) & 0xfU];
            }
            detail.text("sha256", hex);
        }
        if (row.subject.size() <= kMostPath && m_programs.insert_or_assign(event.process, row.subject).second) {
            m_inOrder.push_back(event.process);
        }
        while (m_inOrder.size() > kMostPrograms) {
            m_programs.erase(m_inOrder.front());
            m_inOrder.pop_front();
        }
    } else if (const auto* ended = std::get_if<Ended>(&event.what)) {
        row.kind = EventKind::ProgramEnded;
        if (const auto program = m_programs.find(event.process); program != m_programs.end()) {
            row.subject = program->second;
            m_ended.push_back(event.process);
        }
        if (ended->signal != 0) {
            detail.number("signal", ended->signal);
        } else {
            detail.number("code", ended->code);
        }
        detail.number("cpu_ms", (ended->userMicroseconds + ended->systemMicroseconds) / 1000);
        detail.number("memory_kib", ended->mostKibibytes);
    } else if (const auto* file = std::get_if<FileDone>(&event.what)) {
        row.kind = kindOf(file->deed);
        setText(row.subject, file->path);
        if (file->deed == FileDeed::FolderMade || file->deed == FileDeed::FolderDeleted) {
            detail.yes("folder");
        } else if (file->deed == FileDeed::Linked) {
            detail.yes("link");
        } else if (file->deed == FileDeed::ModeChanged) {
            std::array<char, 8> octal{};
            const auto end = std::to_chars(octal.data(), octal.data() + octal.size(), file->mode, 8);
            detail.text("mode", {octal.data(), end.ptr});
        }
    } else if (const auto* renamed = std::get_if<Renamed>(&event.what)) {
        row.kind = EventKind::FileRenamed;
        setText(row.subject, renamed->from);
        detail.text("to", renamed->to);
    } else if (const auto* tried = std::get_if<NetTried>(&event.what)) {
        row.kind = EventKind::NetTried;
        row.subject = whereTo(*tried);
        detail.text("transport", transportName(tried->transport));
    } else if (const auto* right = std::get_if<RightTried>(&event.what)) {
        row.kind = EventKind::RightsTried;
        setText(row.subject, right->text);
        detail.text("right", rightName(right->right));
    } else {
        const auto& lost = std::get<Lost>(event.what);
        row.kind = EventKind::WatchLost;
        detail.number("programs", lost.programs);
        detail.number("files", lost.files);
        detail.number("connections", lost.connections);
        detail.number("rights", lost.rights);
        if (lost.restarted) {
            detail.yes("restarted");
        }
    }
    if (event.count > 1) {
        detail.number("times", event.count);
    }
    detail.number("at", event.timeNs);
    detail.end();
}

Result<std::vector<activity::WrittenEvent>> WatchRows::rowsOf(std::uint64_t book, std::uint64_t first, ByteSpan batch) {
    m_isBrief = false;
    return rows(book, first, batch);
}

Result<std::vector<activity::WrittenEvent>> WatchRows::programsOf(std::uint64_t book, std::uint64_t first, ByteSpan batch) {
    m_isBrief = true;
    return rows(book, first, batch);
}

void WatchRows::done() {
    for (const auto& process : std::exchange(m_ended, {})) {
        m_programs.erase(process); // its place in the order is found empty when its turn comes
    }
}

Result<std::vector<activity::WrittenEvent>> WatchRows::rows(std::uint64_t book, std::uint64_t first, ByteSpan batch) {
    m_used = 0;
    m_ended.clear();
    const auto count = readBatch(batch, [this](const Event& event) {
        add(event);
        return Status();
    });
    if (!count) {
        return fail(count.error());
    }
    std::vector<activity::WrittenEvent> rows;
    rows.reserve(m_used);
    if (m_used > 0) {
        auto& last = m_rows[m_used - 1].detail;
        last.pop_back();
        last += ",\"book\":" + std::to_string(book) + ",\"number\":" + std::to_string(first + *count - 1) + "}";
    }
    for (std::size_t i = 0; i < m_used; ++i) {
        rows.push_back({m_rows[i].kind, activity::Provenance::Guest, m_rows[i].subject, m_rows[i].detail});
    }
    return rows;
}

} // namespace carrel::agents
