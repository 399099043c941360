// SPDX-License-Identifier: Apache-2.0
// Certificates of two authorities, made by openssl(1) as relay::makeAuthority() does, and the hashes that openssl x509 -hash tells.
// Their keys are nowhere.
#pragma once

#include "guest/protocol/authority_certificate.h"

namespace carrel::test {

inline AuthorityCertificate authorityOfAda() {
    return {
            "-----BEGIN CERTIFICATE-----\n"
            "MIIBvzCCAWagAwIBAgIUMucE3dU7wXGVFX5KjanO3oLwcyEwCgYIKoZIzj0EAwIw\n"
            "LDEPMA0GA1UECgwGQ2FycmVsMRkwFwYDVQQDDBBDYXJyZWwgYWdlbnQgYWRhMB4X\n"
            "DTI2MTEyNzE4MzgzN1oXDTM2MTEyNDE4MzgzN1owLDEPMA0GA1UECgwGQ2FycmVs\n"
            "MRkwFwYDVQQDDBBDYXJyZWwgYWdlbnQgYWRhMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
            "AQcDQgAEw8JD1kr5beil2ZeMtDeTZZ90BOS8/yksQQDjjFz4pbWRfw0JJOQfSXjZ\n"
            "HiAdgf+LYkKpfkmJ7krFsLr39UW9IqNmMGQwHQYDVR0OBBYEFKFMmyYOGsR1zOct\n"
            "Ld/+3AaRzNOrMB8GA1UdIwQYMBaAFKFMmyYOGsR1zOctLd/+3AaRzNOrMBIGA1Ud\n"
            "EwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgEGMAoGCCqGSM49BAMCA0cAMEQC\n"
            "IDkqhp3RitxdvtrCer7j520eZVfvbY5SulU/vodMpVGQAiBohAXTu0fA67zpt3Wy\n"
            "X3g8LgvtacmgTCFaMpQTgDeGMg==\n"
            "-----END CERTIFICATE-----\n",
            "3a5a69f0"};
}

inline AuthorityCertificate authorityOfBob() {
    return {
            "-----BEGIN CERTIFICATE-----\n"
            "MIIBwDCCAWagAwIBAgIUT2hfC6979mkD69TPbAMhZLMMUScwCgYIKoZIzj0EAwIw\n"
            "LDEPMA0GA1UECgwGQ2FycmVsMRkwFwYDVQQDDBBDYXJyZWwgYWdlbnQgYm9iMB4X\n"
            "DTI2MTEyNzE4MzgzN1oXDTM2MTEyNDE4MzgzN1owLDEPMA0GA1UECgwGQ2FycmVs\n"
            "MRkwFwYDVQQDDBBDYXJyZWwgYWdlbnQgYm9iMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"
            "AQcDQgAE7Z9Xf+eNp6q+zzJtVYU8TDaSkSE9jpCIqy7vgERF2TBAIHHebfvvmjXX\n"
            "Gw0LlQ5kZ/lKVIQ5UEfDlVaq05l1t6NmMGQwHQYDVR0OBBYEFL0y2qqWKqiR9El/\n"
            "PG6uEFJiDHlrMB8GA1UdIwQYMBaAFL0y2qqWKqiR9El/PG6uEFJiDHlrMBIGA1Ud\n"
            "EwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgEGMAoGCCqGSM49BAMCA0gAMEUC\n"
            "IFbVnOIUrjytbaAOzT+G4LWQxh5A14mkw+DZ+Ma2nmjyAiEAzm2t8vuTrvWBLC2M\n"
            "ltqiq9kgh6HZiLVLrjFP9aeKObE=\n"
            "-----END CERTIFICATE-----\n",
            "3cd76ec3"};
}

} // namespace carrel::test
