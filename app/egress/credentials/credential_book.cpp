// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/credential_book.h"

#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>

namespace carrel::egress {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFile = 16 * 1024 * 1024;
constexpr std::int64_t kUsedEveryMs = 60'000; // a time of use that a crash loses is no harm: each use is in a log

std::int64_t systemNow() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool meet(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::any_of(a.begin(), a.end(), [&](const auto& each) { return std::find(b.begin(), b.end(), each) != b.end(); });
}

} // namespace

CredentialBook::CredentialBook(Setup setup)
    : m_to(std::move(setup)) {
    if (!m_to.nowMs) {
        m_to.nowMs = systemNow;
    }
}

Status CredentialBook::read() {
    if (m_read) {
        return {};
    }
    const auto text = files::readWhole(m_to.file, kMaxFile);
    if (!text) {
        if (text.error().sysErrno == ENOENT) {
            m_read = true;
            return {};
        }
        return fail(text.error());
    }
    const auto damaged = [&](const Error& why) {
        return fail(why.wrap("The list of credentials, " + m_to.file.string() + ", cannot be read",
                             "Put it right or take it away; until then no credential is used"));
    };
    const auto object = parseJsonObject(*text, {kMaxFile, 6});
    if (!object) {
        return damaged(object.error());
    }
    JsonFields fields(*object, "credentials");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported, "The list of credentials was written by a later version of Carrel", "Update Carrel");
    }
    std::vector<Credential> all;
    for (const auto& each : fields.array("credentials", kMaxCredentials)) {
        if (!each.is_object()) {
            return damaged({ErrorCode::Malformed, "it lists something that is no credential", {}, 0, nullptr});
        }
        auto one = credentialFrom(each.get_object());
        if (!one) {
            return damaged(one.error());
        }
        all.push_back(std::move(*one));
    }
    if (auto done = fields.finish(); !done) {
        return damaged(done.error());
    }
    m_all = std::move(all);
    m_read = true;
    return {};
}

Status CredentialBook::replace(const std::function<void(std::vector<Credential>&)>& change) {
    std::vector<Credential> all;
    {
        const std::lock_guard lock(m_mutex);
        all = m_all;
    }
    change(all);
    json::array list;
    for (const auto& each : all) {
        list.push_back(toJson(each));
    }
    CARREL_TRY(files::replaceDurably(m_to.file, json::serialize(json::object{{"schema", kSchema}, {"credentials", std::move(list)}})));
    const std::lock_guard lock(m_mutex);
    change(m_all);
    return {};
}

Result<std::vector<Credential>> CredentialBook::list() {
    const std::lock_guard lock(m_mutex);
    CARREL_TRY(read());
    return m_all;
}

Result<Credential> CredentialBook::find(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    CARREL_TRY(read());
    const auto at = std::find_if(m_all.begin(), m_all.end(), [&](const Credential& each) { return each.name == name; });
    return at == m_all.end() ? Result<Credential>(fail(ErrorCode::NotFound, "There is no credential of that name", "See: carrel credential list"))
                             : *at;
}

Result<std::vector<Credential>> CredentialBook::boundTo(std::string_view host, std::string_view agent) {
    const std::lock_guard lock(m_mutex);
    CARREL_TRY(read());
    std::vector<Credential> out;
    std::copy_if(m_all.begin(), m_all.end(), std::back_inserter(out),
                 [&](const Credential& each) { return isBoundTo(each, host) && isFor(each, agent); });
    return out;
}

SecretStore* CredentialBook::storeOf(Keeper keeper) const {
    return keeper == Keeper::Keyring ? m_to.keyring.get() : m_to.sealed.get();
}

Result<std::optional<Keeper>> CredentialBook::place() {
    if (m_to.keyring) {
        const auto keyring = m_to.keyring->standing();
        if (!keyring) {
            return fail(keyring.error());
        }
        if (*keyring != SecretStore::Standing::Absent) {
            return Keeper::Keyring;
        }
    }
    const auto sealed = m_to.sealed->standing();
    if (!sealed) {
        return fail(sealed.error());
    }
    return *sealed == SecretStore::Standing::Ready ? std::optional(Keeper::SealedFile) : std::nullopt;
}

Result<Keeper> CredentialBook::mayAdd(const Credential& wanted) {
    CARREL_TRY(check(wanted));
    const auto there = list();
    if (!there) {
        return fail(there.error());
    }
    if (there->size() >= kMaxCredentials) {
        return fail(ErrorCode::LimitExceeded, "There are " + std::to_string(kMaxCredentials) + " credentials already", "Remove some of them");
    }
    for (const auto& each : *there) {
        if (each.name == wanted.name) {
            return fail(ErrorCode::AlreadyExists, "There is a credential of that name already",
                        "Remove it first: carrel credential remove " + wanted.name);
        }
        if (wanted.variable && each.variable == wanted.variable &&
            (each.agents.empty() || wanted.agents.empty() || meet(each.agents, wanted.agents))) {
            return fail(ErrorCode::AlreadyExists, "The credential " + each.name + " has the variable " + *each.variable + " already",
                        "Choose another one, or name other agents");
        }
    }
    const auto keeper = place();
    if (!keeper) {
        return fail(keeper.error());
    }
    if (!*keeper) {
        return fail(ErrorCode::Unavailable, "There is no keyring here, and the file of credentials that is sealed with a passphrase is not open",
                    "Open it, or choose the passphrase of a new one: carrel credential unlock");
    }
    return **keeper;
}

Result<Credential> CredentialBook::add(Credential wanted, const Secret& value, const Before& before) {
    {
        const std::lock_guard changing(m_changing);
        const auto keeper = mayAdd(wanted);
        if (!keeper) {
            return fail(keeper.error());
        }
        wanted.keeper = *keeper;
        wanted.shape = shapeOf(value);
        wanted.createdMs = m_to.nowMs();
        wanted.usedMs = 0;
        CARREL_TRY(storeOf(wanted.keeper)->keep(wanted.name, value));
        auto done = before ? before(wanted) : Status();
        if (done) {
            done = replace([&](auto& all) { all.push_back(wanted); });
        }
        if (!done) {
            (void)storeOf(wanted.keeper)->remove(wanted.name).has_value();
            return fail(std::move(done).error());
        }
    }
    if (m_changed) {
        m_changed();
    }
    return wanted;
}

Result<CredentialBook::Removed> CredentialBook::remove(const std::string& name, const Before& before) {
    Removed out;
    {
        const std::lock_guard changing(m_changing);
        auto there = find(name);
        if (!there) {
            return fail(std::move(there).error());
        }
        out.credential = std::move(*there);
        if (before) {
            CARREL_TRY(before(out.credential));
        }
        CARREL_TRY(replace([&](auto& all) { std::erase_if(all, [&](const Credential& each) { return each.name == name; }); }));
        auto* store = storeOf(out.credential.keeper);
        if (store == nullptr) {
            out.left = Error{ErrorCode::Unavailable, "There is no keyring here now", {}, 0, nullptr};
        } else if (auto gone = store->remove(name); !gone) {
            out.left = std::move(gone).error();
        }
    }
    if (m_changed) {
        m_changed();
    }
    return out;
}

Result<Secret> CredentialBook::value(const Credential& credential) {
    auto* store = storeOf(credential.keeper);
    return store == nullptr ? Result<Secret>(fail(ErrorCode::Unavailable, "There is no keyring here now, and the value is in it",
                                                  "Log in to the desktop of this computer, then try again"))
                            : store->load(credential.name);
}

void CredentialBook::used(const std::string& name) {
    const auto now = m_to.nowMs();
    {
        const std::lock_guard lock(m_mutex);
        for (auto& each : m_all) {
            if (each.name == name) {
                each.usedMs = now;
            }
        }
        if (now >= m_usedWritten && now - m_usedWritten < kUsedEveryMs) {
            return;
        }
        m_usedWritten = now;
    }
    if (const std::unique_lock changing(m_changing, std::try_to_lock); changing) { // else it is written with what changes now
        (void)replace([](auto&) {}).has_value();
    }
}

Status CredentialBook::unlock(const Secret& passphrase) {
    return m_to.sealed->unlock(passphrase);
}

void CredentialBook::lock() {
    m_to.sealed->lock();
}

} // namespace carrel::egress
