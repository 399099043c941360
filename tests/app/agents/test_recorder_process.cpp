// SPDX-License-Identifier: Apache-2.0
// A terminal's recorder as an agent starts it: what it hands over is in the log, under the chain, without a credential (invariant I6),
// and the terminal ends with it.
#include "app/agents/recorder_process.h"

#include "app/api/exec_words.h"
#include "app/recording/chunk.h"
#include "guest/protocol/mux.h"

#include <QTemporaryDir>
#include <QTest>

#include <array>
#include <poll.h>
#include <sys/socket.h>

using namespace carrel;

namespace {

const std::string kProgram = CARREL_BIN_DIR "/carrel-recorder";
constexpr int kGuardMs = 30'000; // against a hang

struct Pair {
    UniqueFd ours, theirs;
    Pair() {
        std::array<int, 2> ends{-1, -1};
        (void)!::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data());
        ours = UniqueFd(ends[0]);
        theirs = UniqueFd(ends[1]);
    }
};

Bytes written(std::string_view text) {
    Mux guest(Side::Guest, {});
    guest.beginLocal(api::kExecTag);
    guest.openStream(api::kExecStdout, StreamKind::Bytes);
    (void)guest.sendBytes(api::kExecStdout, asBytes(text));
    return guest.takeOutput();
}

// Until so many bytes came, or the other side has gone.
std::size_t readAll(const UniqueFd& from, std::size_t wanted) {
    std::array<char, 4096> buffer{};
    std::size_t got = 0;
    while (got < wanted) {
        pollfd polled{from.get(), POLLIN, 0};
        if (::poll(&polled, 1, kGuardMs) <= 0) {
            break;
        }
        const auto now = ::recv(from.get(), buffer.data(), buffer.size(), 0);
        if (now <= 0) {
            break;
        }
        got += static_cast<std::size_t>(now);
    }
    return got;
}

} // namespace

class TestRecorderProcess : public QObject {
    Q_OBJECT

private slots:
    void whatTheGuestWroteIsInTheLog() {
        const QTemporaryDir folder;
        agents::RecordingRoom room;
        auto log = activity::ActivityLog::open(folder.filePath("log").toStdString());
        QVERIFY(log.has_value());
        Pair caller;
        Pair clerk;
        auto marks = recording::SecretMarks::withSalt({9, 8, 7});
        QVERIFY(marks.add("a-stored-credential"));
        std::string complaint;
        auto recorder = agents::TerminalRecorder::start(kProgram, std::move(caller.theirs), std::move(clerk.theirs), **log, room,
                                                        {"terminal", "bash -l", 100, 30}, marks,
                                                        [&](const Error& error) { complaint = error.text(); });
        QVERIFY(recorder.has_value());
        const auto bytes = written("key a-stored-credential\r\n");
        QCOMPARE(::send(clerk.ours.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
        QCOMPARE(readAll(caller.ours, bytes.size()), bytes.size());
        recorder->reset(); // it hands over what it has
        QVERIFY2(complaint.empty(), complaint.c_str());
        const auto rows = (*log)->recordings().value();
        QCOMPARE(rows.size(), std::size_t{1});
        QCOMPARE(rows[0].start.title, std::string("bash -l"));
        QCOMPARE(rows[0].start.columns, 100U);
        QVERIFY(rows[0].endedNs != 0);
        QCOMPARE(rows[0].chunks, std::uint64_t{1});
        const auto chunk = (*log)->chunk(rows[0].id, 1).value();
        const auto content = recording::readChunk(chunk.data, chunk.place.firstUs).value();
        std::string text;
        for (const auto& event : content.events) {
            text += event.text;
        }
        QCOMPARE(text, std::string("key *******************\r\n"));
        QVERIFY((*log)->verify().has_value());
        QCOMPARE(readAll(caller.ours, 1), std::size_t{0}); // no terminal goes on unrecorded
    }

    // A program of the agent's may show as much noise as it likes.
    void noMoreIsKeptThanThereIsRoomFor() {
        const QTemporaryDir folder;
        agents::RecordingRoom room(10);
        auto log = activity::ActivityLog::open(folder.filePath("log").toStdString());
        Pair caller;
        Pair clerk;
        std::string complaint;
        auto recorder = agents::TerminalRecorder::start(kProgram, std::move(caller.theirs), std::move(clerk.theirs), **log, room,
                                                        {"terminal", "bash", 80, 24}, recording::SecretMarks::withSalt({}),
                                                        [&](const Error& error) { complaint = error.text(); });
        QVERIFY(recorder.has_value());
        const auto bytes = written("more than ten bytes");
        QCOMPARE(::send(clerk.ours.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
        QCOMPARE(readAll(caller.ours, bytes.size()), bytes.size());
        recorder->reset();
        QVERIFY2(complaint.find("than is kept of them") != std::string::npos, complaint.c_str());
        const auto rows = (*log)->recordings().value();
        QVERIFY(rows.size() == 1 && rows[0].chunks == 0 && rows[0].endedNs != 0);
        QCOMPARE(readAll(caller.ours, 1), std::size_t{0}); // no terminal goes on unrecorded
    }

    void whatIsLeftGrowsAgain() {
        agents::RecordingRoom room(100'000);
        const auto now = agents::RecordingRoom::Clock::now();
        QVERIFY(room.take(100'000, now) && !room.take(1, now));
        QVERIFY(room.take(agents::RecordingRoom::kPerSecond, now + std::chrono::seconds(1)));
        QVERIFY(room.take(100'000, now + std::chrono::hours(1)) && !room.take(1, now + std::chrono::hours(1)));
    }

    void withoutARecorderThereIsNoTerminal() {
        const QTemporaryDir folder;
        agents::RecordingRoom room;
        auto log = activity::ActivityLog::open(folder.filePath("log").toStdString());
        Pair caller;
        Pair clerk;
        const auto recorder = agents::TerminalRecorder::start("/nonexistent/carrel-recorder", std::move(caller.theirs), std::move(clerk.theirs),
                                                              **log, room, {"terminal", "bash", 80, 24}, recording::SecretMarks::withSalt({}),
                                                              [](const Error&) {});
        QVERIFY(!recorder);
        QVERIFY(recorder.error().text().find("not opened") != std::string::npos);
        QVERIFY((*log)->recordings().value().at(0).endedNs != 0);
    }
};

QTEST_GUILESS_MAIN(TestRecorderProcess)
#include "test_recorder_process.moc"
