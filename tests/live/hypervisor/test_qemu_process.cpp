// SPDX-License-Identifier: Apache-2.0
// What a running machine's QEMU was started with, what it has open, and what its guest sees: no network
// device, nothing of the host, no monitor but the one that libvirt holds. The kernel is asked, not the
// definition (I3).
#include "tests/hypervisor/contract/machine_contract.h"
#include "tests/live/hypervisor/live_image.h"

#include <QTest>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::hypervisor;
namespace fs = std::filesystem;

namespace {

std::string slurp(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::vector<std::string> commandLineOf(const fs::path& process) {
    std::vector<std::string> words;
    std::istringstream in(slurp(process / "cmdline"));
    for (std::string word; std::getline(in, word, '\0');) {
        words.push_back(word);
    }
    return words;
}

// The one process that was started for this machine.
fs::path processOf(const MachineId& id) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto words = commandLineOf(entry.path());
        const bool ours = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
            return word.find("guest=" + id.name()) != std::string::npos;
        });
        if (ours) {
            return entry.path();
        }
    }
    return {};
}

// "driver" of -device driver,… or {"driver":"driver",…}.
std::string driverOf(const std::string& device) {
    const std::string key = "\"driver\":\"";
    if (const auto at = device.find(key); at != std::string::npos) {
        const auto begin = at + key.size();
        return device.substr(begin, device.find('"', begin) - begin);
    }
    return device.substr(0, device.find(','));
}

// Inodes in a table of /proc/PID/net: the column's number counts from 0.
std::set<std::string> inodesIn(const fs::path& table, std::size_t column) {
    std::set<std::string> inodes;
    std::ifstream in(table);
    std::string line;
    std::getline(in, line); // the heading
    while (std::getline(in, line)) {
        std::istringstream words(line);
        std::string word;
        for (std::size_t i = 0; i <= column && words >> word; ++i) {
        }
        inodes.insert(word);
    }
    return inodes;
}

bool isOneOf(const std::string& word, std::initializer_list<const char*> all) {
    return std::any_of(all.begin(), all.end(), [&](const char* each) { return word == each; });
}

} // namespace

class TestQemuProcess : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        if (!m_image.whyNot().empty()) {
            QSKIP(m_image.whyNot().c_str());
        }
        m_backend = m_image.makeBackend();
        m_spec = m_image.spec(m_home);
        m_spec->window.emplace(); // as an agent's machine has one
        auto made = m_backend->create(*m_spec);
        QVERIFY2(made, made ? "" : made.error().text().c_str());
        m_machine = std::move(*made);
        const auto started = m_machine->start();
        QVERIFY2(started, started ? "" : started.error().text().c_str());
        for (const ChannelId channel : kChannels) { // as the engine holds them
            auto fd = m_machine->openChannel(channel);
            QVERIFY2(fd, fd ? "" : fd.error().text().c_str());
            m_channels[channel] = std::move(*fd);
        }
        QVERIFY(m_machine->resume());
        QVERIFY2(readUntil(m_channels[ChannelId::Console].get(), kProbeAnswer, &m_console),
                 m_console.c_str());
        m_process = processOf(m_machine->id());
        QVERIFY(!m_process.empty());
        m_words = commandLineOf(m_process);
    }

    void cleanupTestCase() {
        if (m_machine) {
            QVERIFY(m_machine->stop());
        }
    }

    // Named one by one: a device that nobody thought of is one too many.
    void invariantI3OnlyOurDevices() {
        QVERIFY(count("-nodefaults") == 1); // else there would be a network card
        std::size_t devices = 0;
        for (const auto& device : valuesOf("-device")) {
            QVERIFY2(isOneOf(driverOf(device),
                             {"pcie-root-port", "virtio-serial-pci", "virtserialport", "virtio-blk-pci",
                              "isa-serial", "virtio-rng-pci", "ivshmem-plain", "virtio-balloon-pci"}),
                     device.c_str());
            ++devices;
        }
        QVERIFY(devices > 4); // this test has found them
        for (const auto& word : m_words) {
            QVERIFY2(!isOneOf(word, {"-net",      "-netdev",  "-nic",   "-usb",        "-usbdevice",
                                     "-virtfs",   "-fsdev",   "-vnc",   "-spice",      "-gdb",
                                     "-s",        "-monitor", "-qmp",   "-qmp-pretty", "-serial",
                                     "-parallel", "-hda",     "-cdrom", "-drive",      "-tpmdev"}),
                     word.c_str());
        }
        QVERIFY(valuesOf("-display") == std::vector<std::string>{"none"});
    }

    // Streams: one to libvirt, the others our channels in the machine's own folder.
    void onlyOurStreams() {
        std::size_t monitors = 0;
        for (const auto& chardev : valuesOf("-chardev")) {
            QVERIFY2(chardev.starts_with("socket,id=char"), chardev.c_str());
            QVERIFY2(chardev.find("host=") == std::string::npos && chardev.find("port=") == std::string::npos,
                     chardev.c_str());
            monitors += chardev.find("id=charmonitor,") == std::string::npos ? 0 : 1;
        }
        QCOMPARE(monitors, std::size_t{1});
        const auto mon = valuesOf("-mon");
        QVERIFY(mon.size() == 1 && mon.front().find("chardev=charmonitor") != std::string::npos);
        // No device of the guest is joined to it.
        for (const auto& device : valuesOf("-device")) {
            QVERIFY2(device.find("charmonitor") == std::string::npos, device.c_str());
        }
    }

    void sandboxIsOn() {
        const auto sandbox = valuesOf("-sandbox");
        QVERIFY(sandbox.size() == 1);
        for (const char* part :
             {"on", "obsolete=deny", "elevateprivileges=deny", "spawn=deny", "resourcecontrol=deny"}) {
            QVERIFY2(sandbox.front().find(part) != std::string::npos, sandbox.front().c_str());
        }
        const std::string status = slurp(m_process / "status");
        QVERIFY(status.find("NoNewPrivs:\t1") != std::string::npos);
        QVERIFY(status.find("Seccomp:\t2") != std::string::npos);
        QVERIFY(status.find("CapEff:\t0000000000000000") != std::string::npos);
    }

    // Its descriptors: of sockets only unix ones, of devices and of the user's files only those a machine
    // needs.
    void nothingElseIsOpen() {
        const auto unixSockets = inodesIn(m_process / "net/unix", 6);
        std::size_t sockets = 0;
        bool overlay = false;
        for (const auto& entry : fs::directory_iterator(m_process / "fd")) {
            std::error_code gone;
            const std::string target = fs::read_symlink(entry.path(), gone).string();
            if (target.starts_with("socket:[")) {
                const std::string inode = target.substr(8, target.size() - 9);
                QVERIFY2(unixSockets.contains(inode),
                         target.c_str()); // not of tcp, udp, raw, packet, netlink, vsock
                ++sockets;
            } else if (target.starts_with("/dev/")) {
                QVERIFY2(isOneOf(target, {"/dev/null", "/dev/urandom", "/dev/kvm"}), target.c_str());
            } else if (target.starts_with("/")) {
                QVERIFY2(isOneOf(target, {m_spec->kernel.c_str(), m_spec->initrd.c_str(),
                                          m_spec->disk->base.c_str(), m_spec->disk->overlay.c_str(),
                                          windowPath(m_spec->runtimeFolder).c_str()}) ||
                             isLibvirts(target),
                         target.c_str());
                overlay = overlay || target == m_spec->disk->overlay;
                if (target ==
                    m_spec->disk->base) { // flags: octal, the last digit's two bits are the mode (proc(5))
                    const std::string info = slurp(m_process / "fdinfo" / entry.path().filename());
                    const auto at = info.find("flags:\t");
                    QVERIFY(at != std::string::npos);
                    QCOMPARE(std::stoul(info.substr(at + 7), nullptr, 8) & 3U, 0UL);
                }
            }
        }
        QVERIFY(sockets >= 5 && overlay); // this test could see them
    }

    // The memory that the machine shares is in its own folder, this user's alone, and of the size that was
    // asked for.
    void theWindowIsOursAlone() {
        const auto window = m_machine->openWindow();
        QVERIFY2(window, window ? "" : window.error().text().c_str());
        struct stat info {};
        QCOMPARE(::fstat(window->get(), &info), 0);
        QCOMPARE(info.st_mode & 07777U, 0600U);
        QCOMPARE(info.st_uid, ::geteuid());
        QCOMPARE(static_cast<std::uint64_t>(info.st_size), m_spec->window->size.value << 20U);
        const std::string maps = slurp(m_process / "maps");
        QVERIFY(maps.find(windowPath(m_spec->runtimeFolder).native()) != std::string::npos);
    }

    // And from within.
    void guestSeesNoNetwork() {
        QVERIFY2(m_console.find("network devices: lo;") != std::string::npos ||
                     m_console.find("network devices: ;") != std::string::npos,
                 m_console.c_str());
        const auto at = m_console.find("pci classes:");
        QVERIFY2(at != std::string::npos, m_console.c_str());
        std::istringstream classes(m_console.substr(at + 12, m_console.find(';', at) - at - 12));
        std::size_t seen = 0;
        for (std::string one; classes >> one;
             ++seen) { // PCI Code and ID Assignment Specification: network, display, USB
            QVERIFY2(!one.starts_with("0x02") && !one.starts_with("0x03") && !one.starts_with("0x0c03"),
                     one.c_str());
        }
        QVERIFY(seen > 3);
    }

private:
    std::vector<std::string> valuesOf(const std::string& option) const {
        std::vector<std::string> values;
        for (std::size_t i = 0; i + 1 < m_words.size(); ++i) {
            if (m_words[i] == option) {
                values.push_back(m_words[i + 1]);
            }
        }
        return values;
    }
    std::ptrdiff_t count(const std::string& word) const {
        return std::count(m_words.begin(), m_words.end(), word);
    }
    // Where libvirt keeps a domain's own secrets and log in session mode.
    bool isLibvirts(const std::string& target) const {
        const bool place = target.find("/libvirt/qemu/") != std::string::npos;
        return place && target.find(m_machine->id().name().substr(0, 8)) != std::string::npos;
    }

    LiveImage m_image;
    HomeId m_home = randomHome();
    std::unique_ptr<Backend> m_backend;
    std::optional<MachineSpec> m_spec;
    std::unique_ptr<Machine> m_machine;
    std::map<ChannelId, UniqueFd> m_channels;
    std::string m_console;
    fs::path m_process;
    std::vector<std::string> m_words;
};

QTEST_GUILESS_MAIN(TestQemuProcess)
#include "test_qemu_process.moc"
