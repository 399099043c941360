// SPDX-License-Identifier: Apache-2.0
#include "app/clerk/net_trust.h"

#include <sys/stat.h>
#include <unistd.h>

namespace carrel::clerk {

Status NetTrust::setRoots(const UniqueFd& file) {
    std::string pem;
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > static_cast<off_t>(relay::kMaxRootsPem)) {
        return fail(ErrorCode::InvalidArgument, "the certificates that this computer trusts were handed over in a wrong way");
    }
    pem.resize(static_cast<std::size_t>(info.st_size));
    for (std::size_t at = 0; at < pem.size();) { // another may have read from it: by offset
        const auto got = ::pread(file.get(), pem.data() + at, pem.size() - at, static_cast<off_t>(at));
        if (got <= 0) {
            return failErrno("reading the certificates that this computer trusts");
        }
        at += static_cast<std::size_t>(got);
    }
    auto roots = relay::ClientContext::create(pem);
    if (!roots) {
        return fail(std::move(roots).error());
    }
    m_roots = std::move(*roots);
    return {};
}

Status NetTrust::setAuthority(std::string_view certificatePem, std::string_view keyPem) {
    auto issuer = relay::LeafIssuer::create(certificatePem, keyPem);
    if (!issuer) {
        return fail(std::move(issuer).error());
    }
    if (!m_server) {
        auto server = relay::ServerContext::create();
        if (!server) {
            return fail(std::move(server).error());
        }
        m_server = std::move(*server);
    }
    m_issuer = std::move(*issuer);
    return {};
}

std::optional<NetRoad::Ends> NetTrust::endsFor(const std::string& host) {
    if (!m_roots || !m_issuer) {
        return std::nullopt;
    }
    const auto leaf = m_issuer->leafFor(host, std::chrono::system_clock::now());
    if (!leaf) {
        return std::nullopt;
    }
    auto guest = relay::TlsServerEnd::create(*m_server, **leaf, host);
    auto farEnd = relay::TlsClientEnd::create(*m_roots, host);
    if (!guest || !farEnd) {
        return std::nullopt;
    }
    return NetRoad::Ends{std::move(*guest), std::move(*farEnd)};
}

} // namespace carrel::clerk
