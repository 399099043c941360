// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/secret_service_keeper.h"

#include "app/desktop/keyring_talk.h"

namespace carrel::desktop {
namespace {

const SecretSchema kSchema = {"org.carrel.RuleSeal", SECRET_SCHEMA_NONE, {{"home", SECRET_SCHEMA_ATTRIBUTE_STRING}}};

std::string capitalized(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') {
        text[0] = static_cast<char>(text[0] - 'a' + 'A');
    }
    return text;
}

Error damagedError(const KeeperWords& words, const char* how) {
    return {ErrorCode::Malformed, capitalized(words.key) + " in the keyring " + how, words.mend, 0, nullptr};
}

Result<policy::SealKeeper::Kept> keptIn(const KeyringTalk& talk, SecretItem* item, const KeeperWords& words) {
    const auto value = talk.read(item);
    if (!value) {
        return fail(value.error());
    }
    gsize length = 0;
    const char* text = secret_value_get(value->get(), &length);
    auto kept = policy::keptFrom({text, length});
    return kept ? std::move(kept) : fail(damagedError(words, "is damaged"));
}

} // namespace

SecretServiceKeeper::SecretServiceKeeper(Options options)
    : m_options(std::move(options))
    , m_line(std::make_unique<KeyringLine>(KeyringLine::Options{m_options.bus, m_options.words.meanwhile, m_options.patience, m_options.breather})) {}

SecretServiceKeeper::~SecretServiceKeeper() = default;

Result<std::optional<policy::SealKeeper::Kept>> SecretServiceKeeper::load() {
    using Found = std::optional<Kept>;
    auto out = m_line->within<Found>([this](const KeyringTalk& talk) -> Result<Found> {
        const auto items = talk.items(kSchema, {{"home", m_options.home}});
        if (!items) {
            return fail(items.error());
        }
        Found found;
        for (const auto& item : *items) {
            const auto kept = keptIn(talk, item.get(), m_options.words);
            if (!kept) {
                return fail(kept.error());
            }
            // Which of two keys is ours cannot be told. Of one key, the greater serial counts: an older file stays an older one.
            if (found && found->key != kept->key) {
                return fail(damagedError(m_options.words, "is there twice, and not the same"));
            }
            found = !found || kept->serial > found->serial ? *kept : *found;
        }
        return found;
    });
    if (!out && out.error().code == ErrorCode::NotFound) { // for this call: whoever chose the keyring has its key there
        return fail(m_line->silent(out.error().message));
    }
    return out;
}

Status SecretServiceKeeper::keep(const Kept& kept) {
    const auto text = policy::textOf(kept);
    const KeyringValue value(secret_value_new(text.data(), static_cast<gssize>(text.size()), "text/plain"));
    auto out = m_line->within<void>([&](const KeyringTalk& talk) -> Status {
        const auto items = talk.items(kSchema, {{"home", m_options.home}});
        if (!items) {
            return fail(items.error());
        }
        for (const auto& item : *items) { // where it was put, even if that is no longer where new items go
            CARREL_TRY(talk.write(item.get(), value.get()));
        }
        return items->empty() ? talk.store(kSchema, {{"home", m_options.home}}, m_options.label, value.get()) : Status();
    });
    if (!out && out.error().code == ErrorCode::NotFound) {
        return fail(m_line->silent(out.error().message));
    }
    return out;
}

Result<SecretServiceKeeper::Standing> SecretServiceKeeper::standing() {
    auto out = m_line->within<Standing>([this](const KeyringTalk& talk) -> Result<Standing> {
        const auto items = talk.items(kSchema, {{"home", m_options.home}});
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
