// SPDX-License-Identifier: Apache-2.0
// The resolver of the agent's world and the names behind its addresses.
#include "guest/guestd/synthetic_dns.h"

#include <QTest>

#include <set>

using namespace carrel;
using namespace carrel::guestd;

namespace {

constexpr int kA = 1;
constexpr int kAaaa = 28;

void put16(Bytes& to, int value) {
    to.push_back(static_cast<std::byte>(value >> 8));
    to.push_back(static_cast<std::byte>(value));
}

Bytes nameBytes(const std::string& name) {
    Bytes out;
    for (std::size_t at = 0; at < name.size();) {
        const auto dot = std::min(name.find('.', at), name.size());
        out.push_back(static_cast<std::byte>(dot - at));
        const auto label = asBytes(std::string_view(name).substr(at, dot - at));
        out.insert(out.end(), label.begin(), label.end());
        at = dot + 1;
    }
    out.push_back(std::byte{0});
    return out;
}

struct Query {
    int id = 0x1234;
    int flags = 0x0100;
    int questions = 1;
    int answers = 0;
    int authorities = 0;
    int additional = 0;
    int kind = 1;
    Bytes name;
    Bytes rest;
    int type = kA;
};

Bytes bytesOf(const Query& query) {
    Bytes out;
    for (const int each : {query.id, query.flags, query.questions, query.answers, query.authorities, query.additional}) {
        put16(out, each);
    }
    out.insert(out.end(), query.name.begin(), query.name.end());
    put16(out, query.type);
    put16(out, query.kind);
    out.insert(out.end(), query.rest.begin(), query.rest.end());
    return out;
}

Bytes ask(NameTable& names, const std::string& name, int type) {
    return dnsAnswer(bytesOf({.name = nameBytes(name), .rest = {}, .type = type}), names);
}

int at16(const Bytes& bytes, std::size_t at) {
    return std::to_integer<int>(bytes.at(at)) << 8 | std::to_integer<int>(bytes.at(at + 1));
}
int code(const Bytes& answer) {
    return at16(answer, 2) & 15;
}
int records(const Bytes& answer) {
    return at16(answer, 6);
}
// Of the one record, which is the last.
template <class Address> Address addressIn(const Bytes& answer) {
    Address address{};
    std::memcpy(address.data(), answer.data() + answer.size() - address.size(), address.size());
    return address;
}

} // namespace

class TestSyntheticDns : public QObject {
    Q_OBJECT
private slots:
    void aNameHasOneAddressOfEachKind() {
        NameTable names;
        const auto first = ask(names, "a.example.org", kA);
        QCOMPARE(code(first), 0);
        QCOMPARE(records(first), 1);
        QCOMPARE(at16(first, 0), 0x1234);
        QCOMPARE(at16(first, 2) & 0x8580, 0x8580); // an answer, ours to give, as it was asked for
        const auto four = addressIn<net::Ipv4>(first);
        const auto six = addressIn<net::Ipv6>(ask(names, "a.example.org", kAaaa));
        QVERIFY(numberOf(four) && numberOf(four) == numberOf(six));
        QCOMPARE(names.nameOf(*numberOf(four)).value(), std::string("a.example.org"));
        QVERIFY(addressIn<net::Ipv4>(ask(names, "A.EXAMPLE.org", kA)) == four);
        QVERIFY(addressIn<net::Ipv4>(ask(names, "b.example.org", kA)) != four);
        QVERIFY(addressIn<net::Ipv4>(ask(names, "a.example.org", kA)) == four);
        QCOMPARE(records(ask(names, "a.example.org", 255)), 2);
    }

    // The one by which a machine reaches a server on its computer: an address like any other, and whether there is one is seen by connecting.
    void theComputersOwnNameIsOneLikeOthers() {
        NameTable names;
        const auto four = ask(names, "host.carrel.internal", kA);
        const auto number = numberOf(addressIn<net::Ipv4>(four));
        QVERIFY(code(four) == 0 && records(four) == 1 && number);
        QCOMPARE(names.nameOf(*number).value(), std::string("host.carrel.internal"));
        QVERIFY(numberOf(addressIn<net::Ipv6>(ask(names, "host.carrel.internal", kAaaa))) == number);
    }

    void theQuestionComesBackAsItWasWritten() {
        NameTable names;
        const auto query = bytesOf({.name = nameBytes("wWw.ExAmPlE.oRg"), .rest = {}});
        const auto answer = dnsAnswer(query, names);
        QVERIFY(std::equal(query.begin() + 12, query.end(), answer.begin() + 12));
    }

    void loopbackIsLoopback() {
        NameTable names;
        QVERIFY(addressIn<net::Ipv4>(ask(names, "localhost", kA)) == (net::Ipv4{127, 0, 0, 1}));
        QCOMPARE(addressIn<net::Ipv6>(ask(names, "web.localhost", kAaaa)).back(), std::uint8_t{1});
        QCOMPARE(names.size(), std::size_t{0});
        (void)ask(names, "notlocalhost", kA);
        QCOMPARE(names.size(), std::size_t{1});
    }

    void impossibleNamesDoNotExist_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"a b.example", "1.2.3.4", "x.invalid", "abc.onion", "1.0.18.198.in-addr.arpa", "1.ip6.arpa",
                                 "use-application-dns.net", "-a.example", "b\xc3\xbc.example", "a.12"}) {
            QTest::newRow(name) << QString::fromUtf8(name);
        }
    }
    void impossibleNamesDoNotExist() {
        QFETCH(QString, name);
        NameTable names;
        for (const int type : {kA, kAaaa}) {
            const auto answer = ask(names, name.toStdString(), type);
            QCOMPARE(code(answer), 3);
            QCOMPARE(records(answer), 0);
        }
        QCOMPARE(names.size(), std::size_t{0});
        QCOMPARE(code(dnsAnswer(bytesOf({.name = nameBytes(""), .rest = {}}), names)), 3); // the root
    }

    void aDotInALabelIsNoBorder() {
        NameTable names;
        Bytes name{std::byte{3}, std::byte{'a'}, std::byte{'.'}, std::byte{'b'}, std::byte{0}};
        QCOMPARE(code(dnsAnswer(bytesOf({.name = name, .rest = {}}), names)), 3);
    }

    void otherTypesHaveNoRecords() {
        NameTable names;
        for (const int type : {2, 5, 12, 15, 16, 33, 64, 65}) {
            const auto answer = ask(names, "_http._tcp.example.org", type);
            QCOMPARE(code(answer), 0);
            QCOMPARE(records(answer), 0);
        }
        QCOMPARE(names.size(), std::size_t{0});
    }

    void whatIsNoProperQueryIsToldSo() {
        NameTable names;
        const auto name = nameBytes("example.org");
        QVERIFY(dnsAnswer({}, names).empty());
        QVERIFY(dnsAnswer(Bytes(11), names).empty());
        QVERIFY(dnsAnswer(bytesOf({.flags = 0x8100, .name = name, .rest = {}}), names).empty()); // an answer: no war of answers
        QVERIFY(dnsAnswer(bytesOf({.name = name, .rest = Bytes(600)}), names).empty());
        QCOMPARE(code(dnsAnswer(bytesOf({.flags = 0x2800, .name = name, .rest = {}}), names)), 4);
        QCOMPARE(code(dnsAnswer(bytesOf({.kind = 3, .name = name, .rest = {}}), names)), 5);
        QCOMPARE(code(dnsAnswer(bytesOf({.questions = 0, .name = name, .rest = {}}), names)), 1);
        QCOMPARE(code(dnsAnswer(bytesOf({.questions = 2, .name = name, .rest = {}}), names)), 1);
        QCOMPARE(code(dnsAnswer(bytesOf({.answers = 1, .name = name, .rest = {}}), names)), 1);
        QCOMPARE(code(dnsAnswer(bytesOf({.additional = 1, .name = name, .rest = {}}), names)), 1);
        QCOMPARE(code(dnsAnswer(bytesOf({.name = name, .rest = Bytes(1)}), names)), 1);
        QCOMPARE(code(dnsAnswer(bytesOf({.name = {std::byte{0xc0}, std::byte{12}}, .rest = {}}), names)), 1); // points at itself
        QCOMPARE(code(dnsAnswer(bytesOf({.name = Bytes(300, std::byte{1}), .rest = {}}), names)), 1);
        QCOMPARE(names.size(), std::size_t{0});
    }

    void theSendersOptionsAreTaken() {
        NameTable names;
        Bytes options{std::byte{0}};
        for (const int each : {41, 1232, 0, 0, 0}) {
            put16(options, each);
        }
        const auto answer = dnsAnswer(bytesOf({.additional = 1, .name = nameBytes("example.org"), .rest = options}), names);
        QCOMPARE(code(answer), 0);
        QCOMPARE(records(answer), 1);
        QCOMPARE(at16(answer, 10), 1);
        QCOMPARE(at16(answer, answer.size() - 10), 41);
    }

    void theTableIsBounded() {
        NameTable names(3);
        const auto first = names.numberFor("a");
        const auto second = names.numberFor("b");
        (void)names.numberFor("c");
        QVERIFY(names.nameOf(first)); // used, so it stays
        const auto fourth = names.numberFor("d");
        QCOMPARE(names.size(), std::size_t{3});
        QVERIFY(!names.nameOf(second));
        QCOMPARE(names.nameOf(first).value(), std::string("a"));
        // A number that was given up is nobody's until all the others had their turn.
        std::set<NameNumber> seen{first, second, fourth};
        for (int i = 0; i < 1000; ++i) {
            QVERIFY(seen.insert(names.numberFor("x" + std::to_string(i))).second);
        }
        QVERIFY(!names.nameOf(kFirstName - 1) && !names.nameOf(kLastName));
    }

    void numbersComeRoundAgain() {
        NameTable names(2);
        const auto kept = names.numberFor("kept");
        for (NameNumber i = 0; i < kLastName + 10; ++i) {
            const auto number = names.numberFor("x" + std::to_string(i));
            QVERIFY(number != kept && number >= kFirstName && number <= kLastName);
            QVERIFY(names.nameOf(kept));
        }
    }

    void addressesAndNumbersAgree() {
        for (const NameNumber number : {NameNumber{1}, kFirstName, NameNumber{0xffff}, NameNumber{0x10000}, kLastName}) {
            QVERIFY(numberOf(address4(number)) == number && numberOf(address6(number)) == number);
        }
        QVERIFY(!numberOf(net::Ipv4{198, 20, 0, 1}) && !numberOf(net::Ipv4{198, 17, 0, 1}) && !numberOf(net::Ipv4{127, 0, 0, 1}));
        QVERIFY(!numberOf(kOwnAddress6) && !numberOf(net::Ipv6{}));
    }
};

QTEST_GUILESS_MAIN(TestSyntheticDns)
#include "test_synthetic_dns.moc"
