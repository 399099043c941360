// SPDX-License-Identifier: Apache-2.0
// Any bytes as a bundle of certificates, which the agent may have written, and as the certificate of its authority: the authority is
// in what comes out, whatever was not taken out of it is there in its order, and doing it again makes it no longer.
#include "guest/guestd/trust_store.h"
#include "tests/support/authority_certificates.h"

#include <cstdlib>

using namespace carrel;
using namespace carrel::guestd;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

const std::string& ours() {
    static const auto pem = test::authorityOfAda().pem;
    return pem;
}
const std::string& former() {
    static const auto pem = test::authorityOfBob().pem;
    return pem;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto first = bundleWith(text, ours(), former());
    require(first.text.size() <= text.size() + ours().size() + 1);
    require(bundleWith(first.text, ours(), former()).text.size() <= first.text.size());
    if (text.find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
        require(first.others == 0 && first.text.starts_with(text) && first.text.ends_with(ours()));
    }
    if (isCertificatePem(text)) {
        require(text.size() <= kMaxCertificatePem && text.ends_with('\n') && text.find('\r') == std::string_view::npos);
        const auto alone = bundleWith("", text, "");
        require(alone.text == text && alone.others == 0);
        require(bundleWith(text, text, "").text == text);
        require(bundleWith(text, ours(), text).text == ours());
    }
    return 0;
}
