// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/domain_xml.h"

#include "hypervisor/libvirt/wrapper/qemu_policy.h"
#include "hypervisor/libvirt/xml_writer.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace carrel::hypervisor {
namespace {

std::string policyOf(const MachineSpec& spec) {
    QemuPolicy policy;
    policy.readOnly = {spec.kernel.native(), spec.initrd.native()};
    if (spec.disk) {
        policy.readOnly.push_back(spec.disk->base.native());
        if (!spec.disk->overlay.empty()) {
            policy.readWrite.push_back(spec.disk->overlay.native());
        }
    }
    if (spec.window) {
        policy.readWrite.push_back(windowPath(spec.runtimeFolder).native());
    }
    policy.hardware = spec.accelerator == Accelerator::Hardware;
    return writeQemuPolicy(policy);
}

void writeBaseAlone(XmlWriter& xml, const DiskSpec& disk) {
    xml.open("disk", {{"type", "file"}, {"device", "disk"}})
        .leaf("driver", {{"name", "qemu"}, {"type", "raw"}})
        .leaf("source", {{"file", disk.base.native()}})
        .leaf("target", {{"dev", "vda"}, {"bus", "virtio"}})
        .leaf("readonly")
        .close();
}

void writeDisk(XmlWriter& xml, const DiskSpec& disk) {
    if (disk.overlay.empty()) {
        writeBaseAlone(xml, disk);
        return;
    }
    xml.open("disk", {{"type", "file"}, {"device", "disk"}})
        .leaf("driver", {{"name", "qemu"}, {"type", "qcow2"}, {"discard", "unmap"}})
        .leaf("source", {{"file", disk.overlay.native()}})
        .open("backingStore", {{"type", "file"}})
        .leaf("format", {{"type", "raw"}})
        .leaf("source", {{"file", disk.base.native()}})
        .leaf("backingStore") // empty: the chain ends here, and nobody looks further
        .close()
        .leaf("target", {{"dev", "vda"}, {"bus", "virtio"}})
        .close();
}

void writeChannels(XmlWriter& xml, const std::filesystem::path& folder) {
    xml.open("serial", {{"type", "unix"}})
        .leaf("source", {{"mode", "bind"}, {"path", socketPath(folder, ChannelId::Console).native()}})
        .leaf("target", {{"port", "0"}})
        .close();
    xml.leaf("controller", {{"type", "virtio-serial"}, {"index", "0"}, {"ports", "8"}});
    for (const ChannelId channel : kChannels) {
        if (channel == ChannelId::Console) {
            continue;
        }
        xml.open("channel", {{"type", "unix"}})
            .leaf("source", {{"mode", "bind"}, {"path", socketPath(folder, channel).native()}})
            .leaf("target", {{"type", "virtio"}, {"name", portName(channel)}})
            .close();
    }
}

// libvirt's own <shmem> keeps its memory under a name in /dev/shm; ours stays in the machine's folder. As
// JSON, because QEMU makes devices that are given otherwise before libvirt's, which then find their places
// taken.
void writeWindow(XmlWriter& xml, const MachineSpec& spec) {
    const boost::json::object memory{{"qom-type", "memory-backend-file"},
                                     {"id", "carrel-window"},
                                     {"mem-path", windowPath(spec.runtimeFolder).native()},
                                     {"size", spec.window->size.value << 20U},
                                     {"share", true}};
    const boost::json::object device{
        {"driver", "ivshmem-plain"}, {"id", "carrel-window-device"}, {"memdev", "carrel-window"}};
    xml.leaf("qemu:arg", {{"value", "-object"}})
        .leaf("qemu:arg", {{"value", boost::json::serialize(memory)}})
        .leaf("qemu:arg", {{"value", "-device"}})
        .leaf("qemu:arg", {{"value", boost::json::serialize(device)}});
}

// Value of key='…' in an element that this file wrote; libvirt keeps our quoting or turns it into ".
std::string attribute(std::string_view element, std::string_view key) {
    const std::size_t at = element.find(" " + std::string(key) + "=");
    if (at == std::string_view::npos || at + key.size() + 2 >= element.size()) {
        return {};
    }
    const char quote = element[at + key.size() + 2];
    const std::size_t begin = at + key.size() + 3;
    const std::size_t end =
        quote == '\'' || quote == '"' ? element.find(quote, begin) : std::string_view::npos;
    return end == std::string_view::npos ? std::string{} : std::string(element.substr(begin, end - begin));
}

std::string unescapeXml(std::string text) {
    constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
        {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}};
    for (const auto& [entity, plain] : kEntities) {
        for (std::size_t at = 0; (at = text.find(entity, at)) != std::string::npos; at += plain.size()) {
            text.replace(at, entity.size(), plain);
        }
    }
    return text;
}

} // namespace

std::string fullCommandLine(const MachineSpec& spec) {
    std::string line = spec.commandLine;
    line += line.empty() ? "console=ttyS0" : " console=ttyS0";
    if (spec.accelerator == Accelerator::Software) {
        line += " no_timer_check tsc=reliable mitigations=off cryptomgr.notests i8042.noaux i8042.nokbd";
        // QEMU before 8.2 changes its map of the machine's memory, and flushes every processor's copy of that, from the thread of
        // whichever processor caused it ("softmmu: Use async_run_on_cpu in tcg_commit" mended it). One that runs beside finds a
        // device where another was: seen once in some hundred starts, as an assertion of QEMU's that fails or a guest that hangs.
        // So one processor sets the machine up, and carrel-guestd starts the others then.
        if (spec.cpus > 1) {
            line += " maxcpus=1";
        }
    }
    return line;
}

std::string buildDomainXml(const MachineSpec& spec, const std::filesystem::path& emulator) {
    const bool hardware = spec.accelerator == Accelerator::Hardware;
    XmlWriter xml;
    xml.open("domain", {{"type", hardware ? "kvm" : "qemu"},
                        {"xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0"}})
        .leaf("name", {}, spec.id.name())
        .leaf("uuid", {}, spec.id.uuid())
        .open("metadata")
        .leaf("carrel:machine", {{"xmlns:carrel", kMetadataSpace},
                                 {"home", spec.id.home.text()},
                                 {"agent", spec.id.agent.text()},
                                 {"runtime", spec.runtimeFolder.native()}})
        .close()
        .leaf("memory", {{"unit", "MiB"}}, std::to_string(spec.memory.value))
        .leaf("vcpu", {}, std::to_string(spec.cpus))
        .open("os")
        .leaf("type", {{"arch", "x86_64"}, {"machine", "q35"}}, "hvm")
        .leaf("kernel", {}, spec.kernel.native())
        .leaf("initrd", {}, spec.initrd.native())
        .leaf("cmdline", {}, fullCommandLine(spec))
        .close()
        .open("features")
        .leaf("acpi")
        .leaf("smm", {{"state", "off"}})
        .leaf("vmport", {{"state", "off"}})
        .close()
        .open("cpu", {{"mode", hardware ? "host-passthrough" : "maximum"}});
    if (!hardware) {
        // "Enhanced rep movsb": with it kernel and C library copy by an instruction that the emulator carries
        // out byte by byte. Without it reading a cached file is four times as fast (tests/bench/files).
        xml.leaf("feature", {{"name", "erms"}, {"policy", "disable"}});
    }
    xml.close()
        .open("clock", {{"offset", "utc"}})
        .leaf("timer", {{"name", "hpet"}, {"present", "no"}})
        .close()
        .leaf("on_poweroff", {}, "destroy")
        .leaf("on_reboot", {}, "destroy") // an unplanned restart is the end; the engine starts a new machine
        .leaf("on_crash", {}, "destroy")
        .open("pm") // for a guest that asks; one that does not is met in LibvirtMachine::pause
        .leaf("suspend-to-mem", {{"enabled", "no"}})
        .leaf("suspend-to-disk", {{"enabled", "no"}})
        .close()
        .open("devices")
        .leaf("emulator", {}, emulator.native());
    if (spec.disk) {
        writeDisk(xml, *spec.disk);
    }
    writeChannels(xml, spec.runtimeFolder);
    xml.leaf("controller", {{"type", "usb"}, {"model", "none"}})
        // Never blown up: the guest tells by it which pages it has let go, and this computer has them back.
        .leaf("memballoon", {{"model", "virtio"}, {"freePageReporting", "on"}})
        .leaf("audio", {{"id", "1"}, {"type", "none"}})
        .open("rng", {{"model", "virtio"}})
        .leaf("backend", {{"model", "random"}}, "/dev/urandom")
        .close()
        .close()
        .leaf("seclabel", {{"type", "none"}})
        .open("qemu:commandline");
    if (spec.window) {
        writeWindow(xml, spec);
    }
    xml.leaf("qemu:env", {{"name", kQemuPolicyVariable}, {"value", policyOf(spec)}}).close().close();
    return xml.take();
}

Result<MachineNote> readNote(std::string_view element) {
    auto home = HomeId::parse(attribute(element, "home"));
    auto agent = AgentId::parse(attribute(element, "agent"));
    std::filesystem::path runtime = unescapeXml(attribute(element, "runtime"));
    if (!home || !agent || !runtime.is_absolute()) {
        return fail(ErrorCode::Malformed, "the machine's note is not one of ours");
    }
    return MachineNote{MachineId{std::move(*home), std::move(*agent)}, std::move(runtime)};
}

} // namespace carrel::hypervisor
