// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/keyring_secrets.h"

#include "app/desktop/keyring_talk.h"

namespace carrel::desktop {
namespace {

const SecretSchema kSchema = {"org.carrel.Credential",
                              SECRET_SCHEMA_NONE,
                              {{"home", SECRET_SCHEMA_ATTRIBUTE_STRING}, {"name", SECRET_SCHEMA_ATTRIBUTE_STRING}}};

Error notThere(const std::string& name) {
    return {ErrorCode::NotFound, "The keyring does not hold the value of the credential " + name,
            "Remove the credential, then add it once more", 0, nullptr};
}

} // namespace

KeyringSecrets::KeyringSecrets(Options options)
    : m_home(std::move(options.home))
    , m_line(std::make_unique<KeyringLine>(KeyringLine::Options{std::move(options.bus), {}, options.patience, options.breather})) {}

KeyringSecrets::~KeyringSecrets() = default;

Result<egress::SecretStore::Standing> KeyringSecrets::standing() {
    const std::lock_guard lock(m_mutex);
    auto out = m_line->within<Standing>([](const KeyringTalk& talk) -> Result<Standing> {
        CARREL_TRY(talk.mayStore());
        return Standing::Ready;
    });
    return !out && out.error().code == ErrorCode::NotFound ? Result<Standing>(Standing::Absent) : out;
}

Result<egress::Secret> KeyringSecrets::load(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    auto out = m_line->within<egress::Secret>([&](const KeyringTalk& talk) -> Result<egress::Secret> {
        const auto items = talk.items(kSchema, {{"home", m_home}, {"name", name}});
        if (!items) {
            return fail(items.error());
        }
        if (items->size() != 1) { // which of two is right nobody could tell
            return fail(notThere(name));
        }
        const auto value = talk.read(items->front().get());
        if (!value) {
            return fail(value.error());
        }
        gsize length = 0;
        const char* text = secret_value_get(value->get(), &length);
        return egress::Secret::ofCredential(relay::SecretText(text, text + length));
    });
    return out;
}

Status KeyringSecrets::keep(const std::string& name, const egress::Secret& value) {
    const std::lock_guard lock(m_mutex);
    const KeyringValue kept(secret_value_new(value.reveal().data(), static_cast<gssize>(value.size()), "text/plain"));
    return m_line->within<void>([&](const KeyringTalk& talk) -> Status {
        const KeyringAttributes attributes{{"home", m_home}, {"name", name}};
        const auto items = talk.items(kSchema, attributes);
        if (!items) {
            return fail(items.error());
        }
        for (const auto& item : *items) {
            CARREL_TRY(talk.write(item.get(), kept.get()));
        }
        return items->empty() ? talk.store(kSchema, attributes, "Carrel: the credential " + name, kept.get()) : Status();
    });
}

Status KeyringSecrets::remove(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    return m_line->within<void>([&](const KeyringTalk& talk) -> Status {
        const auto items = talk.items(kSchema, {{"home", m_home}, {"name", name}});
        if (!items) {
            return fail(items.error());
        }
        for (const auto& item : *items) {
            CARREL_TRY(talk.remove(item.get()));
        }
        return {};
    });
}

} // namespace carrel::desktop
