// SPDX-License-Identifier: Apache-2.0
// What a key press costs: typed into carrel-terminal until the picture with its echo has come, beside the floor of the same run,
// which is one byte there and back on such a session's channel, without a terminal at either end.
//   bench-echo AGENT [COUNT]
// The engine of CARREL_HOME must run, and the agent. In the machine both are cat(1), ours behind a raw terminal. The two take turns,
// key by key, so that a busy computer slows both. Prints p50 and p99 in milliseconds and their ratios.
#include "app/api/client.h"
#include "app/api/exec_words.h"
#include "app/api/home.h"
#include "app/api/own_programs.h"
#include "app/api/terminal_process.h"
#include "app/api/terminal_wire.h"
#include "guest/protocol/mux.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <sys/socket.h>
#include <vector>

using namespace carrel;
namespace json = boost::json;

namespace {

constexpr int kSilenceMs = 120'000;
constexpr std::size_t kWarm = 20; // keys that are not counted

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "bench-echo: %s\n", what.c_str());
    std::exit(1);
}

UniqueFd open(const std::string& agent, json::array command, json::value tty) {
    const auto home = api::openHome();
    const auto socket = home ? api::socketPath(*home) : Result<std::filesystem::path>(fail(home.error()));
    auto client = socket ? api::Client::connect(*socket) : Result<api::Client>(fail(socket.error()));
    if (!client) {
        die(client.error().text());
    }
    const auto answer = client->call("exec.open", {{"agent", agent}, {"argv", std::move(command)}, {"tty", std::move(tty)}});
    if (!answer) {
        die(answer.error().text());
    }
    return client->takeDescriptor();
}

void waitFor(int fd, short events) {
    pollfd polled{fd, events, 0};
    if (::poll(&polled, 1, kSilenceMs) <= 0) {
        die("nothing came for two minutes");
    }
}

// One end of a stream socket, in whole.
class Line {
public:
    explicit Line(int fd)
        : m_fd(fd) {}
    void say(std::string_view bytes) const {
        while (!bytes.empty()) {
            waitFor(m_fd, POLLOUT);
            const auto sent = ::send(m_fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent <= 0) {
                die("the other end is gone");
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    [[nodiscard]] std::string hear() const {
        std::string out(64 * 1024, '\0');
        waitFor(m_fd, POLLIN);
        const auto got = ::recv(m_fd, out.data(), out.size(), 0);
        if (got <= 0) {
            die("the other end is gone");
        }
        out.resize(static_cast<std::size_t>(got));
        return out;
    }

private:
    int m_fd;
};

// Ours: the program that a window starts.
class Through {
public:
    explicit Through(const std::string& agent) {
        const auto program = api::ownProgram("carrel-terminal");
        if (!program) {
            die(program.error().text());
        }
        auto channel = open(agent, {"sh", "-c", "stty raw -echo; echo ready; exec cat"}, {{"rows", 24}, {"cols", 80}, {"term", "xterm"}});
        auto process = api::TerminalProcess::start(*program, std::move(channel));
        if (!process) {
            die(process.error().text());
        }
        m_process = std::move(*process);
        line().say(encode(api::terminal::Resize{24, 80}));
        while (!m_ready) {
            frame();
        }
    }
    void key() {
        line().say(encode(api::terminal::Input{"x"}));
        do { // the echo changes a row, also where it does not move the cursor, at the right edge
            frame();
        } while (!m_changed);
    }

private:
    [[nodiscard]] Line line() const { return Line(m_process->link()); }
    void frame() {
        for (;;) {
            auto next = m_splitter.next();
            if (next && !*next) {
                m_splitter.feed(line().hear());
                continue;
            }
            const auto message = next ? api::terminal::decodeToWindow(**next) : Result<api::terminal::ToWindow>(fail(next.error()));
            if (!message || std::holds_alternative<api::terminal::Ended>(*message)) {
                die("the terminal ended");
            }
            if (const auto* picture = std::get_if<api::terminal::Frame>(&*message)) {
                m_changed = !picture->rows.empty();
                for (const auto& [row, cells] : picture->rows) {
                    m_ready = m_ready || (cells.size() >= 5 && cells[0].points[0] == 'r' && cells[4].points[0] == 'y');
                }
                line().say(encode(api::terminal::Seen{}));
                return;
            }
        }
    }

    std::optional<api::TerminalProcess> m_process;
    api::terminal::MessageSplitter m_splitter{api::terminal::kMaxToWindow};
    bool m_changed = false;
    bool m_ready = false;
};

// The floor: the channel itself.
class Raw {
public:
    explicit Raw(const std::string& agent)
        : m_channel(open(agent, {"cat"}, nullptr))
        , m_mux(Side::Host, events()) {
        m_mux.beginLocal(api::kExecTag);
        m_mux.openStream(api::kExecControl, StreamKind::Messages);
        m_mux.openStream(api::kExecStdin, StreamKind::Bytes);
        key();
    }
    void key() {
        const auto before = m_heard;
        (void)m_mux.sendBytes(api::kExecStdin, asBytes("x"));
        while (m_heard == before) {
            while (m_mux.hasOutput()) {
                Line(m_channel.get()).say(asText(m_mux.takeOutput()));
            }
            const auto bytes = Line(m_channel.get()).hear();
            m_mux.feed(asBytes(bytes));
        }
    }

private:
    Mux::Events events() {
        Mux::Events events;
        events.data = [this](std::uint32_t stream, Bytes&& data) {
            m_heard += stream == api::kExecStdout ? data.size() : 0;
            m_mux.consumed(stream, data.size());
        };
        events.accept = [](std::uint32_t) -> std::optional<StreamKind> { return StreamKind::Bytes; };
        return events;
    }

    UniqueFd m_channel;
    std::size_t m_heard = 0;
    Mux m_mux;
};

template <class Way> double timed(Way& way) {
    const auto from = std::chrono::steady_clock::now();
    way.key();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - from).count();
}

double part(std::vector<double> times, double share) {
    std::sort(times.begin(), times.end());
    const auto at = static_cast<std::size_t>(std::ceil(share * static_cast<double>(times.size())));
    return times[std::clamp<std::size_t>(at, 1, times.size()) - 1];
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        die("the agent's name is missing: bench-echo AGENT [COUNT]");
    }
    const auto count = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1000;
    if (count == 0) {
        die("that is no number of keys");
    }
    Through ours(argv[1]);
    Raw raw(argv[1]);
    std::vector<double> oursTook;
    std::vector<double> rawTook;
    for (std::size_t i = 0; i < count + kWarm; ++i) {
        const double one = timed(ours);
        const double other = timed(raw);
        if (i >= kWarm) {
            oursTook.push_back(one);
            rawTook.push_back(other);
        }
    }
    std::printf("%zu keys          p50 ms    p99 ms\n", oursTook.size());
    for (const auto& [name, times] : {std::pair{"carrel-terminal", &oursTook}, {"channel (floor)", &rawTook}}) {
        std::printf("%-16s %8.2f  %8.2f\n", name, part(*times, 0.5), part(*times, 0.99));
    }
    std::printf("%-16s %8.2f  %8.2f\n", "ratio", part(oursTook, 0.5) / part(rawTook, 0.5), part(oursTook, 0.99) / part(rawTook, 0.99));
    return 0;
}
