// SPDX-License-Identifier: Apache-2.0
// Words that come back from outside: the policy in the emulator's environment, the note in a domain's
// definition (another program may have changed it), and the end of the emulator's log (an escaped guest may
// write it). First byte: which of them.
#include "hypervisor/libvirt/domain_operations.h"
#include "hypervisor/libvirt/domain_xml.h"
#include "hypervisor/libvirt/wrapper/qemu_policy.h"
#include "hypervisor/libvirt/xml_writer.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;
using namespace carrel::hypervisor;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void policy(std::string_view text) {
    const auto first = readQemuPolicy(text);
    if (!first) {
        return;
    }
    for (const auto* paths : {&first->readOnly, &first->readWrite}) {
        require(paths->size() <= 8);
        for (const auto& path : *paths) {
            require(path.starts_with('/') && path.find('\0') == std::string::npos);
        }
    }
    // Escapes may make it longer than what is taken: then it is refused, and never read as something else.
    const auto written = writeQemuPolicy(*first);
    const auto again = readQemuPolicy(written);
    require(again ? *again == *first : written.size() > kMaxQemuPolicyBytes);
}

void note(std::string_view element) {
    const auto first = readNote(element);
    if (!first) {
        return;
    }
    const auto& path = first->runtimeFolder.native();
    require(path.starts_with('/'));
    // As buildDomainXml writes it.
    XmlWriter xml;
    xml.leaf("carrel:machine", {{"xmlns:carrel", kMetadataSpace},
                                {"home", first->id.home.text()},
                                {"agent", first->id.agent.text()},
                                {"runtime", path}});
    const auto again = readNote(xml.take());
    require(again && again->id == first->id && again->runtimeFolder == first->runtimeFolder);
}

void exitLog(std::string_view tail) {
    const auto report = parseExitLog(tail);
    require(report.lastLines.size() <= std::min<std::size_t>(4096, tail.size() + 1));
    require(std::all_of(report.lastLines.begin(), report.lastLines.end(),
                        [](char c) { return c == '\n' || (c >= 0x20 && c <= 0x7e); }));
    require(!toString(report.reason).empty());
    // Another run after it: only that one counts.
    const std::string later = std::string(tail) +
                              "\nx: starting up libvirt version: 9\n-a \\\n-b\nown words\n" +
                              "x: shutting down, reason=crashed\n";
    const auto last = parseExitLog(later);
    require(last.reason == ExitReason::Crashed && last.lastLines == "own words\n");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    switch (data[0] % 3) {
    case 0:
        policy(text);
        break;
    case 1:
        note(text);
        break;
    default:
        exitLog(text);
    }
    return 0;
}
