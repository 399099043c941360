// SPDX-License-Identifier: Apache-2.0
#include "guest/guestd/trust_variables.h"

namespace carrel::guestd {

namespace {

using Effect = TrustVariable::Effect;

constexpr TrustVariable kVariables[] = {
    {"NODE_EXTRA_CA_CERTS", kAuthorityFile, Effect::Adds,
     "Node (npm, yarn, pnpm), Electron, Bun and Deno from 2.8 bring their own roots; a missing file is a warning to them, not an error"},
    {"DENO_CERT", kAuthorityFile, Effect::Adds, "Deno before 2.8, likewise"},
    {"REQUESTS_CA_BUNDLE", kTrustBundle, Effect::Instead,
     "what was installed by pip brings the roots of certifi: requests, pip itself before 24.2, botocore and the AWS command line"},
    {"SSL_CERT_DIR", kTrustFolder, Effect::Instead,
     "httpx (the clients of most model providers) and uv from 0.9.10 have their own roots unless this is set. To OpenSSL, Go, .NET and "
     "curl it says what they do anyway"},
};

// Not set, and why:
//   SSL_CERT_FILE         SSL_CERT_DIR does for the same programs, and of a folder OpenSSL reads only what it needs: with the file,
//                         httpx would read 140 certificates for each client, which takes an emulated machine more than half a second
//   CURL_CA_BUNDLE, GIT_SSL_CAINFO, CARGO_HTTP_CAINFO
//                         Debian's curl and git, and rustup's cargo (openssl-probe), find the system's store
//   PIP_CERT, AWS_CA_BUNDLE
//                         both go by REQUESTS_CA_BUNDLE as well
//   UV_NATIVE_TLS         later versions of uv call it deprecated; before 0.9.10 whoever uses uv sets it
//   DENO_TLS_CA_STORE     would take Mozilla's roots away that DENO_CERT leaves
//   JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS
//                         each Java would say so on its standard error, which programs read. Debian's Java has its store from
//                         ca-certificates-java (trust_store.h); one from elsewhere is told with
//                         -Djavax.net.ssl.trustStore=/etc/ssl/certs/java/cacerts or keytool -importcert
//   GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
//                         gRPC needs HTTP/2, which is not spoken where TLS is ended
// No variable reaches Firefox and Chromium, which go by NSS and their own roots: certutil -A -d sql:$HOME/.pki/nssdb -t C,, -n carrel -i
// with the authority's file (Chromium), Certificates/Install of its policies.json (Firefox). Nor programs that have their roots
// compiled in and ask nobody (webpki-roots), or that pin a key: with those, hosts whose TLS is ended cannot be reached.

} // namespace

std::span<const TrustVariable> allTrustVariables() {
    return kVariables;
}

std::map<std::string, std::string> trustVariables(TrustStore store) {
    std::map<std::string, std::string> out;
    for (const auto& each : kVariables) {
        if (store == TrustStore::Whole || (store == TrustStore::Alone && each.effect == Effect::Adds)) {
            out[each.name] = each.value;
        }
    }
    return out;
}

} // namespace carrel::guestd
