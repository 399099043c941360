// SPDX-License-Identifier: Apache-2.0
#include "guest/packages/deb_archive.h"

#include "guest/packages/byte_source.h"
#include "guest/worktree/sha256.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <unistd.h>

namespace carrel::packages {

namespace {

constexpr std::size_t kArHead = 60;
constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kMaxLongName = 16 * 1024; // also of a pax header
constexpr std::string_view kElf = "\x7f"
                                  "ELF";

tl::unexpected<Error> malformed(const char* what) {
    return fail(ErrorCode::Malformed, std::string("the package cannot be read: ") + what);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) {
        text.remove_suffix(1);
    }
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    return text;
}

// GNU's form of what is too large for its digits is for sizes of 8 GiB and more: more than kMaxUnpackedBytes.
std::optional<std::uint64_t> numberFrom(std::string_view text, int base) {
    text = trimmed(text);
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

std::string pathFrom(std::string_view name, std::string_view prefix) {
    std::string out;
    if (!prefix.empty()) {
        out = std::string(prefix) + "/";
    }
    out += name;
    if (out.starts_with("./")) {
        out.erase(0, 1);
    } else if (!out.starts_with('/')) {
        out.insert(0, "/");
    }
    for (auto& c : out) {
        c = c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
    }
    out.resize(std::min(out.size(), kMaxPathBytes));
    return out;
}

class Tar {
public:
    // The paths of an archive are below `folder`.
    Tar(ByteSource& from, std::string folder, std::vector<Program>& programs, std::set<std::string>& seen, std::uint64_t& unpacked)
        : m_from(from)
        , m_folder(std::move(folder))
        , m_programs(programs)
        , m_seen(seen)
        , m_unpacked(unpacked) {}

    Status readAll() {
        for (;;) {
            std::array<std::byte, kBlock> block{};
            CARREL_TRY(m_from.readAll(block));
            if (std::all_of(block.begin(), block.end(), [](std::byte each) { return each == std::byte{0}; })) {
                return {}; // the end of it; what fills up its last piece says nothing
            }
            const auto text = asText(block);
            const auto field = [&](std::size_t at, std::size_t bytes) { return text.substr(at, bytes); };
            const auto size = numberFrom(field(124, 12), 8);
            const auto mode = numberFrom(field(100, 8), 8);
            if (!size || !mode || !hasItsSum(block, field(148, 8)) || !field(257, 6).starts_with("ustar")) {
                return malformed("a head in it has not the form");
            }
            m_unpacked += *size + kBlock;
            if (m_unpacked > kMaxUnpackedBytes) {
                return fail(ErrorCode::LimitExceeded, "the package is too large when it is unpacked");
            }
            const char type = text[156];
            if (type == 'L' || type == 'x') {
                CARREL_TRY(takeName(type, *size));
                continue;
            }
            const bool posix = field(257, 8) == std::string_view("ustar\00000", 8);
            const auto prefix = posix ? field(345, 155) : std::string_view();
            const auto path = !m_longName.empty() ? pathFrom(m_longName, {}) : pathFrom(untilZero(field(0, 100)), untilZero(prefix));
            m_longName.clear();
            const bool file = type == '0' || type == '\0' || type == '7';
            CARREL_TRY(file ? takeFile(path, *mode, *size) : pass(padded(*size)));
        }
    }

private:
    static std::string_view untilZero(std::string_view text) { return text.substr(0, text.find('\0')); }
    static std::uint64_t padded(std::uint64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }
    static bool hasItsSum(const std::array<std::byte, kBlock>& block, std::string_view said) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < block.size(); ++i) {
            sum += i >= 148 && i < 156 ? ' ' : std::to_integer<unsigned>(block[i]);
        }
        return numberFrom(untilZero(said), 8) == sum;
    }

    Status pass(std::uint64_t bytes) {
        while (bytes > 0) {
            const auto piece = std::span(m_buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, m_buffer.size())));
            CARREL_TRY(m_from.readAll(piece));
            bytes -= piece.size();
        }
        return {};
    }

    // Of the next entry: GNU's form, or the record "path" of pax's.
    Status takeName(char type, std::uint64_t size) {
        if (size > kMaxLongName) {
            return malformed("a name in it is too long");
        }
        std::string text(static_cast<std::size_t>(padded(size)), '\0');
        CARREL_TRY(m_from.readAll({reinterpret_cast<std::byte*>(text.data()), text.size()}));
        text.resize(static_cast<std::size_t>(size));
        if (type == 'L') {
            m_longName = untilZero(text);
            return {};
        }
        std::string_view left = text;
        while (!left.empty()) {
            const auto blank = left.find(' ');
            const auto length = blank == std::string_view::npos ? std::nullopt : numberFrom(left.substr(0, blank), 10);
            if (!length || *length <= blank + 1 || *length > left.size()) {
                return malformed("a record in it has not the form");
            }
            const auto record = left.substr(blank + 1, static_cast<std::size_t>(*length) - blank - 2);
            if (record.starts_with("path=")) {
                m_longName = record.substr(5);
            } else if (record.starts_with("size=")) {
                return malformed("a size in it is told in a way that is not read here");
            }
            left.remove_prefix(static_cast<std::size_t>(*length));
        }
        return {};
    }

    Status takeFile(const std::string& path, std::uint64_t mode, std::uint64_t size) {
        worktree::Sha256 hash;
        bool isProgram = (mode & 0111U) != 0;
        std::uint64_t left = size;
        while (left > 0) {
            const auto piece = std::span(m_buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, m_buffer.size())));
            CARREL_TRY(m_from.readAll(piece));
            if (left == size) {
                isProgram = isProgram || asText(piece).starts_with(kElf);
            }
            if (!isProgram) {
                return pass(padded(size) - piece.size());
            }
            hash.update(piece);
            left -= piece.size();
        }
        CARREL_TRY(pass(padded(size) - size));
        if (!isProgram) {
            return {};
        }
        auto digits = hash.hex();
        if (!m_seen.insert(digits).second) {
            return {};
        }
        if (m_programs.size() == kMaxPrograms) {
            return fail(ErrorCode::LimitExceeded, "the package has too many programs");
        }
        m_programs.push_back({std::move(digits), (m_folder + path).substr(0, kMaxPathBytes)});
        return {};
    }

    ByteSource& m_from;
    std::string m_folder;
    std::vector<Program>& m_programs;
    std::set<std::string>& m_seen;
    std::uint64_t& m_unpacked;
    std::string m_longName;
    std::array<std::byte, 64 * 1024> m_buffer{};
};

Status readAt(int file, std::uint64_t at, std::span<char> into) {
    const auto got = ::pread(file, into.data(), into.size(), static_cast<off_t>(at));
    if (got < 0) {
        return failErrno("reading a package");
    }
    return static_cast<std::size_t>(got) == into.size() ? Status() : malformed("it ends too early");
}

} // namespace

Result<std::vector<Program>> programsIn(int deb, std::uint64_t bytes) {
    std::array<char, 8> magic{};
    CARREL_TRY(readAt(deb, 0, magic));
    if (std::string_view(magic.data(), magic.size()) != "!<arch>\n") {
        return malformed("it is no archive");
    }
    std::vector<Program> out;
    std::set<std::string> seen;
    std::uint64_t unpacked = 0;
    bool data = false;
    for (std::uint64_t at = magic.size(); at < bytes && !data;) {
        std::array<char, kArHead> head{};
        CARREL_TRY(readAt(deb, at, head));
        const std::string_view text(head.data(), head.size());
        const auto size = numberFrom(text.substr(48, 10), 10);
        auto name = trimmed(text.substr(0, 16));
        if (name.ends_with('/')) {
            name.remove_suffix(1);
        }
        at += head.size();
        if (!size || text.substr(58) != "`\n" || *size > bytes - at) {
            return malformed("a head in it has not the form");
        }
        data = name.starts_with("data.tar");
        if (data || name.starts_with("control.tar")) {
            const auto part = openPart(deb, at, *size, name);
            if (!part) {
                return fail(part.error());
            }
            CARREL_TRY(Tar(**part, data ? "" : "/DEBIAN", out, seen, unpacked).readAll());
        }
        at += *size + (*size & 1U);
    }
    if (!data) {
        return malformed("it has no content");
    }
    return out;
}

} // namespace carrel::packages
