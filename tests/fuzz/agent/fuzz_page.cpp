// SPDX-License-Identifier: Apache-2.0
// A page of the web and where its links lead, from random bytes: what comes is text of a length in proportion, and an address that is read
// is read again as the same.
#include "guest/agent/tools/html_text.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/web_address.h"
#include "guest/protocol/share_path.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto page = htmlText(mended(text));
    if (page.size() > 8 * size + 64 || !isUtf8(page)) {
        std::abort();
    }
    const auto base = WebAddress::parse("https://example.org:444/a/b?c");
    for (const auto& read : {WebAddress::parse(text), base->resolve(text)}) {
        if (!read) {
            continue;
        }
        const auto again = WebAddress::parse(read->text());
        if (!again || again->text() != read->text() || read->target.find_first_of(" \r\n#") != std::string::npos) {
            std::abort();
        }
    }
    return 0;
}
