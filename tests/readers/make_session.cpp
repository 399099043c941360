// SPDX-License-Identifier: Apache-2.0
// Makes a log as a session leaves it: with events that the host saw and that a machine told, and terminals that were recorded by the
// recorder's own code. make-session FILE
#include "app/activity/activity_log.h"
#include "app/recording/cast_writer.h"

#include <cstdio>
#include <string>
#include <vector>

using namespace carrel;
using namespace carrel::activity;

namespace {

struct Moment {
    std::uint64_t us;
    std::string text;
    bool endsPiece = false;
};

std::string lines(int from, int to) {
    std::string out;
    for (int i = from; i <= to; ++i) {
        out += "line " + std::to_string(i) + "\r\n";
    }
    return out;
}

// What a shell and a program that takes the whole screen write. In 80 columns and 24 rows, from the second moment of the end 60 and 16.
std::vector<Moment> shell() {
    return {{200'000, "\x1b[1;32mada@desk\x1b[0m:\x1b[1;34m~/papers\x1b[0m$ "},
            {1'500'000, "ls --color\r\n\x1b[01;34mreceipts\x1b[0m  \x1b[32mreport.md\x1b[0m  \xe6\xbc\xa2\xe5\xad\x97.txt  na\xc3\xafve caf\xc3\xa9\r\n"},
            {2'500'000, "\x1b[38;5;208mindexed\x1b[0m \x1b[48;2;40;60;120mrgb\x1b[0m \x1b[7mreverse\x1b[0m \x1b[4munder\x1b[0m \x1b[9mstrike\x1b[0m\r\n"},
            {4'000'000, "FIRST SCREEN\r\n", true},
            {11'000'000, "\x1b[?1049h\x1b[2J\x1b[H\x1b[7m  editor  \x1b[0m\x1b[3;5H\x1b(0lqqqk\x1b[4;5Hx   x\x1b[5;5Hmqqqj\x1b(B\x1b[4;6Hbox"},
            {12'500'000, "\x1b[8;12r\x1b[8;1H" + lines(1, 9) + "\x1b[r\x1b[20;1HIN THE EDITOR", true},
            {22'000'000, "\x1b[?1049l$ make\r\n" + lines(1, 40)},
            {40'000'000, "</script><script>document.title='taken'</script>\r\n\x1b]0;title\x07\x1b]52;c;AAAA\x07", true}};
}

std::vector<Moment> end() {
    return {{41'000'000, "\x1b[2J\x1b[H"}, {42'000'000, "LAST SCREEN\r\n\xe5\xae\x8c\xe4\xba\x86 ok\r\n\x1b[10;50Hthe end"}};
}

bool record(ActivityLog& log, const std::string& title, const std::vector<Moment>& before, const std::vector<Moment>& after) {
    const auto id = log.beginRecording({"terminal", title, 80, 24});
    recording::CastWriter writer(80, 24, {});
    std::uint64_t number = 0;
    const auto keep = [&] {
        const auto piece = writer.take();
        return id && (!piece || log.addChunk({{*id, ++number, piece->firstUs, piece->lastUs, piece->rawBytes}, piece->data}));
    };
    bool good = true;
    const auto play = [&](const std::vector<Moment>& moments) {
        for (const auto& moment : moments) {
            writer.output(moment.us, moment.text);
            good = good && (!moment.endsPiece || keep());
        }
    };
    play(before);
    if (!after.empty()) {
        writer.resize(40'500'000, 60, 16);
        play(after);
    }
    writer.finish();
    return keep() && good && log.endRecording(*id);
}

bool add(ActivityLog& log, EventKind kind, Provenance provenance, const std::string& subject, boost::json::object detail) {
    return log.append(Event{kind, provenance, subject, std::move(detail), 0}).has_value();
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    const std::string nasty = "<img src=x onerror=\"document.title='taken'\"></script><script>document.title='taken'</script>";
    auto log = ActivityLog::open(argv[1]);
    auto key = SigningKey::fromSeed({1});
    if (!log || !key) {
        return 1;
    }
    (*log)->signWith(std::make_shared<const SigningKey>(std::move(*key)));
    bool good = add(**log, EventKind::AgentCreated, Provenance::Host, "desk", {{"template", "default"}}) &&
                add(**log, EventKind::VmState, Provenance::Host, "ready", {{"after_ms", 2140}}) &&
                add(**log, EventKind::ShareAdded, Provenance::Host, "/home/ada/papers", {{"mode", "review"}}) &&
                add(**log, EventKind::FileRead, Provenance::Host, "papers/receipts/monday.txt", {{"bytes", 4120}}) &&
                add(**log, EventKind::ProgramStarted, Provenance::Guest, "/usr/bin/ls", {{"argv", {"ls", "--color"}}, {"process", "7"}}) &&
                add(**log, EventKind::GuestLog, Provenance::Guest, nasty, {{"line", nasty}}) &&
                record(**log, "bash in ~/papers", shell(), end()) && record(**log, nasty, {{0, "a second terminal\r\n"}, {3'000'000, nasty}}, {}) &&
                add(**log, EventKind::NetTried, Provenance::Guest, "example.org:443", {{"program", "curl"}}) &&
                add(**log, EventKind::NetTraffic, Provenance::Host, "example.org:443", {{"sent", 812}, {"received", 20'480}, {"result", "refused: no rule"}}) &&
                add(**log, EventKind::ReviewFrozen, Provenance::Host, "papers", {{"files", 3}}) &&
                add(**log, EventKind::ApplyDone, Provenance::Host, "papers", {{"files", 3}}) && (*log)->signHead("session");
    return good ? 0 : 1;
}
