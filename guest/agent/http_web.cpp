// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/http_web.h"

#include "guest/agent/tools/run_command.h"

namespace carrel::agent {

namespace {

constexpr std::chrono::milliseconds kAskTime{10'000};
constexpr std::size_t kMostSaid = 4000; // bytes

} // namespace

HttpWeb::HttpWeb(std::string asker, HttpSettings settings)
    : m_asker(std::move(asker))
    , m_client(std::move(settings)) {}

HttpSettings HttpWeb::pageSettings() {
    HttpSettings settings;
    settings.firstByte = std::chrono::seconds(60);
    settings.idle = std::chrono::seconds(60);
    settings.answerBytes = 1024ULL * 1024 * 1024; // whoever asks says how much is wanted
    return settings;
}

Result<WebPage> HttpWeb::get(const WebAddress& address, std::size_t most, const std::stop_token& stop) {
    WebPage page;
    const auto head = [&page](const HttpHead& begins) {
        page.status = begins.status;
        page.type = begins.type;
        page.location = begins.location;
    };
    const auto piece = [&page, most](std::string_view came) -> TurnResult<More> {
        const auto room = most - page.body.size();
        page.body += came.substr(0, room);
        page.isWhole = came.size() <= room;
        return page.isWhole ? More::Wanted : More::Enough;
    };
    if (auto got = m_client.get(address.server, address.target, head, piece, stop); !got) {
        return fail(got.error().error);
    }
    return page;
}

std::string HttpWeb::whyNot(const std::string& host, const std::stop_token& stop) {
    // A host's name holds nothing that a shell reads (HttpAddress::parse()).
    const auto said = runCommand({"exec '" + m_asker + "' why '" + host + "' 2>/dev/null", "/", kAskTime, kMostSaid}, stop);
    if (!said || said->end != CommandEnd::Exited || said->number != 0) {
        return {};
    }
    auto text = said->output;
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

} // namespace carrel::agent
