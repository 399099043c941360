// SPDX-License-Identifier: Apache-2.0
// What a clerk that was taken over says to the engine of its machine's connections: read like any message of its, whatever is accepted is
// within its bounds, holds nothing that was not named, and means the same when it is said again. And the host that it names: a
// destination that is accepted is one and the same however often it is read.
#include "app/egress/clerk_words.h"
#include "app/egress/destination.h"
#include "guest/protocol/rpc.h"

#include <algorithm>
#include <cstdlib>

using namespace carrel;
using namespace carrel::egress;
namespace json = boost::json;

namespace {

void expect(bool good) {
    if (!good) {
        std::abort();
    }
}

json::array listOf(const std::vector<std::string>& all) {
    expect(all.size() <= kMaxPlaceholdersTold);
    json::array out;
    for (const auto& each : all) {
        expect(each.size() <= kMaxGivenName);
        out.emplace_back(each);
    }
    return out;
}

// As a clerk that is whole would have said it.
struct Again {
    json::object operator()(const OpenWord& word) const {
        expect(word.host.size() <= kMaxGivenHost);
        if (const auto to = Destination::parse(word.host, word.port)) {
            const auto once_more = Destination::parse(to->hostText(), to->port);
            expect(once_more && once_more->text() == to->text() && to->port == word.port && to->port != 0);
            expect(std::none_of(word.host.begin(), word.host.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; }));
        }
        return {{"number", word.number}, {"host", word.host}, {"port", word.port}};
    }
    json::object operator()(const ClosedWord& word) const {
        return {{"number", word.number}, {"sent", word.bytes.sent}, {"received", word.bytes.received}, {"how", word.how}};
    }
    json::object operator()(const RequestWord& word) const {
        expect(word.method.size() <= kMaxGivenMethod && word.path.size() <= kMaxGivenPath);
        return {{"number", word.number}, {"request", word.request}, {"method", word.method}, {"path", word.path},
                {"placeholders", listOf(word.placeholders)}, {"own_keys", listOf(word.ownKeys)}};
    }
    json::object operator()(const CanaryWord& word) const {
        expect(word.name.size() <= kMaxGivenName);
        return {{"number", word.number}, {"request", word.request}, {"name", word.name}, {"where", relay::toString(word.where)}, {"form", relay::toString(word.form)}};
    }
    json::object operator()(const ForwardClosedWord& word) const { return (*this)(word.closed); }
    json::object operator()(const UsedWord& word) const { return {{"bytes", word.bytes}}; }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto message = parseRpc({reinterpret_cast<const char*>(data), size}, {.bytes = 16 * 1024});
    const auto* request = message ? std::get_if<RpcRequest>(&*message) : nullptr;
    if (request == nullptr) {
        return 0;
    }
    const auto word = netWordFrom(request->method, request->params);
    if (!word) {
        expect(word.error().code == ErrorCode::Malformed);
        return 0;
    }
    auto said = std::visit(Again(), *word);
    const auto again = netWordFrom(request->method, said);
    expect(again && again->index() == word->index() && std::visit(Again(), *again) == said);
    for (const auto& field : request->params) {
        expect(said.contains(field.key()));
    }
    said["more"] = true; // one that nobody knows
    expect(!netWordFrom(request->method, said));
    return 0;
}
