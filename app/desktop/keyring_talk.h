// SPDX-License-Identifier: Apache-2.0
// The user's keyring: the Secret Service of freedesktop.org (draft 0.2), by libsecret, which knows how to encrypt the way there. Items
// are found by their attributes. Nothing here opens a window of the keyring's (a prompt): an engine without a terminal must not ask
// for a password out of nowhere, and what waits for a window waits for ever.
//
// Errors: NotFound: no service, or no keyring in it. Unavailable: locked, or no answer in time; the hint says what to do first.
// Thread: one at a time. Blocks at most KeyringLine::Options::patience for each conversation; after a service did not answer in time,
// the next ones fail at once for `breather`.
#pragma once

#include "app/desktop/glib.h"
#include "app/desktop/keyring_patience.h"
#include "app/desktop/session_bus.h"

#include <libsecret/secret.h>

#include <functional>
#include <map>
#include <vector>

namespace carrel::desktop {

struct UnrefSecretValue {
    void operator()(SecretValue* value) const { secret_value_unref(value); }
};
using KeyringValue = std::unique_ptr<SecretValue, UnrefSecretValue>; // libsecret wipes it
using KeyringItems = std::vector<Ref<SecretItem>>;
using KeyringAttributes = std::map<std::string, std::string>;

// One conversation with the keyring.
class KeyringTalk {
public:
    // `meanwhile`: a sentence for the hints, about what is so until then; may be empty.
    [[nodiscard]] static Result<KeyringTalk> begin(const std::optional<std::string>& bus, const Deadline& deadline, const std::string& meanwhile);

    [[nodiscard]] Result<KeyringItems> items(const SecretSchema& schema, const KeyringAttributes& attributes) const;
    [[nodiscard]] Result<KeyringValue> read(SecretItem* item) const;
    [[nodiscard]] Status write(SecretItem* item, SecretValue* value) const;
    [[nodiscard]] Status remove(SecretItem* item) const;
    // The collection that new items go into. NotFound: there is none.
    [[nodiscard]] Status mayStore() const;
    [[nodiscard]] Status store(const SecretSchema& schema, const KeyringAttributes& attributes, const std::string& label, SecretValue* value) const;

private:
    KeyringTalk(Ref<GDBusConnection> bus, Ref<SecretService> service, const Deadline& deadline, std::string meanwhile)
        : m_bus(std::move(bus))
        , m_service(std::move(service))
        , m_deadline(deadline)
        , m_meanwhile(std::move(meanwhile)) {}
    [[nodiscard]] Error locked() const;
    [[nodiscard]] Error failed(const ErrorOut& error) const;

    Ref<GDBusConnection> m_bus; // before the service, which uses it
    Ref<SecretService> m_service;
    const Deadline& m_deadline;
    std::string m_meanwhile;
};

// Conversations one after the other, each within the patience.
class KeyringLine {
public:
    struct Options {
        std::optional<std::string> bus; // its address (sessionBusAddress()); none: there is none
        std::string meanwhile;
        std::chrono::milliseconds patience = kKeyringPatience;
        std::chrono::milliseconds breather = kKeyringBreather;
    };
    explicit KeyringLine(Options options)
        : m_options(std::move(options)) {}

    template <class T> [[nodiscard]] Result<T> within(const std::function<Result<T>(const KeyringTalk&)>& call) {
        if (m_silentUntil && std::chrono::steady_clock::now() < *m_silentUntil) {
            return fail(silent("The keyring did not answer in time a moment ago"));
        }
        const Deadline deadline(m_options.patience);
        auto talk = KeyringTalk::begin(m_options.bus, deadline, m_options.meanwhile);
        auto out = talk ? call(*talk) : Result<T>(fail(std::move(talk).error()));
        if (!out && deadline.passed()) {
            m_silentUntil = std::chrono::steady_clock::now() + m_options.breather;
            return fail(silent("The keyring does not answer in time"));
        }
        return out;
    }
    // What to say where it is not there, and has to be.
    [[nodiscard]] Error silent(std::string what) const;

private:
    const Options m_options;
    std::optional<std::chrono::steady_clock::time_point> m_silentUntil;
};

} // namespace carrel::desktop
