// SPDX-License-Identifier: Apache-2.0
// The store of trusted certificates in the agent's root, as Debian's ca-certificates has it (update-ca-certificates(8)), and the
// certificate of the agent's own authority in it. Kept like that program keeps it, so that whatever it does later, it keeps
// this one, too, also where that package comes or is updated afterwards:
//
//   /usr/local/share/ca-certificates/carrel-agent.crt   the certificate; from here it goes into the rest each time
//   /etc/ssl/certs/ca-certificates.crt                  the bundle that curl, git, wget, apt, Go, OpenSSL (Python, Perl, Ruby …) read
//   /etc/ssl/certs/carrel-agent.pem, <hash>.<n>         links to it: whoever is given the folder looks it up by those, and Debian's
//                                                       Java (ca-certificates-java) takes the first into its own store when it is
//                                                       installed; where Java was there before, by update-ca-certificates --fresh
//
// All of it is the agent's own from then on, as is the rest of its machine: it may take it out again, and gains nothing by that.
// Thread: pure functions; keepAuthority() blocks for the disk.
#pragma once

#include "guest/protocol/authority_certificate.h"
#include "guest/protocol/result.h"

namespace carrel::guestd {

inline constexpr const char* kAuthorityFile = "/usr/local/share/ca-certificates/carrel-agent.crt";
inline constexpr const char* kTrustFolder = "/etc/ssl/certs";
inline constexpr const char* kTrustBundle = "/etc/ssl/certs/ca-certificates.crt";

enum class TrustStore {
    None,  // the authority is not in it
    Alone, // it is, and nothing else is: there is no package ca-certificates
    Whole  // it is, beside those of the package
};

// Puts it into the store beneath `root`, once, in the place of the one that was there before; what is right already is not
// written again. Touches nothing outside of `root` and of the file system that it is on, whatever links and mounts are in there.
// Does what can be done; an error says what could not, as a step without the system's words, which are in sysErrno (never 0).
[[nodiscard]] Result<TrustStore> keepAuthority(const std::string& root, const AuthorityCertificate& authority);

// A bundle with that certificate in it exactly once, where it is first or else at the end, and without `former`. What else is in it
// stays as it is, to the byte.
struct Bundle {
    std::string text;
    std::size_t others = 0; // certificates beside it
};
[[nodiscard]] Bundle bundleWith(std::string_view bundle, std::string_view certificate, std::string_view former);

} // namespace carrel::guestd
