// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/keyring_talk.h"

#include "app/desktop/promptless_service.h"

namespace carrel::desktop {
namespace {

struct FreeTable {
    void operator()(GHashTable* table) const { g_hash_table_unref(table); }
};
using Table = std::unique_ptr<GHashTable, FreeTable>;

Table tableOf(const KeyringAttributes& attributes) {
    Table out(g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free));
    for (const auto& [name, value] : attributes) {
        g_hash_table_insert(out.get(), g_strdup(name.c_str()), g_strdup(value.c_str()));
    }
    return out;
}

std::string hintOf(const char* what, const std::string& meanwhile) {
    return what + (meanwhile.empty() ? std::string() : ". " + meanwhile);
}

constexpr const char* kTryAgain = "Log in to the desktop of this computer, or start its keyring; then try again";
constexpr const char* kUnlock = "Unlock the keyring (\"Passwords and Keys\" and other programs for passwords do), then try again";

Error askFailed(const ErrorOut& error, const std::string& meanwhile) {
    // gnome-keyring has an error of its own for an item that was locked meanwhile.
    const char* remote = error.get() == nullptr || !g_dbus_error_is_remote_error(error.get())
                             ? nullptr
                             : g_dbus_error_get_remote_error(error.get());
    const std::string name = remote == nullptr ? "" : remote;
    g_free(const_cast<char*>(remote));
    if (error.is(SECRET_ERROR, SECRET_ERROR_IS_LOCKED) || name == "org.freedesktop.Secret.Error.IsLocked") {
        return {ErrorCode::Unavailable, "The keyring is locked", hintOf(kUnlock, meanwhile), 0, nullptr};
    }
    return {ErrorCode::Unavailable, "The keyring cannot be asked: " + error.words(), hintOf(kTryAgain, meanwhile), 0, nullptr};
}

} // namespace

Error KeyringLine::silent(std::string what) const {
    return {ErrorCode::Unavailable, std::move(what), hintOf(kTryAgain, m_options.meanwhile), 0, nullptr};
}

Error KeyringTalk::locked() const {
    return {ErrorCode::Unavailable, "The keyring is locked", hintOf(kUnlock, m_meanwhile), 0, nullptr};
}

Error KeyringTalk::failed(const ErrorOut& error) const {
    return askFailed(error, m_meanwhile);
}

Result<KeyringTalk> KeyringTalk::begin(const std::optional<std::string>& address, const Deadline& deadline, const std::string& meanwhile) {
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
        return fail(askFailed(error, meanwhile));
    }
    return KeyringTalk(std::move(*bus), std::move(service), deadline, meanwhile);
}

Result<KeyringItems> KeyringTalk::items(const SecretSchema& schema, const KeyringAttributes& attributes) const {
    ErrorOut error;
    const auto wanted = tableOf(attributes);
    // Without the flag that loads the secrets: libsecret does not pass the cancellable on to that.
    GList* found = secret_service_search_sync(m_service.get(), &schema, wanted.get(), SECRET_SEARCH_ALL, m_deadline.cancellable(), &error);
    KeyringItems out;
    for (GList* each = found; each != nullptr; each = each->next) {
        out.emplace_back(static_cast<SecretItem*>(each->data));
    }
    g_list_free(found);
    if (error.get() != nullptr) {
        return fail(failed(error));
    }
    return out;
}

Result<KeyringValue> KeyringTalk::read(SecretItem* item) const {
    if (secret_item_get_locked(item) != FALSE) {
        return fail(locked());
    }
    ErrorOut error;
    if (secret_item_load_secret_sync(item, m_deadline.cancellable(), &error) == FALSE) {
        return fail(failed(error));
    }
    KeyringValue value(secret_item_get_secret(item));
    if (!value) { // GetSecrets leaves out what is locked
        return fail(locked());
    }
    return value;
}

Status KeyringTalk::write(SecretItem* item, SecretValue* value) const {
    if (secret_item_get_locked(item) != FALSE) {
        return fail(locked());
    }
    ErrorOut error;
    if (secret_item_set_secret_sync(item, value, m_deadline.cancellable(), &error) == FALSE) {
        return fail(failed(error));
    }
    return {};
}

Status KeyringTalk::remove(SecretItem* item) const {
    ErrorOut error;
    if (secret_item_delete_sync(item, m_deadline.cancellable(), &error) == FALSE) {
        return fail(failed(error));
    }
    return {};
}

Status KeyringTalk::mayStore() const {
    ErrorOut error;
    const Ref<SecretCollection> collection(secret_collection_for_alias_sync(
        m_service.get(), SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, m_deadline.cancellable(), &error));
    if (error.get() != nullptr) {
        return fail(failed(error));
    }
    if (!collection) {
        return fail(ErrorCode::NotFound, "There is a keyring service, and no keyring in it");
    }
    if (secret_collection_get_locked(collection.get()) != FALSE) {
        return fail(locked());
    }
    return {};
}

Status KeyringTalk::store(const SecretSchema& schema, const KeyringAttributes& attributes, const std::string& label, SecretValue* value) const {
    CARREL_TRY(mayStore());
    ErrorOut error;
    const auto table = tableOf(attributes);
    if (secret_service_store_sync(m_service.get(), &schema, table.get(), SECRET_COLLECTION_DEFAULT, label.c_str(), value,
                                  m_deadline.cancellable(), &error) == FALSE) {
        return fail(failed(error));
    }
    return {};
}

} // namespace carrel::desktop
