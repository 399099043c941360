// SPDX-License-Identifier: Apache-2.0
// Canaries: marked texts that nobody sends anywhere for an honest reason. One that does leave shows that something was taken along: from
// a folder, or from what looked like a credential. Here: which there are, and whether one stands among bytes, in these forms:
//
//   plain      as it is, also with the "\/" of JSON
//   percent    with characters percent-encoded, some or all (RFC 3986)
//   base64     of either alphabet, at each of its three alignments (RFC 4648), also broken into lines
//   hex        of either case, without anything between the digits but line breaks
//   gzip       any of these in what was compressed (canary_watch.h)
//
// Not found: in pieces, under another coding or a cipher, or two codings on top of each other but for percent-encoding and gzip. It is a
// tripwire, and no wall.
// Ownership: a set is made once and shared; a search is one stream's. Thread: a set any; a search one.
#pragma once

#include "app/relay/byte_queue.h"
#include "app/relay/canary_words.h"
#include "app/relay/pattern_search.h"

#include <memory>
#include <string>

namespace carrel::relay {

struct Canary {
    std::string name;
    std::string text; // of kMinCanary to kMaxCanary bytes, else it is not looked for
};

struct CanaryHit {
    std::string name;
    CanaryForm form = CanaryForm::Plain;
};

class CanarySet {
public:
    explicit CanarySet(const std::vector<Canary>& canaries);
    [[nodiscard]] bool isEmpty() const { return m_search.isEmpty(); }
    [[nodiscard]] const PatternSearch& search() const { return m_search; }
    [[nodiscard]] std::optional<CanaryHit> hitIn(std::string_view text, const PatternSearch::Place& place) const; // found in that text
    // Of a text that is there whole.
    [[nodiscard]] std::optional<CanaryHit> in(std::string_view text) const;

private:
    void add(const std::string& name, CanaryForm form, SecretText text);

    PatternSearch m_search;
    std::vector<CanaryHit> m_meaning; // of the pattern of that number
};

// Of bytes that come in pieces.
class CanarySearch {
public:
    explicit CanarySearch(std::shared_ptr<const CanarySet> set) : m_set(std::move(set)) {}
    // Appends to `out`, which may be null, what of `in` and of what was held back is known to be clean; held back is only what may be
    // the beginning of one. Once one was found, nothing of it has been appended, and the search is over.
    [[nodiscard]] std::optional<CanaryHit> pass(ByteSpan in, ByteQueue* out);
    [[nodiscard]] std::optional<CanaryHit> finish(ByteQueue* out); // nothing follows

    [[nodiscard]] std::size_t held() const { return m_held.size(); }
    [[nodiscard]] std::size_t tried() const { return m_tried; } // patterns that were compared so far: what the search costs

private:
    [[nodiscard]] std::optional<CanaryHit> scan(ByteSpan in, PatternSearch::More more, ByteQueue* out, std::size_t& clean);

    std::shared_ptr<const CanarySet> m_set;
    ByteQueue m_held;
    std::size_t m_tried = 0;
};

} // namespace carrel::relay
