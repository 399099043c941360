// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a model host answers, in pieces of any size: the same is counted however they are cut, what is counted is within its
// bounds, and an error counts nothing.
#include "tests/fuzz/relay/message_checks.h"

#include "app/relay/model_usage.h"

using namespace carrel;
using namespace carrel::relay;
using namespace carrel::relay::fuzz;

namespace {

ModelUse pass(std::uint8_t how, std::string_view text, std::size_t piece) {
    ModelUsage usage(how & 1U ? "POST" : "GET", how & 2U ? "/v1/messages" : "/v1beta/models/g:other");
    Fields fields;
    if (how & 4U) {
        fields.push_back({"Content-Encoding", how & 8U ? "gzip" : "deflate"});
    }
    usage.request(asBytes(text));
    usage.response(how & 16U ? 429 : 200, fields);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        usage.response(asBytes(text.substr(at, piece)));
    }
    return usage.finish(how & 32U ? ModelUsage::End::Cut : ModelUsage::End::Whole);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
    const auto whole = pass(data[0], text, text.size() + 1);
    const auto pieces = pass(data[0], text, data[1] + 1U);
    // How much something unfolds to, and where it is none any more, is looked at piece by piece.
    require((data[0] & 4U) != 0 || whole == pieces);
    for (const auto tokens : {whole.input, whole.output, whole.cacheRead, whole.cacheWrite}) {
        require(tokens <= kMostTokens && ((data[0] & 16U) == 0 || tokens == 0));
    }
    require(whole.model.size() <= kMaxModelName);
    for (const char c : whole.model) {
        require(c > ' ' && c < 0x7f);
    }
    return 0;
}
