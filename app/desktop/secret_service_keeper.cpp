// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/secret_service_keeper.h"

#include "app/desktop/promptless_service.h"

#include <vector>

namespace carrel::desktop {
namespace {

constexpr const char* kTryAgain = "Log in to the desktop of this computer, or start its keyring; then try again. Everything that "
                                  "needs a rule or an answer is denied until then";
constexpr const char* kUnlock = "Unlock the keyring (\"Passwords and Keys\" and other programs for passwords do), then try again. "
                                "Everything that needs a rule or an answer is denied until then";

const SecretSchema kSchema = {"org.carrel.RuleSeal", SECRET_SCHEMA_NONE, {{"home", SECRET_SCHEMA_ATTRIBUTE_STRING}}};

struct FreeTable {
    void operator()(GHashTable* table) const { g_hash_table_unref(table); }
};
using Attributes = std::unique_ptr<GHashTable, FreeTable>;

struct UnrefValue {
    void operator()(SecretValue* value) const { secret_value_unref(value); }
};
using Value = std::unique_ptr<SecretValue, UnrefValue>;

using Items = std::vector<Ref<SecretItem>>;

Attributes attributesOf(const std::string& home) {
    return Attributes(secret_attributes_build(&kSchema, "home", home.c_str(), nullptr));
}

Error lockedError() {
    return {ErrorCode::Unavailable, "The keyring is locked", kUnlock, 0, nullptr};
}
Error damagedError(const char* how) {
    return {ErrorCode::Malformed, std::string("The key of the rules' seal in the keyring ") + how,
            "Look at the rules' file; then \"carrel rules import FILE\" takes over what is right in it. Everything is denied "
            "until then",
            0, nullptr};
}
Error askFailed(const ErrorOut& error) {
    // gnome-keyring has an error of its own for an item that was locked meanwhile.
    const char* remote = error.get() == nullptr || !g_dbus_error_is_remote_error(error.get())
                             ? nullptr
                             : g_dbus_error_get_remote_error(error.get());
    const std::string name = remote == nullptr ? "" : remote;
    g_free(const_cast<char*>(remote));
    if (error.is(SECRET_ERROR, SECRET_ERROR_IS_LOCKED) || name == "org.freedesktop.Secret.Error.IsLocked") {
        return lockedError();
    }
    return {ErrorCode::Unavailable, "The keyring cannot be asked: " + error.words(), kTryAgain, 0, nullptr};
}

// One conversation with the keyring.
class Talk {
public:
    static Result<Talk> begin(const std::optional<std::string>& address, const Deadline& deadline) {
        auto bus = openBus(address, deadline);
        if (!bus) {
            return fail(std::move(bus).error());
        }
        const auto served = isServed(bus->get(), kSecretServiceName, deadline);
        if (!served) {
            return fail(served.error());
        }
        if (!*served) {
            return fail(ErrorCode::NotFound, "There is no keyring on this session's bus");
        }
        ErrorOut error;
        auto service = openPromptless(bus->get(), deadline, &error);
        if (!service) {
            return fail(askFailed(error));
        }
        return Talk(std::move(*bus), std::move(service), deadline);
    }

    [[nodiscard]] Result<Items> items(const std::string& home) const {
        ErrorOut error;
        const auto wanted = attributesOf(home);
        // Without the flag that loads the secrets: libsecret does not pass the cancellable on to that.
        GList* found = secret_service_search_sync(m_service.get(), &kSchema, wanted.get(), SECRET_SEARCH_ALL,
                                                  m_deadline.cancellable(), &error);
        Items out;
        for (GList* each = found; each != nullptr; each = each->next) {
            out.emplace_back(static_cast<SecretItem*>(each->data));
        }
        g_list_free(found);
        if (error.get() != nullptr) {
            return fail(askFailed(error));
        }
        return out;
    }

    [[nodiscard]] Result<policy::SealKeeper::Kept> read(SecretItem* item) const {
        if (secret_item_get_locked(item) != FALSE) {
            return fail(lockedError());
        }
        ErrorOut error;
        if (secret_item_load_secret_sync(item, m_deadline.cancellable(), &error) == FALSE) {
            return fail(askFailed(error));
        }
        const Value value(secret_item_get_secret(item));
        if (!value) { // GetSecrets leaves out what is locked
            return fail(lockedError());
        }
        gsize length = 0;
        const char* text = secret_value_get(value.get(), &length);
        auto kept = policy::keptFrom({text, length});
        return kept ? std::move(kept) : fail(damagedError("is damaged"));
    }

    [[nodiscard]] Status write(SecretItem* item, SecretValue* value) const {
        if (secret_item_get_locked(item) != FALSE) {
            return fail(lockedError());
        }
        ErrorOut error;
        if (secret_item_set_secret_sync(item, value, m_deadline.cancellable(), &error) == FALSE) {
            return fail(askFailed(error));
        }
        return {};
    }

    // The collection that new items go into. NotFound: there is none.
    [[nodiscard]] Status mayStore() const {
        ErrorOut error;
        const Ref<SecretCollection> collection(secret_collection_for_alias_sync(
            m_service.get(), SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, m_deadline.cancellable(), &error));
        if (error.get() != nullptr) {
            return fail(askFailed(error));
        }
        if (!collection) {
            return fail(ErrorCode::NotFound, "There is a keyring service, and no keyring in it");
        }
        if (secret_collection_get_locked(collection.get()) != FALSE) {
            return fail(lockedError());
        }
        return {};
    }

    [[nodiscard]] Status store(const std::string& home, const std::string& label, SecretValue* value) const {
        CARREL_TRY(mayStore());
        ErrorOut error;
        const auto attributes = attributesOf(home);
        if (secret_service_store_sync(m_service.get(), &kSchema, attributes.get(), SECRET_COLLECTION_DEFAULT, label.c_str(),
                                      value, m_deadline.cancellable(), &error) == FALSE) {
            return fail(askFailed(error));
        }
        return {};
    }

private:
    Talk(Ref<GDBusConnection> bus, Ref<SecretService> service, const Deadline& deadline)
        : m_bus(std::move(bus))
        , m_service(std::move(service))
        , m_deadline(deadline) {}

    Ref<GDBusConnection> m_bus; // before the service, which uses it
    Ref<SecretService> m_service;
    const Deadline& m_deadline;
};

} // namespace

SecretServiceKeeper::SecretServiceKeeper(Options options)
    : m_options(std::move(options)) {}

Status SecretServiceKeeper::mayAsk() const {
    if (m_silentUntil && std::chrono::steady_clock::now() < *m_silentUntil) {
        return fail(ErrorCode::Unavailable, "The keyring did not answer in time a moment ago", kTryAgain);
    }
    return {};
}

template <class T, class Call> Result<T> SecretServiceKeeper::within(Call&& call) {
    CARREL_TRY(mayAsk());
    const Deadline deadline(m_options.patience);
    auto talk = Talk::begin(m_options.bus, deadline);
    auto out = talk ? call(*talk) : Result<T>(fail(std::move(talk).error()));
    if (!out && deadline.passed()) {
        m_silentUntil = std::chrono::steady_clock::now() + m_options.breather;
        return fail(ErrorCode::Unavailable, "The keyring does not answer in time", kTryAgain);
    }
    return out;
}

Result<std::optional<policy::SealKeeper::Kept>> SecretServiceKeeper::load() {
    using Found = std::optional<Kept>;
    auto out = within<Found>([this](const Talk& talk) -> Result<Found> {
        const auto items = talk.items(m_options.home);
        if (!items) {
            return fail(items.error());
        }
        Found found;
        for (const auto& item : *items) {
            const auto kept = talk.read(item.get());
            if (!kept) {
                return fail(kept.error());
            }
            // Which of two keys is ours cannot be told. Of one key, the greater serial counts: an older file stays an older one.
            if (found && found->key != kept->key) {
                return fail(damagedError("is there twice, and not the same"));
            }
            found = !found || kept->serial > found->serial ? *kept : *found;
        }
        return found;
    });
    if (!out && out.error().code == ErrorCode::NotFound) { // for this call: whoever chose the keyring has its key there
        return fail(ErrorCode::Unavailable, out.error().message, kTryAgain);
    }
    return out;
}

Status SecretServiceKeeper::keep(const Kept& kept) {
    const auto text = policy::textOf(kept);
    const Value value(secret_value_new(text.data(), static_cast<gssize>(text.size()), "text/plain"));
    auto out = within<void>([&](const Talk& talk) -> Status {
        const auto items = talk.items(m_options.home);
        if (!items) {
            return fail(items.error());
        }
        for (const auto& item : *items) { // where it was put, even if that is no longer where new items go
            CARREL_TRY(talk.write(item.get(), value.get()));
        }
        return items->empty() ? talk.store(m_options.home, m_options.label, value.get()) : Status();
    });
    if (!out && out.error().code == ErrorCode::NotFound) {
        return fail(ErrorCode::Unavailable, out.error().message, kTryAgain);
    }
    return out;
}

Result<SecretServiceKeeper::Standing> SecretServiceKeeper::standing() {
    auto out = within<Standing>([this](const Talk& talk) -> Result<Standing> {
        const auto items = talk.items(m_options.home);
        if (!items) {
            return fail(items.error());
        }
        if (!items->empty()) {
            return Standing::Holds;
        }
        CARREL_TRY(talk.mayStore());
        return Standing::Ready;
    });
    if (!out && out.error().code == ErrorCode::NotFound) {
        return Standing::Absent;
    }
    return out;
}

} // namespace carrel::desktop
