// SPDX-License-Identifier: Apache-2.0
#include "guest/bpf/gate_policy.h"

namespace carrel::bpf {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

} // namespace

std::optional<ContentHash> contentHashFrom(std::string_view text) {
    ContentHash out{};
    if (text.size() != 2 * out.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto high = kDigits.find(text[2 * i]);
        const auto low = kDigits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) {
            return std::nullopt;
        }
        out[i] = static_cast<std::byte>(high * 16 + low);
    }
    return out;
}

std::string toHex(const ContentHash& hash) {
    std::string out;
    for (const auto byte : hash) {
        out += kDigits[std::to_integer<std::size_t>(byte) / 16];
        out += kDigits[std::to_integer<std::size_t>(byte) % 16];
    }
    return out;
}

std::string_view wordsFor(RefusedWhy why) {
    switch (why) {
    case RefusedWhy::Denied:
        return "it is on the list of what may not run";
    case RefusedWhy::Unknown:
        return "it is on no list of what may run";
    case RefusedWhy::Unreadable:
        return "its content cannot be read";
    case RefusedWhy::Nameless:
        return "it is a file without a name";
    case RefusedWhy::Place:
        return "it lies where a file can change unseen";
    case RefusedWhy::Written:
        return "somebody has it open for writing";
    case RefusedWhy::Memory:
        return "a program wanted to run what it had written into its memory";
    case RefusedWhy::Unchecked:
        return "a program wanted to run a file that was not looked at";
    case RefusedWhy::Running:
        return "a program wanted to write to a file that runs";
    case RefusedWhy::Foreign:
        return "a program reached for a program's memory";
    }
    return "it may not run";
}

} // namespace carrel::bpf
