// SPDX-License-Identifier: Apache-2.0
// Any bytes as what an agent may have put where apt keeps its files: as a keyring with a signed text behind it (two bytes of the
// keyring's length before), as an index, and as a package. A text that is accepted is within its bounds, ends its lines, and holds
// nothing of its signatures.
#include "guest/packages/package_search.h"

#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

using namespace carrel;
using namespace carrel::packages;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void asSigned(ByteSpan bytes) {
    if (bytes.size() < 2) {
        return;
    }
    const auto length = std::min<std::size_t>(loadLe<std::uint16_t>(bytes), bytes.size() - 2);
    const auto keys = keysFrom(bytes.subspan(2, length));
    if (!keys) {
        return;
    }
    const auto armoured = asText(bytes.subspan(2 + length));
    if (const auto text = signedText(armoured, *keys)) {
        require(text->ends_with('\n') && text->size() <= armoured.size());
        require(text->find('\0') == std::string::npos);
        for (const auto& index : indicesIn(*text)) {
            require(index.sha256.size() == 64 && index.path.ends_with("/Packages") && index.path.find("..") == std::string::npos);
        }
    }
}

void asIndex(ByteSpan bytes) {
    for (const auto& index : indicesIn(asText(bytes))) {
        require(index.sha256.size() == 64 && index.bytes <= kMaxIndexBytes);
    }
    const std::set<std::string, std::less<>> wanted{std::string(64, 'a')};
    IndexSearch search(wanted);
    search.feed(bytes.first(bytes.size() / 2));
    search.feed(bytes.subspan(bytes.size() / 2));
    require(!search.finish({"main/binary-amd64/Packages", std::string(64, 'b'), bytes.size()}));
}

void asPackage(ByteSpan bytes) {
    static const int file = ::memfd_create("package", MFD_CLOEXEC);
    require(file >= 0 && ::ftruncate(file, 0) == 0 && ::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    if (const auto programs = programsIn(file, bytes.size())) {
        for (const auto& each : *programs) {
            require(each.sha256.size() == 64 && each.path.size() <= kMaxPathBytes && each.path.starts_with('/'));
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const ByteSpan bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        asSigned(bytes);
        break;
    case 1:
        asIndex(bytes);
        break;
    default:
        asPackage(bytes);
        break;
    }
    return 0;
}
