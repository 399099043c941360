// SPDX-License-Identifier: Apache-2.0
// Any bytes as a body, or as a WebSocket's frames, in pieces of any size: the same is found however they are cut, nothing of a canary
// goes on, what is harmless goes on as it came, and what is held is bounded.
#include "tests/fuzz/relay/message_checks.h"

#include "app/relay/canary_watch.h"

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::fuzz;

namespace {

constexpr std::string_view kCanary = "ghx_9f8A7b6C5d4e";
constexpr std::string_view kOther = "8A7b6C5d4e3/wor+d"; // begins within the first
constexpr std::size_t kMostHeld = 2 * 17 * 9;

struct Seen {
    CanaryWatch::Verdict verdict;
    std::string out;
    [[nodiscard]] bool isTooMuch() const { return verdict.refused && verdict.refused->find("unfolds") != std::string::npos; }
};

Seen pass(std::uint8_t how, std::string_view text, std::size_t piece) {
    static const auto set = std::make_shared<CanarySet>(std::vector<Canary>{{"one", std::string(kCanary)}, {"other", std::string(kOther)}});
    RequestHead head;
    if (how % 4 == 1 || how % 4 == 2) {
        head.fields.push_back({"Content-Encoding", how % 4 == 1 ? "gzip" : "deflate"});
    }
    CanaryWatch watch(set, head);
    Seen seen;
    ByteQueue clean;
    for (std::size_t at = 0; at < text.size() && seen.verdict.isFine(); at += piece) {
        const auto some = asBytes(text.substr(at, piece));
        seen.verdict = how % 4 == 3 ? watch.raw(some, clean) : watch.body(some, clean);
        require(watch.held() <= kMostHeld);
    }
    if (seen.verdict.isFine()) {
        seen.verdict = watch.finish(clean);
    }
    seen.out = asText(clean.front());
    require(text.starts_with(seen.out) && seen.out.find(kCanary) == std::string::npos && seen.out.find(kOther) == std::string::npos);
    require(!seen.verdict.isFine() || seen.out.size() == text.size());
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
    const auto whole = pass(data[0], text, text.size() + 1);
    const auto pieces = pass(data[0], text, data[1] + 1U);
    // How much something unfolds to is looked at piece by piece.
    require(whole.isTooMuch() || pieces.isTooMuch() || whole.verdict.isFine() == pieces.verdict.isFine());
    require(text.find(kCanary) == std::string_view::npos || !whole.verdict.isFine());
    return 0;
}
