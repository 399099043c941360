// SPDX-License-Identifier: Apache-2.0
// What an image is: its parts with their hashes, the packages in it, the recipe that made it. The id is the
// SHA-256 over the parts, so the same bytes are the same image wherever they were made. Thread: values.
#pragma once

#include "app/files/sha256.h"
#include "guest/protocol/result.h"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::images {

// 64 lower-case hexadecimal digits.
class ImageId {
public:
    [[nodiscard]] static Result<ImageId> parse(std::string_view text);
    explicit ImageId(const files::Sha256& hash)
        : m_text(hash.hex()) {}
    [[nodiscard]] const std::string& text() const { return m_text; }
    // Enough for a person's eye.
    [[nodiscard]] std::string shortText() const { return m_text.substr(0, 12); }
    friend auto operator<=>(const ImageId&, const ImageId&) = default;

private:
    std::string m_text;
};

enum class Origin { BuiltHere, Imported };
[[nodiscard]] std::string_view toString(Origin origin);

inline constexpr std::string_view kBasePart = "base.raw";
inline constexpr std::string_view kElfKernelPart = "vmlinux"; // may be absent
inline constexpr std::string_view kKernelPart = "vmlinuz";    // may be absent where vmlinux is there
inline constexpr std::string_view kModulesPart = "modules.cpio";
inline constexpr std::string_view kProgramsPart = "programs.tsv"; // may be absent: an import, or made by an older Carrel

struct Part {
    std::string name;
    std::uint64_t size = 0; // bytes
    files::Sha256 sha256;
    bool operator==(const Part&) const = default;
};

struct Package {
    std::string name;
    std::string version;
    std::string architecture;
    bool operator==(const Package&) const = default;
};

struct Manifest {
    static constexpr std::uint64_t kSchema = 1;
    Origin origin = Origin::BuiltHere;
    std::string kernelRelease;     // e.g. "6.1.0-56-cloud-amd64"; empty for an import that did not say
    std::string recipe;            // hash of the recipe's files; empty for imports
    std::vector<Part> parts;       // sorted by name
    std::vector<Package> packages; // sorted by name

    [[nodiscard]] ImageId id() const;
    [[nodiscard]] const Part* find(std::string_view name) const;
    [[nodiscard]] std::string toJson() const;
    // Strict: unknown fields, unknown parts, a missing part or an id that is not that of the parts are
    // refused.
    [[nodiscard]] static Result<Manifest> parse(std::string_view json);
    bool operator==(const Manifest&) const = default;
};

// The lines "name<tab>version<tab>architecture" that the recipe writes.
[[nodiscard]] Result<std::vector<Package>> parsePackages(std::string_view text);

} // namespace carrel::images
