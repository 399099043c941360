// SPDX-License-Identifier: Apache-2.0
// A damaged record of the staged work. First byte: how it is damaged. Either the rest is the log itself, or
// each of its lines is the payload of a record whose sum is right (else no fuzzer gets past it), cut at the
// end. Whatever is read hangs together, says the same when written and read again, and a shorter log tells
// less, never something else.
#include "tests/guest/worktree/upper_log.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;
using namespace carrel::worktree;

namespace {

constexpr std::string_view kBoot = "boot";

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void transaction(std::string_view text) {
    const auto first = decodeTransaction(text);
    if (!first) {
        return;
    }
    const auto again = decodeTransaction(encodeTransaction(*first));
    require(again && again->put == first->put && again->del == first->del && again->epoch == first->epoch &&
            again->more == first->more && again->durable == first->durable && again->boot == first->boot);
}

void replay(ByteSpan log, bool begun) {
    const auto state = replayLog(log, kBoot);
    require(state.has_value() == begun);
    if (!state) {
        return;
    }
    require(sound(*state));
    // As a start writes it anew.
    Transaction all;
    all.epoch = state->epoch;
    for (const auto& [id, entry] : state->entries) {
        all.put.push_back(entry);
    }
    Bytes fresh = emptyLog();
    appendRecord(fresh, encodeTransaction(all));
    const auto again = replayLog(fresh, kBoot);
    require(again && again->entries == state->entries && again->epoch == state->epoch);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    if (data[0] < 32) {
        replay(asBytes(text), text.starts_with(asText(emptyLog())));
        return 0;
    }
    Bytes log = emptyLog();
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        transaction(line);
        appendRecord(log, line);
    }
    replay(log, true);
    const auto cut = ByteSpan(log).first(std::max(emptyLog().size(), log.size() * data[0] / 256));
    replay(cut, true);
    // (Of another boot, which a cut may hide, less may count.)
    require(replayLog(cut, kBoot)->records <= replayLog(log, kBoot)->records);
    return 0;
}
