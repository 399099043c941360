// SPDX-License-Identifier: Apache-2.0
#include "tests/live/guest/guestd/machine_rig.h"

#include "app/images/initrd.h"
#include "guest/protocol/control.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <boost/json.hpp>

#include <chrono>
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace carrel::test {

namespace json = boost::json;

namespace {

// A guard against a hang, far beyond what a slow host needs between two signs of life.
constexpr int kSilenceMs = 60000;

UniqueFd connectTo(const QString& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const QByteArray name = QFile::encodeName(path);
    std::copy_n(name.constData(), std::min<std::size_t>(static_cast<std::size_t>(name.size()), 107),
                address.sun_path);
    if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        fd.reset();
    }
    return fd;
}

} // namespace

HostChannel::HostChannel(const QString& socketPath, std::function<StreamKind(std::uint32_t)> kinds)
    : m_path(socketPath)
    , m_kinds(std::move(kinds)) {
    makeMux();
    reconnect();
}

void HostChannel::makeMux() {
    m_mux = std::make_unique<Mux>(
        Side::Host,
        Mux::Events{
            .data =
                [this](std::uint32_t stream, Bytes&& data) {
                    auto& into = streams[stream];
                    const QByteArray piece(reinterpret_cast<const char*>(data.data()),
                                           static_cast<qsizetype>(data.size()));
                    if (m_kinds(stream) == StreamKind::Messages) {
                        into.messages.push_back(piece);
                        if (onMessage) {
                            onMessage(stream, data);
                        }
                    } else {
                        into.bytes += piece;
                        changed(stream);
                    }
                    if (!into.stalled) {
                        m_owed[stream] += data.size();
                    }
                },
            .end =
                [this](std::uint32_t stream) {
                    streams[stream].ended = true;
                    changed(stream);
                },
            .reset =
                [this](std::uint32_t stream, std::uint32_t) {
                    streams[stream].reset = true;
                    changed(stream);
                },
            .writable = {},
            .epoch = [this](const Epoch&) { ++m_epochs; },
            .spoilt = [this](std::string_view) { begin(); },
            .accept = [this](std::uint32_t stream) { return std::optional(m_kinds(stream)); },
        });
}

void HostChannel::changed(std::uint32_t stream) {
    if (onChange) {
        onChange(stream);
    }
}

void HostChannel::begin() {
    std::array<std::byte, 20> random{};
    [[maybe_unused]] const auto got = ::getrandom(random.data(), random.size(), 0);
    streams.clear();
    m_owed.clear();
    m_pending.clear();
    m_mux->begin(Epoch::fromRandom(random));
}

void HostChannel::disconnect() {
    m_fd.reset();
}

void HostChannel::reconnect() {
    m_fd = connectTo(m_path);
    begin();
}

void HostChannel::pump() {
    if (!m_fd) {
        return;
    }
    std::array<std::byte, 65536> buffer;
    for (;;) {
        const ssize_t got = ::read(m_fd.get(), buffer.data(), buffer.size());
        if (got <= 0) {
            break;
        }
        m_mux->feed({buffer.data(), static_cast<std::size_t>(got)});
    }
    for (const auto& [stream, bytes] : m_owed) {
        m_mux->consumed(stream, bytes);
    }
    m_owed.clear();
    for (;;) {
        if (m_pending.empty()) {
            m_pending = m_mux->takeOutput();
        }
        if (m_pending.empty()) {
            break;
        }
        const ssize_t done = ::write(m_fd.get(), m_pending.data(), m_pending.size());
        if (done <= 0) {
            break;
        }
        m_pending.erase(m_pending.begin(), m_pending.begin() + done);
    }
}

QString MachineRig::boot(const QString& guestd) {
    const QString image = qEnvironmentVariable("CARREL_TEST_IMAGE");
    if (image.isEmpty()) {
        return QStringLiteral("CARREL_TEST_IMAGE names no image folder (vmlinux, modules.cpio, base.raw)");
    }
    const QString bin = qEnvironmentVariable("CARREL_TEST_BIN", QStringLiteral(CARREL_BIN_DIR));
    const auto at = [this](const char* name) { return m_folder.filePath(QString::fromLatin1(name)); };
    std::vector<images::InitrdFile> keys;
    if (!m_keyring.isEmpty()) {
        keys.push_back({m_keyring.toStdString(), "lib/carrel/archive-keyring.gpg", 0644});
    }
    const auto initrd =
        images::composeInitrd({.modules = QDir(image).filePath("modules.cpio").toStdString(),
                               .carrelInit = QDir(bin).filePath("carrel-init").toStdString(),
                               .carrelGuestd = (guestd.isEmpty() ? QDir(bin).filePath("carrel-guestd") : guestd).toStdString(),
                               .carrelAsk = QDir(bin).filePath("carrel-ask").toStdString(),
                               .carrelAgent = QDir(bin).filePath("carrel-agent").toStdString(),
                               .extraFiles = keys},
                              at("initrd").toStdString());
    if (!initrd) {
        return QString::fromStdString(initrd.error().text());
    }
    if (QProcess::execute("qemu-img", {"create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                                       QDir(image).filePath("base.raw"), at("overlay.qcow2"), "16G"}) != 0) {
        return QStringLiteral("qemu-img does not work here");
    }
    QStringList arguments{
        "-accel",      "tcg",
        "-M",          "q35,smm=off,vmport=off,sata=off,usb=off,hpet=off",
        "-cpu",        "max",
        "-m",          "512",
        "-smp",        "1",
        "-nodefaults", "-no-user-config",
        "-display",    "none",
        "-no-reboot",  "-nic",
        "none",        "-serial",
        "stdio",       "-S",
        "-qmp",        "unix:" + at("qmp.sock") + ",server=on,wait=off",
        "-kernel",     QDir(image).filePath("vmlinux"),
        "-initrd",     at("initrd"),
        "-append",     "console=ttyS0 quiet loglevel=3 panic=-1 no_timer_check tsc=reliable lockdown=integrity mitigations=off",
        "-drive",      "file=" + at("overlay.qcow2") + ",if=none,id=d,format=qcow2,discard=unmap",
        "-device",     "virtio-blk-pci,drive=d",
        "-device",     "virtio-rng-pci",
        "-device",     "virtio-serial-pci,id=vs"};
    for (const char* name : {"control", "files", "network", "terminals"}) {
        arguments
            << "-chardev"
            << QStringLiteral("socket,id=%1,path=%2,server=on,wait=off").arg(name, at(name) + ".sock")
            << "-device"
            << QStringLiteral("virtserialport,bus=vs.0,chardev=%1,name=carrel.%1").arg(QLatin1String(name));
    }
    arguments.removeAt(arguments.indexOf("-S")); // the channels start over whenever the host's end comes
    m_qemu.setProcessChannelMode(QProcess::MergedChannels);
    m_qemu.start("qemu-system-x86_64", arguments);
    if (!m_qemu.waitForStarted()) {
        return QStringLiteral("qemu-system-x86_64 does not start here");
    }
    QElapsedTimer silence;
    silence.start();
    while (!QFile::exists(at("terminals") + ".sock")) {
        m_qemu.waitForReadyRead(10);
        if (m_qemu.state() != QProcess::Running || silence.elapsed() > kSilenceMs) {
            return QStringLiteral("QEMU made no channels: ") + QString::fromUtf8(m_qemu.readAll());
        }
    }
    const auto socket = [&](const char* name) { return at(name) + ".sock"; };
    m_control =
        std::make_unique<HostChannel>(socket("control"), [](std::uint32_t) { return StreamKind::Messages; });
    m_files = std::make_unique<HostChannel>(socket("files"), [](std::uint32_t stream) {
        return stream >= control::kFirstContentStream ? StreamKind::Bytes : StreamKind::Messages;
    });
    m_network = std::make_unique<HostChannel>(socket("network"), [](std::uint32_t) { return StreamKind::Bytes; });
    m_terminals = std::make_unique<HostChannel>(socket("terminals"), [](std::uint32_t stream) {
        return stream % control::kSessionStreams == 0 ? StreamKind::Messages : StreamKind::Bytes;
    });
    return {};
}

UniqueFd MachineRig::takeNetwork() {
    return m_network->take(); // poll(2) passes over what is not open
}

MachineRig::~MachineRig() {
    m_qemu.kill();
    m_qemu.waitForFinished();
}

bool MachineRig::isRunning() {
    m_qemu.waitForReadyRead(0);
    return m_qemu.state() == QProcess::Running;
}

QByteArray MachineRig::console() {
    m_qemu.waitForReadyRead(0);
    m_console += m_qemu.readAll();
    return m_console;
}

bool MachineRig::until(const std::function<bool()>& done) {
    for (;;) {
        for (auto* channel : {m_control.get(), m_files.get(), m_network.get(), m_terminals.get()}) {
            channel->pump();
        }
        if (done()) {
            return true;
        }
        std::array<pollfd, 4> wait{pollfd{m_control->fd(), POLLIN, 0}, pollfd{m_files->fd(), POLLIN, 0},
                                   pollfd{m_network->fd(), POLLIN, 0}, pollfd{m_terminals->fd(), POLLIN, 0}};
        if (::poll(wait.data(), wait.size(), kSilenceMs) <= 0) {
            return false;
        }
        for (const auto& one : wait) {
            if ((one.revents & POLLHUP) != 0) {
                return done();
            }
        }
    }
}

bool MachineRig::greet(const json::array& shares, const json::value& authority, Programs programs) {
    if (!until([&] { return m_control->mux().isOpen() && m_files->mux().isOpen(); })) {
        return false;
    }
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto answer = call("hello", {{"version", control::kProtocolVersion},
                                       {"capabilities", json::array{}},
                                       {"realtime_ns", std::chrono::nanoseconds(now).count()},
                                       {"agent", {{"id", "a1"}, {"name", "desk-one"}}},
                                       {"shares", shares},
                                       {"authority", authority},
                                       {"programs_follow", programs == Programs::Follow}});
    // Commands are taken only after that, when the shares are there.
    return answer.has_value() && until([&] { return m_terminals->mux().isOpen(); });
}

Result<json::value> MachineRig::call(const std::string& method, json::object params) {
    const std::uint64_t id = m_nextId++;
    m_control->mux().openStream(control::kRpcStream, StreamKind::Messages);
    CARREL_TRY(m_control->mux().sendMessage(control::kRpcStream,
                                            asBytes(toText(RpcRequest{id, method, std::move(params)}))));
    std::optional<Result<json::value>> answer;
    const bool came = until([&] {
        auto& messages = m_control->streams[control::kRpcStream].messages;
        for (auto at = messages.begin(); at != messages.end(); ++at) {
            auto message = parseRpc(std::string_view(at->constData(), static_cast<std::size_t>(at->size())),
                                    {.bytes = kMaxMessageBytes, .depth = 12});
            if (message && std::holds_alternative<RpcResponse>(*message) &&
                std::get<RpcResponse>(*message).id == id) {
                answer = std::get<RpcResponse>(std::move(*message)).result;
                messages.erase(at);
                return true;
            }
        }
        return false;
    });
    if (!came) {
        return fail(ErrorCode::Expired, "no answer to " + method);
    }
    return *answer;
}

std::uint32_t MachineRig::startSession(const json::object& start) {
    const std::uint32_t number = m_nextSession++;
    auto& mux = m_terminals->mux();
    const std::uint32_t first = number * control::kSessionStreams;
    mux.openStream(first, StreamKind::Messages);
    mux.openStream(first + control::kSessionStdin, StreamKind::Bytes);
    const auto sent = mux.sendMessage(first, asBytes(json::serialize(json::object{{"start", start}})));
    return sent ? number : 0;
}

bool MachineRig::ended(std::uint32_t session) {
    // The last words may overtake output that waits for credit: streams keep order only within themselves.
    const std::uint32_t first = session * control::kSessionStreams;
    const auto over = [&](std::uint32_t part) {
        const auto stream = m_terminals->streams.find(first + part);
        return stream == m_terminals->streams.end() || stream->second.ended || stream->second.reset;
    };
    return m_terminals->streams[first].ended && over(control::kSessionStdout) && over(control::kSessionStderr);
}

MachineRig::Outcome MachineRig::outcome(std::uint32_t session) {
    const std::uint32_t first = session * control::kSessionStreams;
    const auto& words = m_terminals->streams[first].messages;
    return {m_terminals->streams[first + control::kSessionStdout].bytes,
            m_terminals->streams[first + control::kSessionStderr].bytes,
            words.empty() ? QByteArray() : words.back()};
}

MachineRig::Outcome MachineRig::run(const std::vector<std::string>& argv, const QByteArray& input) {
    json::array list;
    for (const auto& argument : argv) {
        list.emplace_back(argument);
    }
    const auto session = startSession({{"argv", list}, {"tty", nullptr}});
    const std::uint32_t in = session * control::kSessionStreams + control::kSessionStdin;
    if (!input.isEmpty()) {
        const auto sent =
            m_terminals->mux().sendBytes(in, {reinterpret_cast<const std::byte*>(input.constData()),
                                              static_cast<std::size_t>(input.size())});
        if (!sent) {
            return {};
        }
    }
    m_terminals->mux().sendEnd(in);
    if (!until([&] { return ended(session); })) {
        return {};
    }
    return outcome(session);
}

} // namespace carrel::test
