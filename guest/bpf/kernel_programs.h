// SPDX-License-Identifier: Apache-2.0
// Brings one embedded BPF object (carrel_bpf_object in CMake) into force: its programs are loaded and attached, its links and maps
// pinned in bpffs, where they stay when this process is killed. The next start finds the pins and takes up the maps, without loading
// anything: between the two there is no instant without the programs.
// Owner: whoever holds the object; the kernel holds the programs for as long as the pins stand. Thread: any, one at a time.
// Errors: what the kernel refused; a program that its verifier refuses names the last lines of the verifier's own words.
// bpf(2); https://docs.kernel.org/bpf/libbpf
#pragma once

#include "guest/protocol/bytes.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <map>
#include <string>

namespace carrel::bpf {

inline constexpr const char* kPins = "/sys/fs/bpf/carrel"; // 0700, the machine root's; out of the agent's sight

// Names are also those of folders of bpffs, which allows no dot in them.
struct Object {
    std::string name;
    ByteSpan bytes;
};

class KernelPrograms {
public:
    enum class Origin { Loaded, Found }; // Found: in force since an earlier start

    // Maps of other programs, by name: descriptors, of which the object's map of the same name becomes another name.
    using Lent = std::map<std::string, int>;
    // All or nothing: where one program cannot be attached, none stays.
    [[nodiscard]] static Result<KernelPrograms> bringIntoForce(const Object& object, const std::string& pins = kPins, const Lent& lent = {});

    [[nodiscard]] Origin origin() const { return m_origin; }
    // The descriptor of a map, which this object keeps open.
    [[nodiscard]] Result<int> map(const std::string& name) const;

private:
    KernelPrograms() = default;
    [[nodiscard]] Status load(const Object& object, const std::string& folder, const Lent& lent);
    [[nodiscard]] Status takeUp(const std::string& folder);

    Origin m_origin = Origin::Loaded;
    std::map<std::string, UniqueFd> m_maps;
};

// The names of an object's programs, without the kernel's help: what a test on any computer can see.
[[nodiscard]] Result<std::map<std::string, std::string>> sectionsByProgram(const Object& object);

} // namespace carrel::bpf

// Declares what the library carrel_bpf_NAME carries; outside of every namespace.
#define CARREL_BPF_OBJECT(NAME)                                                                               \
    extern "C" const std::byte carrel_bpf_##NAME[];                                                           \
    extern "C" const std::byte carrel_bpf_##NAME##_end[];                                                     \
    inline carrel::bpf::Object carrelBpfObject_##NAME() {                                                     \
        return {#NAME, {carrel_bpf_##NAME, carrel_bpf_##NAME##_end}};                                         \
    }
