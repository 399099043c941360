// SPDX-License-Identifier: Apache-2.0
// Values of credentials in a keyring: each an item of its own, found again, and whatever can be wrong told apart.
#include "app/desktop/keyring_secrets.h"
#include "tests/app/desktop/played_keyring.h"
#include "tests/app/desktop/private_bus.h"

#include <QTest>

using namespace carrel;
using namespace carrel::desktop;
using namespace carrel::desktop::test;
using egress::Secret;
using egress::SecretStore;

namespace {

KeyringSecrets::Options options(const PrivateBus& bus, const char* home = "0123456789abcdef") {
    return {bus.address(), home, std::chrono::seconds(60), std::chrono::milliseconds(0)};
}
Secret value(std::string_view text) {
    return std::move(Secret::ofCredential(relay::secretText(text)).value());
}
std::string textOf(const Result<Secret>& secret) {
    return secret ? std::string(secret->reveal()) : secret.error().text();
}

} // namespace

class TestKeyringSecrets : public QObject {
    Q_OBJECT
private slots:
    void keptFoundAndTakenAway() {
        PrivateBus bus;
        PlayedKeyring keyring(bus.address());
        KeyringSecrets secrets(options(bus));
        QVERIFY(*secrets.standing() == SecretStore::Standing::Ready);
        QVERIFY(secrets.load("models").error().code == ErrorCode::NotFound);
        const auto kept = secrets.keep("models", value("a first value"));
        QVERIFY2(kept, kept ? "" : kept.error().text().c_str());
        QVERIFY(secrets.keep("other", value("another value")));
        QVERIFY(KeyringSecrets(options(bus, "fedcba9876543210")).keep("models", value("of another home")));
        QVERIFY(secrets.keep("models", value("a second value"))); // in the place of the first
        QCOMPARE(textOf(KeyringSecrets(options(bus)).load("models")), std::string("a second value"));
        QCOMPARE(textOf(secrets.load("other")), std::string("another value"));
        const auto state = keyring.state();
        QCOMPARE(state.items.size(), std::size_t{3});
        QCOMPARE(state.items[0].label, std::string("Carrel: the credential models"));
        QVERIFY(state.items[0].attributes.at("name") == "models" && state.items[0].attributes.at("home") == "0123456789abcdef");
        const auto gone = secrets.remove("models");
        QVERIFY2(gone, gone ? "" : gone.error().text().c_str());
        QVERIFY(secrets.load("models").error().code == ErrorCode::NotFound && secrets.load("other"));
        QVERIFY(secrets.remove("models"));
        QCOMPARE(textOf(KeyringSecrets(options(bus, "fedcba9876543210")).load("models")), std::string("of another home"));
        QCOMPARE(keyring.state().prompts, 0);
    }
    void whatCanBeWrong() {
        PrivateBus bus;
        QVERIFY(*KeyringSecrets(options(bus)).standing() == SecretStore::Standing::Absent);
        QVERIFY(*KeyringSecrets({std::nullopt, "x"}).standing() == SecretStore::Standing::Absent);
        PlayedKeyring keyring(bus.address());
        KeyringSecrets secrets(options(bus));
        QVERIFY(secrets.keep("models", value("a first value")));
        keyring.change([](auto& state) { state.locked = true; });
        for (const auto& error : {secrets.standing().error(), secrets.load("models").error(), secrets.keep("models", value("another value")).error()}) {
            QVERIFY2(error.code == ErrorCode::Unavailable && error.hint.find("Unlock") != std::string::npos, error.text().c_str());
            QVERIFY(error.text().find("value") == std::string::npos);
        }
        keyring.change([](auto& state) {
            state.locked = false;
            state.items.push_back(state.items.front());
        });
        QVERIFY(secrets.load("models").error().code == ErrorCode::NotFound); // which of two nobody could tell
        keyring.change([](auto& state) { state.silentFrom = "SearchItems"; });
        auto hurried = options(bus);
        hurried.patience = std::chrono::milliseconds(300);
        QVERIFY(KeyringSecrets(hurried).load("models").error().code == ErrorCode::Unavailable);
    }
};

QTEST_GUILESS_MAIN(TestKeyringSecrets)
#include "test_keyring_secrets.moc"
