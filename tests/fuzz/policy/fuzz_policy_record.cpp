// SPDX-License-Identifier: Apache-2.0
// Rows of a log that something else has written: each is refused, or comes back as it was; and whatever rows there are in
// whatever order, the book takes only what fits, and nothing becomes allowed but by a decision on what was asked.
#include "app/policy/approval_book.h"
#include "guest/protocol/strict_json.h"

#include <boost/json.hpp>

#include <cstdlib>

using namespace carrel;
using namespace carrel::policy;

namespace {

void expect(bool good) {
    if (!good) {
        std::abort();
    }
}

} // namespace

// One row a line: kind, a space, detail.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    ApprovalBook book;
    for (int rows = 0; !rest.empty() && rows < 100; ++rows) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto space = line.find(' ');
        if (space == std::string_view::npos) {
            continue;
        }
        const auto detail = parseJsonObject(line.substr(space + 1));
        if (!detail) {
            continue;
        }
        const auto record = recordFrom(line.substr(0, space), "ann", 0, *detail);
        if (!record) {
            continue;
        }
        const auto again = recordFrom(kindOf(*record), "ann", 0, detailOf(*record));
        expect(again.has_value() && *again == *record);
        const auto* before = book.find(record->id);
        const auto state = before == nullptr ? std::nullopt : std::optional(before->state);
        if (book.apply(*record)) {
            const auto* after = book.find(record->id);
            const bool allowed = after != nullptr && after->state == ApprovalState::Allowed && state != ApprovalState::Allowed;
            const auto* decided = std::get_if<record::Decided>(&record->what);
            expect(!allowed || (decided != nullptr && decided->facts.effect == Effect::Allow && state == ApprovalState::Open &&
                                decided->digest == after->question.evidence.digest));
        }
    }
    return 0;
}
