// SPDX-License-Identifier: Apache-2.0
// Every range of the registries is refused from its first address to its last, and what lies beside it is judged by itself.
#include "app/egress/address_policy.h"

#include <QTest>

#include <map>

using namespace carrel;
using namespace carrel::egress;

namespace {

Address at(const std::string& text) {
    return Address::parse(text).value();
}

// The last address of a range.
Address lastOf(const Address& prefix, unsigned length) {
    auto bytes = prefix.bytes();
    for (unsigned bit = length; bit < prefix.bits(); ++bit) {
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | (0x80U >> (bit % 8)));
    }
    return prefix.isV4() ? Address(Address::V4Bytes{bytes[0], bytes[1], bytes[2], bytes[3]}) : Address(bytes);
}

// The one after it, or before.
std::optional<Address> beside(const Address& address, int step) {
    auto bytes = address.bytes();
    int carry = step;
    for (int i = static_cast<int>(address.bits() / 8) - 1; i >= 0 && carry != 0; --i) {
        const int sum = bytes[static_cast<std::size_t>(i)] + carry;
        bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(sum & 0xff);
        carry = sum > 255 ? 1 : sum < 0 ? -1 : 0;
    }
    if (carry != 0) {
        return std::nullopt;
    }
    return address.isV4() ? Address(Address::V4Bytes{bytes[0], bytes[1], bytes[2], bytes[3]}) : Address(bytes);
}

} // namespace

class TestAddressPolicy : public QObject {
    Q_OBJECT
private slots:
    void everyRowFromItsFirstToItsLast() {
        QVERIFY(specialRanges().size() > 40);
        for (const auto& range : specialRanges()) {
            const auto prefix = Address::parse(range.prefix);
            QVERIFY2(prefix, range.prefix.data());
            QVERIFY2(!range.source.empty() && !range.what.empty(), range.prefix.data());
            const auto last = lastOf(*prefix, range.length);
            QVERIFY2(prefix->isWithin(*prefix, range.length) && last.isWithin(*prefix, range.length), range.prefix.data());
            QVERIFY2(specialOf(*prefix) && specialOf(last), range.prefix.data());
            // Its edge is where it says: what is one beyond is in no longer this row.
            for (const auto& outside : {beside(*prefix, -1), beside(last, 1)}) {
                QVERIFY2(!outside || !outside->isWithin(*prefix, range.length), range.prefix.data());
            }
        }
    }
    // As the registries have them, by name: a row that is lost from the table is missed here.
    void what_data() {
        QTest::addColumn<QString>("address");
        QTest::addColumn<bool>("never");
        const std::map<const char*, bool> all{
            {"0.0.0.0", true},          {"0.255.255.255", true},   {"10.0.0.1", false},        {"10.255.255.255", false},
            {"100.64.0.1", false},      {"100.127.255.255", false}, {"127.0.0.1", false},      {"127.255.255.254", false},
            {"169.254.1.1", false},     {"169.254.169.254", false}, {"169.254.170.2", false},  {"168.63.129.16", false},
            {"100.100.100.200", false}, {"172.16.0.1", false},      {"172.31.255.255", false}, {"192.0.0.1", false},
            {"192.0.0.192", false},     {"192.0.2.1", false},       {"192.88.99.1", true},     {"192.168.1.1", false},
            {"198.18.0.1", false},      {"198.19.255.255", false},  {"198.51.100.1", false},   {"203.0.113.1", false},
            {"224.0.0.1", true},        {"239.255.255.255", true},  {"240.0.0.1", true},       {"255.255.255.255", true},
            {"::", true},               {"::1", false},             {"::127.0.0.1", true},     {"::ffff:127.0.0.1", true},
            {"::ffff:8.8.8.8", true},   {"::ffff:0:7f00:1", true},  {"64:ff9b::7f00:1", true}, {"64:ff9b:1::1", true},
            {"100::1", false},          {"100:0:0:1::1", false},    {"2001::1", true},         {"2001:2::1", false},
            {"2001:10::1", false},      {"2001:20::1", false},      {"2001:db8::1", false},    {"2002:7f00:1::", true},
            {"3fff::1", false},         {"5f00::1", false},         {"fc00::1", false},        {"fd00:ec2::254", false},
            {"fd20:ce::254", false},    {"fdff::1", false},         {"fe80::1", false},        {"febf::1", false},
            {"fec0::1", false},         {"feff::1", false},         {"ff02::1", true},         {"4000::1", false},
            {"1000::1", false},         {"e000::1", false},         {"64:ff9c::1", false},     {"200::1", false}};
        for (const auto& [address, never] : all) {
            QTest::newRow(address) << QString(address) << never;
        }
    }
    void what() {
        QFETCH(QString, address);
        QFETCH(bool, never);
        const auto special = specialOf(at(address.toStdString()));
        QVERIFY(special);
        QCOMPARE(special->naming == Naming::Never, never);
    }
    void theInternetAtLarge() {
        for (const char* text :
             {"1.1.1.1",      "8.8.8.8",         "9.255.255.255", "11.0.0.0",    "100.63.255.255", "100.128.0.0",   "126.255.255.255",
              "128.0.0.1",    "169.253.255.255", "169.255.0.0",   "172.15.0.1",  "172.32.0.0",     "192.0.1.1",     "192.0.3.0",
              "192.167.0.1",  "192.169.0.0",     "198.17.0.1",    "198.20.0.0",  "198.51.99.255",  "203.0.112.255", "223.255.255.255",
              "192.31.196.1", "192.52.193.1",    "192.175.48.1",  "168.63.129.15", "2001:200::1",  "2001:db7::1",   "2003::1",
              "2606:4700::1", "2a00:1450::1",    "2620:4f:8000::1", "3ffe::1"}) {
            QVERIFY2(!specialOf(at(text)), text);
        }
    }
    void metadataIsCalledByItsName() {
        for (const char* text : {"169.254.169.254", "168.63.129.16", "fd00:ec2::254", "100.100.100.200"}) {
            QVERIFY(specialOf(at(text))->what.find("secrets") != std::string_view::npos);
        }
        QVERIFY(specialOf(at("169.254.169.253"))->what.find("secrets") == std::string_view::npos);
    }
    void thisComputersOwn() {
        const OwnNetworks own({{at("198.41.0.4"), 24}, {at("2600:1:2:3::7"), 64}, {at("2600:9::1"), 8}});
        QVERIFY(own.specialOf(at("198.41.0.4")));
        QVERIFY(!own.specialOf(at("198.41.0.5"))); // of a provider's, most likely
        QVERIFY(own.specialOf(at("2600:1:2:3::7")) && own.specialOf(at("2600:1:2:3:ffff::1")));
        QVERIFY(!own.specialOf(at("2600:1:2:4::1")) && own.specialOf(at("2600:9::1")) && !own.specialOf(at("2600:8::1")));
    }
    void theKernelTellsOfLoopback() {
        const auto own = OwnNetworks::read();
        QVERIFY(own);
        QVERIFY(own->specialOf(at("127.0.0.1")));
    }
};

QTEST_GUILESS_MAIN(TestAddressPolicy)
#include "test_address_policy.moc"
