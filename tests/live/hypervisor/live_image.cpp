// SPDX-License-Identifier: Apache-2.0
#include "tests/live/hypervisor/live_image.h"

#include "hypervisor/libvirt/backend.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

std::string readFile(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// One entry of a cpio archive in the "newc" format (Linux, Documentation/driver-api/early-userspace).
std::string cpioEntry(const std::string& name, unsigned mode, const std::string& content) {
    char header[111];
    std::snprintf(header, sizeof header, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 0,
                  mode, 0, 0, 1, 0, content.size(), 0, 0, 0, 0, name.size() + 1, 0);
    std::string entry = header + name + '\0';
    entry.resize((entry.size() + 3) / 4 * 4);
    entry += content;
    entry.resize((entry.size() + 3) / 4 * 4);
    return entry;
}

} // namespace

LiveImage::LiveImage() {
    const char* image = std::getenv("CARREL_TEST_IMAGE");
    if (image == nullptr) {
        m_whyNot = "set CARREL_TEST_IMAGE to the folder of an image (vmlinux, modules.cpio, base.raw)";
        return;
    }
    if (::geteuid() == 0) {
        m_whyNot = "machines are not started as root; run this test as an ordinary user";
        return;
    }
    m_image = image;
    for (const char* part : {"vmlinux", "modules.cpio", "base.raw"}) {
        if (!std::filesystem::exists(m_image / part)) {
            m_whyNot = "the image at " + m_image.native() + " has no " + part;
            return;
        }
    }
    m_initrd = folder() / "initrd";
    std::ofstream(m_initrd, std::ios::binary)
        << readFile(m_image / "modules.cpio")
        << cpioEntry("init", 0100755, readFile(std::string(CARREL_BIN_DIR) + "/test-guest-init"))
        << cpioEntry("TRAILER!!!", 0, {});
}

MachineSpec LiveImage::spec(const HomeId& home) const {
    const AgentId agent = AgentId::random().value();
    const std::string name = agent.text().substr(0, 8);
    return MachineSpec{.id = MachineId{home, agent},
                       .memory = Mebibytes{256},
                       .kernel = m_image / "vmlinux",
                       .initrd = m_initrd,
                       .commandLine = "panic=-1",
                       .disk =
                           DiskSpec{.base = m_image / "base.raw", .overlay = folder() / (name + ".qcow2")},
                       .runtimeFolder = folder() / name,
                       .accelerator = Accelerator::Software};
}

HostProbe LiveImage::probe(const HomeId& home) const {
    return HostProbe{.kernel = m_image / "vmlinux",
                     .initrd = m_initrd,
                     .scratchFolder = folder() / "probe",
                     .dataFolder = folder(),
                     .cacheFile = folder() / "probe.json",
                     .home = home};
}

std::unique_ptr<Backend> LiveImage::makeBackend() const {
    return makeLibvirtBackend({.emulator = std::string(CARREL_BIN_DIR) + "/carrel-qemu"}).value();
}

} // namespace carrel::hypervisor
