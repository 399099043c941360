// SPDX-License-Identifier: Apache-2.0
// carrel-recorder as it is shipped, between a pretended caller and a pretended clerk: what passes, and what it hands to the engine.
#include "app/api/exec_words.h"
#include "app/api/spawn_setup.h"
#include "app/recording/chunk.h"
#include "app/recording/recorder_wire.h"
#include "app/recording/secret_marks.h"
#include "guest/protocol/mux.h"
#include "guest/protocol/unique_fd.h"

#include <QFile>
#include <QTest>

#include <boost/json.hpp>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

using namespace carrel;
using namespace carrel::recording;

namespace {

class Rig {
public:
    explicit Rig(const std::vector<std::string>& secrets = {})
        : m_guest(Side::Guest, guestEvents())
        , m_caller(Side::Host, callerEvents()) {
        std::array<int, 6> ends{};
        for (std::size_t i = 0; i < ends.size(); i += 2) {
            (void)!::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data() + i);
        }
        callerFd = UniqueFd(ends[0]);
        clerkFd = UniqueFd(ends[2]);
        engineFd = UniqueFd(ends[4]);
        UniqueFd own[3] = {UniqueFd(::fcntl(ends[1], F_DUPFD_CLOEXEC, 20)), UniqueFd(::fcntl(ends[3], F_DUPFD_CLOEXEC, 20)),
                           UniqueFd(::fcntl(ends[5], F_DUPFD_CLOEXEC, 20))};
        for (const int fd : {ends[1], ends[3], ends[5]}) {
            ::close(fd);
        }
        api::SpawnSetup setup;
        for (int i = 0; i < 3; ++i) {
            setup.give(own[i].get(), kRecorderCaller + i);
        }
        setup.closeFrom(kRecorderEngine + 1);
        m_pid = setup.start(CARREL_BIN_DIR "/carrel-recorder", {}, {"LC_ALL=C.UTF-8"}).value_or(-1);
        auto marks = SecretMarks::withSalt({1, 2, 3});
        for (const auto& secret : secrets) {
            (void)marks.add(secret);
        }
        const auto first = encode(RecorderSetup{80, 24, marks.encode()});
        (void)!::send(engineFd.get(), first.data(), first.size(), MSG_NOSIGNAL);
        m_guest.beginLocal(api::kExecTag);
        m_guest.openStream(api::kExecControl, StreamKind::Messages);
        m_guest.openStream(api::kExecStdout, StreamKind::Bytes);
        m_caller.beginLocal(api::kExecTag);
        m_caller.openStream(api::kExecControl, StreamKind::Messages);
        m_caller.openStream(api::kExecStdin, StreamKind::Bytes);
    }
    ~Rig() {
        if (m_pid > 0) {
            (void)::kill(m_pid, SIGKILL);
            (void)::waitpid(m_pid, nullptr, 0);
        }
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    void out(std::string_view text) { (void)m_guest.sendBytes(api::kExecStdout, asBytes(text)); }
    void type(std::string_view text) { (void)m_caller.sendBytes(api::kExecStdin, asBytes(text)); }
    void resize(std::uint16_t rows, std::uint16_t columns) { (void)m_caller.sendMessage(api::kExecControl, asBytes(api::execResize(rows, columns))); }

    // Until it holds; false: all is said and it does not.
    bool until(const std::function<bool()>& holds) {
        for (int rounds = 0; !holds(); ++rounds) {
            flush(m_guest, clerkFd);
            flush(m_caller, callerFd);
            std::array<pollfd, 3> polled{pollfd{callerFd ? callerFd.get() : -1, POLLIN, 0}, pollfd{clerkFd ? clerkFd.get() : -1, POLLIN, 0},
                                         pollfd{engineFd ? engineFd.get() : -1, POLLIN, 0}};
            if (::poll(polled.data(), polled.size(), 30'000) <= 0) { // a guard against a hang
                return holds();
            }
            if (polled[0].revents != 0) {
                read(callerFd, [&](std::string_view bytes) { m_caller.feed(asBytes(bytes)); }, callerGone);
            }
            if (polled[1].revents != 0) {
                read(clerkFd, [&](std::string_view bytes) { m_guest.feed(asBytes(bytes)); }, clerkGone);
            }
            if (polled[2].revents != 0) {
                read(engineFd, [&](std::string_view bytes) { m_splitter.feed(bytes); }, engineGone);
                while (auto message = m_splitter.next().value_or(std::nullopt)) {
                    if (message->empty()) {
                        confined = true;
                    } else {
                        pieces.push_back(decodePiece(*message).value());
                    }
                }
            }
        }
        return true;
    }
    int status() {
        int status = 0;
        (void)::waitpid(m_pid, &status, 0);
        m_pid = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    [[nodiscard]] pid_t pid() const { return m_pid; }
    [[nodiscard]] std::string all(char code) const {
        std::string text;
        for (const auto& piece : pieces) {
            const auto content = readChunk(piece.data, piece.firstUs).value();
            for (const auto& event : content.events) {
                text += event.code == code ? event.text : "";
            }
        }
        return text;
    }

    UniqueFd callerFd, clerkFd, engineFd;
    std::string shown, typed, heard;
    std::vector<RecorderPiece> pieces;
    bool confined = false, callerGone = false, clerkGone = false, engineGone = false;

private:
    Mux::Events guestEvents() {
        Mux::Events out;
        out.accept = [](std::uint32_t stream) -> std::optional<StreamKind> {
            return stream == api::kExecControl ? StreamKind::Messages : StreamKind::Bytes;
        };
        out.data = [this](std::uint32_t stream, Bytes&& data) {
            (stream == api::kExecStdin ? typed : heard) += asText(data);
            m_guest.consumed(stream, data.size());
        };
        return out;
    }
    Mux::Events callerEvents() {
        Mux::Events out;
        out.accept = [](std::uint32_t) -> std::optional<StreamKind> { return StreamKind::Bytes; };
        out.data = [this](std::uint32_t stream, Bytes&& data) {
            shown += asText(data);
            m_caller.consumed(stream, data.size());
        };
        return out;
    }
    static void flush(Mux& from, const UniqueFd& to) {
        while (to && from.hasOutput()) {
            const auto bytes = from.takeOutput(8192);
            if (bytes.empty() || ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
                return;
            }
        }
    }
    static void read(UniqueFd& from, const std::function<void(std::string_view)>& take, bool& gone) {
        std::array<char, 65536> buffer{};
        const auto got = ::recv(from.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0) {
            take({buffer.data(), static_cast<std::size_t>(got)});
        } else {
            gone = true;
            from.reset();
        }
    }

    pid_t m_pid = -1;
    Mux m_guest, m_caller;
    RecorderSplitter m_splitter;
};

} // namespace

class TestRecorder : public QObject {
    Q_OBJECT

private slots:
    void passesAllOnAndRecordsIt() {
        Rig rig;
        rig.resize(30, 100);
        QVERIFY(rig.until([&] { return rig.heard.find("resize") != std::string::npos; }));
        QVERIFY(rig.confined);
        rig.type("ls\r");
        QVERIFY(rig.until([&] { return rig.typed == "ls\r"; }));
        const std::string raw = "ls\r\n\x1b]0;title\x07" "file\r\n";
        rig.out(raw);
        QVERIFY(rig.until([&] { return rig.shown == raw; })); // as it is: what shows it has a filter of its own
        rig.clerkFd.reset();
        QVERIFY(rig.until([&] { return rig.engineGone && rig.callerGone; }));
        QCOMPARE(rig.status(), 0);
        QCOMPARE(rig.all('o'), std::string("ls\r\nfile\r\n"));
        QCOMPARE(rig.all('i'), std::string("ls\r"));
        QCOMPARE(rig.all('r'), std::string("100x30"));
    }

    void recordsMuchInSeveralPieces() {
        Rig rig;
        std::string all;
        for (int i = 0; i < 20'000; ++i) {
            all += "line " + std::to_string(i) + " of what a program writes\r\n";
        }
        for (std::size_t at = 0; at < all.size(); at += 32 * 1024) {
            rig.out(std::string_view(all).substr(at, 32 * 1024));
        }
        QVERIFY(rig.until([&] { return rig.shown.size() == all.size(); }));
        rig.clerkFd.reset();
        QVERIFY(rig.until([&] { return rig.engineGone; }));
        QVERIFY(rig.pieces.size() > 2);
        QVERIFY(rig.all('o') == all);
        QVERIFY(rig.shown == all);
        for (std::size_t i = 1; i < rig.pieces.size(); ++i) {
            QVERIFY(rig.pieces[i].firstUs >= rig.pieces[i - 1].lastUs);
        }
    }

    void masksWhatItDoesNotKnow() {
        Rig rig({"a-secret-of-somebody"});
        rig.out("it is a-secret-");
        QVERIFY(rig.until([&] { return rig.shown.size() == 15; }));
        rig.out("of-somebody.");
        QVERIFY(rig.until([&] { return rig.shown.size() == 27; }));
        rig.callerFd.reset();
        QVERIFY(rig.until([&] { return rig.engineGone; }));
        QCOMPARE(rig.all('o'), std::string("it is ********************."));
    }

    void endsWhereASideSpeaksNonsense() {
        Rig rig;
        QVERIFY(rig.until([&] { return rig.confined; }));
        const std::string nonsense(64, '\x01');
        (void)!::send(rig.clerkFd.get(), nonsense.data(), nonsense.size(), MSG_NOSIGNAL);
        QVERIFY(rig.until([&] { return rig.callerGone && rig.engineGone; }));
        QCOMPARE(rig.status(), 1);
    }

    void endsWithTheEngine() {
        Rig rig;
        QVERIFY(rig.until([&] { return rig.confined; }));
        rig.engineFd.reset();
        QVERIFY(rig.until([&] { return rig.callerGone && rig.clerkGone; })); // no terminal goes on unrecorded
    }

    // I1: from before the first byte of a guest's.
    void isConfined() {
        Rig rig;
        QVERIFY(rig.until([&] { return rig.confined; }));
        QFile status(QStringLiteral("/proc/%1/status").arg(rig.pid()));
        QVERIFY(status.open(QIODevice::ReadOnly));
        const auto text = status.readAll();
        QVERIFY(text.contains("NoNewPrivs:\t1"));
        QVERIFY(text.contains("Seccomp:\t2"));
        QVERIFY(text.contains("Threads:\t1"));
    }
};

QTEST_GUILESS_MAIN(TestRecorder)
#include "test_recorder.moc"
