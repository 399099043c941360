// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/fetch_tool.h"

#include "guest/agent/tools/html_text.h"
#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::agent {

namespace {

// Without what follows it, in small letters: "text/html".
std::string kindOf(std::string_view type) {
    std::string out(type.substr(0, type.find_first_of("; \t,")));
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

bool isText(const std::string& kind, std::string_view body) {
    const auto first = body.substr(0, 4096);
    if (first.find('\0') != std::string_view::npos) {
        return false;
    }
    return kind.empty() || kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml") || kind == "application/json" ||
           kind == "application/xml" || kind == "application/javascript" || kind == "application/x-yaml" || kind == "application/yaml" ||
           kind == "application/toml" || kind == "application/sql" || kind == "application/x-sh" || kind == "application/x-ndjson";
}

bool leadsOn(const WebPage& page) {
    return page.status >= 300 && page.status <= 399 && page.status != 304 && !page.location.empty();
}

} // namespace

Result<FetchTool::Fetched> FetchTool::fetch(WebAddress address, std::size_t most, const std::stop_token& stop) const {
    for (unsigned redirects = 0;; ++redirects) {
        auto page = m_web.get(address, most, stop);
        if (!page) {
            auto error = page.error().wrap("no answer came from " + address.server.authority(), "look whether the address is right");
            const auto why = page.error().code == ErrorCode::Cancelled ? std::string() : m_web.whyNot(address.server.host, stop);
            if (!why.empty()) {
                error.hint = "what Carrel says of connections to " + address.server.host + ": " + why;
            }
            return fail(std::move(error));
        }
        if (!leadsOn(*page)) {
            return Fetched{std::move(*page), std::move(address)};
        }
        if (redirects == m_limits.redirects) {
            return fail(ErrorCode::LimitExceeded, "it leads on more than " + std::to_string(redirects) + " times",
                        "the last address was " + mended(address.text()));
        }
        auto next = address.resolve(page->location);
        if (!next) {
            return fail(next.error().wrap("it leads on to " + shownName(page->location.substr(0, kMostPath))));
        }
        address = std::move(*next);
    }
}

ToolOutcome FetchTool::saved(const Fetched& fetched, const std::string& path) const {
    const auto& page = fetched.page;
    const auto failed = [&path](const Error& error) { return failedOutcome(error.wrap(shownName(path) + " was not written", error.hint)); };
    const auto place = placeOf(path, m_folder);
    if (!place) {
        return failed(place.error());
    }
    if (!page.isWhole) {
        return failed(Error{ErrorCode::LimitExceeded, "there are more than " + std::to_string(m_limits.savedBytes) + " bytes", "", 0, nullptr});
    }
    if (page.status > 299) {
        auto outcome = shown(fetched);
        outcome.text.insert(0, shownName(path) + " was not written: this is no good answer.\n");
        outcome.end = ToolEnd::Failed;
        return outcome;
    }
    if (auto replaced = replaceFile(*place, page.body); !replaced) {
        return failed(replaced.error());
    }
    return {"Wrote " + std::to_string(page.body.size()) + " bytes to " + shownName(path) +
                (page.type.empty() ? "." : ", of the type " + shownName(page.type.substr(0, kMostPath)) + "."),
            ToolEnd::Done};
}

ToolOutcome FetchTool::shown(const Fetched& fetched) const {
    const auto& page = fetched.page;
    const auto kind = kindOf(page.type);
    std::string text = fetched.address.text() + "\nHTTP " + std::to_string(page.status) + (kind.empty() ? "" : ", " + shownName(kind)) + "\n";
    if (!isText(kind, page.body)) {
        text += "\n[This is no text: " + std::to_string(page.body.size()) + (page.isWhole ? " bytes" : " bytes and more") +
                ". Give save to put it into a file.]";
    } else {
        const bool isPage = kind == "text/html" || kind == "application/xhtml+xml";
        KeptEnds kept(m_limits.textBytes);
        kept.feed(isPage ? htmlText(mended(page.body)) : mended(page.body));
        text += "\n" + kept.text() + (page.isWhole ? "" : "\n[There is more: this is the beginning. Give save to get the whole.]");
    }
    return {std::move(text), page.status > 299 ? ToolEnd::Failed : ToolEnd::Done};
}

ToolOutcome FetchTool::run(const boost::json::object& input, const std::stop_token& stop) {
    JsonFields of(input, "fetch");
    const auto url = of.string("url", 2 * kMostPath);
    const auto save = of.optionalString("save", kMostPath);
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    auto address = WebAddress::parse(url);
    if (!address) {
        return failedOutcome(address.error());
    }
    const auto fetched = fetch(std::move(*address), save ? m_limits.savedBytes : m_limits.readBytes, stop);
    if (!fetched) {
        return failedOutcome(fetched.error());
    }
    return save ? saved(*fetched, *save) : shown(*fetched);
}

} // namespace carrel::agent
