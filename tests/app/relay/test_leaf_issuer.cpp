// SPDX-License-Identifier: Apache-2.0
// An agent's authority and what it issues (RFC 5280): for one host, for a year, kept in bounds, made anew in time.
#include "app/relay/leaf_issuer.h"
#include "tests/support/authority_certificates.h"

#include <QTest>
#include <openssl/pem.h>

#include <set>

using namespace carrel;
using namespace carrel::relay;

namespace {

using std::chrono::hours;
const WallTime kNow = std::chrono::system_clock::from_time_t(1'790'000'000);

LeafIssuer issuerOf(const Authority& authority) {
    auto issuer = LeafIssuer::create(authority.certificatePem, view(authority.keyPem));
    return issuer ? std::move(*issuer) : throw std::runtime_error(issuer.error().text());
}
const Authority& authority() {
    static const Authority made = makeAuthority("desk", kNow).value();
    return made;
}
CertificatePtr certificateOf(const Authority& of) {
    const BioPtr text(::BIO_new_mem_buf(of.certificatePem.data(), static_cast<int>(of.certificatePem.size())));
    return CertificatePtr(::PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}
std::string serialOf(const Leaf& leaf) {
    const auto* serial = ::X509_get0_serialNumber(leaf.certificate.get());
    return {reinterpret_cast<const char*>(::ASN1_STRING_get0_data(serial)), static_cast<std::size_t>(::ASN1_STRING_length(serial))};
}

} // namespace

class TestLeafIssuer : public QObject {
    Q_OBJECT
private slots:
    void anAuthoritySignsHostsAndNothingThatSigns() {
        const auto certificate = certificateOf(authority());
        QVERIFY(certificate);
        QCOMPARE(::X509_check_ca(certificate.get()), 1);
        QCOMPARE(::X509_get_pathlen(certificate.get()), 0L);
        QVERIFY(::X509_get_ext_by_NID(certificate.get(), NID_name_constraints, -1) < 0);
        QCOMPARE(::EVP_PKEY_get_bits(::X509_get0_pubkey(certificate.get())), 256);
        QVERIFY(authority().certificatePem != makeAuthority("desk", kNow)->certificatePem);
    }

    // As openssl x509 -hash has it.
    void theHashOfItsName() {
        QCOMPARE(nameHashOf(carrel::test::authorityOfAda().pem).value_or(""), carrel::test::authorityOfAda().nameHash);
        QCOMPARE(nameHashOf(carrel::test::authorityOfBob().pem).value_or(""), carrel::test::authorityOfBob().nameHash);
        const auto own = nameHashOf(authority().certificatePem);
        QVERIFY(own && *own == nameHashOf(makeAuthority("desk", kNow)->certificatePem).value_or("")); // of the name alone
        QVERIFY(carrel::isGood({authority().certificatePem, *own}));
        auto issuer = issuerOf(authority());
        const BioPtr leaf(::BIO_new(::BIO_s_mem()));
        QCOMPARE(::PEM_write_bio_X509(leaf.get(), issuer.leafFor("example.org", kNow).value()->certificate.get()), 1);
        char* pem = nullptr;
        const auto size = static_cast<std::size_t>(BIO_get_mem_data(leaf.get(), &pem));
        for (const std::string& text : {std::string(), std::string("x"), authority().certificatePem.substr(0, 100), std::string(pem, size),
                                        // for which somebody would have to type a passphrase
                                        std::string(authority().certificatePem).insert(28, "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n")}) {
            const auto none = nameHashOf(text);
            QVERIFY(!none && none.error().code == ErrorCode::Malformed);
        }
    }

    void aLeafIsForItsHostAlone() {
        auto issuer = issuerOf(authority());
        const auto leaf = issuer.leafFor("api.example.org", kNow).value();
        auto* made = leaf->certificate.get();
        QCOMPARE(::X509_check_host(made, "api.example.org", 0, 0, nullptr), 1);
        QCOMPARE(::X509_check_host(made, "example.org", 0, 0, nullptr), 0);
        QCOMPARE(::X509_check_host(made, "x.api.example.org", 0, 0, nullptr), 0);
        QCOMPARE(::X509_NAME_entry_count(::X509_get_subject_name(made)), 0);
        const int at = ::X509_get_ext_by_NID(made, NID_subject_alt_name, -1);
        QVERIFY(at >= 0 && ::X509_EXTENSION_get_critical(::X509_get_ext(made, at)) == 1);
        QCOMPARE(::X509_check_ca(made), 0);
        QCOMPARE(::X509_get_extended_key_usage(made), static_cast<std::uint32_t>(XKU_SSL_SERVER));
        const auto above = certificateOf(authority());
        QCOMPARE(::X509_verify(made, ::X509_get0_pubkey(above.get())), 1);
        QCOMPARE(::X509_check_issued(above.get(), made), X509_V_OK);
    }

    void anAddressIsNamedAsOne() {
        auto issuer = issuerOf(authority());
        for (const char* address : {"192.0.2.7", "2001:db8::7"}) {
            const auto leaf = issuer.leafFor(address, kNow).value();
            QCOMPARE(::X509_check_ip_asc(leaf->certificate.get(), address, 0), 1);
            QCOMPARE(::X509_check_ip_asc(leaf->certificate.get(), "192.0.2.8", 0), 0);
        }
    }

    void itLivesAYearAndNotLongerThanItsAuthority() {
        auto issuer = issuerOf(authority());
        const auto leaf = issuer.leafFor("example.org", kNow).value();
        QVERIFY(leaf->from == kNow - kBackdated && leaf->to == kNow + kLeafLife);
        std::tm ends{};
        QCOMPARE(::ASN1_TIME_to_tm(::X509_get0_notAfter(leaf->certificate.get()), &ends), 1);
        QVERIFY(std::chrono::system_clock::from_time_t(::timegm(&ends)) == leaf->to);
        const auto late = issuer.leafFor("late.example.org", kNow + kAuthorityLife - hours(48)).value();
        QVERIFY(late->to == kNow + kAuthorityLife);
    }

    void eachHasItsOwnNumberAndKey() {
        auto issuer = issuerOf(authority());
        std::set<std::string> serials;
        std::vector<std::shared_ptr<const Leaf>> leaves;
        for (int i = 0; i < 20; ++i) {
            leaves.push_back(issuer.leafFor("h" + std::to_string(i) + ".example.org", kNow).value());
            serials.insert(serialOf(*leaves.back()));
            QVERIFY(serialOf(*leaves.back()).size() >= 16 && serialOf(*leaves.back()).size() <= 20);
        }
        QCOMPARE(serials.size(), std::size_t(20));
        QVERIFY(::EVP_PKEY_eq(leaves[0]->key.get(), leaves[1]->key.get()) != 1);
    }

    void itIsKeptUntilItIsTime() {
        auto issuer = issuerOf(authority());
        const auto first = issuer.leafFor("example.org", kNow).value();
        QVERIFY(issuer.leafFor("example.org", kNow + hours(24 * 300)).value() == first);
        const auto second = issuer.leafFor("example.org", kNow + kLeafLife - kRenewedBefore).value();
        QVERIFY2(second != first, "a leaf about to end was handed out");
        const auto third = issuer.leafFor("example.org", kNow - hours(24 * 7)).value();
        QVERIFY2(third != second && third->from < kNow - hours(24 * 7), "the clock was set back, and the leaf begins in the future");
        QCOMPARE(issuer.kept(), std::size_t(1));
    }

    void soManyAreKeptAndTheOneUsedLongestAgoGoes() {
        auto issuer = issuerOf(authority());
        const auto used = issuer.leafFor("used.example.org", kNow).value();
        const auto unused = issuer.leafFor("unused.example.org", kNow).value();
        for (std::size_t i = 0; i + 1 < kMaxLeaves; ++i) {
            QVERIFY(issuer.leafFor("h" + std::to_string(i) + ".example.org", kNow).has_value());
            QVERIFY(issuer.leafFor("used.example.org", kNow).value() == used);
        }
        QCOMPARE(issuer.kept(), kMaxLeaves);
        QVERIFY(issuer.leafFor("unused.example.org", kNow).value() != unused);
    }

    void whatIsNoAuthorityIssuesNothing() {
        const auto other = makeAuthority("other", kNow).value();
        QVERIFY(!LeafIssuer::create(authority().certificatePem, view(other.keyPem)));
        QVERIFY(!LeafIssuer::create("", view(other.keyPem)));
        QVERIFY(!LeafIssuer::create(authority().certificatePem, "nonsense"));
        auto issuer = issuerOf(authority());
        QVERIFY(!issuer.leafFor("", kNow));
        QVERIFY(!issuer.leafFor(std::string(254, 'a'), kNow));
        const auto leaf = issuer.leafFor("example.org", kNow).value();
        const BioPtr text(::BIO_new(::BIO_s_mem()));
        const BioPtr key(::BIO_new(::BIO_s_mem()));
        QVERIFY(::PEM_write_bio_X509(text.get(), leaf->certificate.get()) == 1 &&
                ::PEM_write_bio_PrivateKey(key.get(), leaf->key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
        char* certificatePem = nullptr;
        char* keyPem = nullptr;
        const auto certificateSize = static_cast<std::size_t>(BIO_get_mem_data(text.get(), &certificatePem));
        const auto keySize = static_cast<std::size_t>(BIO_get_mem_data(key.get(), &keyPem));
        QVERIFY2(!LeafIssuer::create({certificatePem, certificateSize}, {keyPem, keySize}), "a host's certificate was taken for an authority");
    }
};

QTEST_GUILESS_MAIN(TestLeafIssuer)
#include "test_leaf_issuer.moc"
