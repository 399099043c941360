// SPDX-License-Identifier: Apache-2.0
// What a viewer's machine is asked to do with one document, and what its answers mean. The machine says how it went by a
// number and nothing else: the words that a person reads are the host's, so that no document can put any there.
// Thread: pure functions.
#pragma once

#include "app/files/document_names.h"
#include "guest/protocol/result.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace carrel::viewer {

// Of one version; what is beyond it is cut, and said to be.
inline constexpr std::uint64_t kMaxText = 1024 * 1024;

// guest/viewer/extract, which runs in the machine.
[[nodiscard]] std::string_view extractScript();
[[nodiscard]] boost::json::array extractCommand(files::DocumentKind kind, std::chrono::seconds limit);

// Of which the fault is. A document's stays; a machine's may be another one next time.
enum class Fault { None, Document, Machine };
struct Verdict {
    Fault fault = Fault::None;
    std::string why;        // a sentence's end: "it is encrypted"
    std::uint64_t size = 0; // of the text, where there is no fault
    bool cut = false;
};
// The clerk's answer to document.read (app/clerk/link.h).
[[nodiscard]] Verdict judge(const Result<boost::json::object>& answer, std::chrono::seconds limit);

} // namespace carrel::viewer
