// SPDX-License-Identifier: Apache-2.0
// The credentials of one home: what of them may be told in a file of Carrel's folder (credentials.json, 0600), each value where its
// description says: in the keyring where there was one when it was added, else in the sealed file. A keyring that is there and
// locked is no reason to put a value anywhere else.
//
// Order: a value is kept before the description that names it, and goes after it, so that no description ever stands for nothing
// through Carrel's doing; a value that is left over is nobody's and is overwritten or removed with the next of its name.
// Owner: the engine. Thread: any; blocks for the disk and the stores. Listeners are called without a lock, after the change.
#pragma once

#include "app/egress/credentials/credential.h"
#include "app/egress/credentials/sealed_file.h"

#include <functional>
#include <memory>

namespace carrel::egress {

inline constexpr std::size_t kMaxCredentials = 256; // so that one message to a clerk names all that stands for them

class CredentialBook {
public:
    struct Setup {
        std::filesystem::path file;
        std::unique_ptr<SecretStore> keyring; // none: this computer has none
        std::unique_ptr<SealedFile> sealed;
        std::function<std::int64_t()> nowMs;  // since 1970; none: the system's clock
    };
    explicit CredentialBook(Setup setup);

    // An error: the file cannot be read; then no credential is used, and none is added.
    [[nodiscard]] Result<std::vector<Credential>> list();
    [[nodiscard]] Result<Credential> find(const std::string& name);
    [[nodiscard]] Result<std::vector<Credential>> boundTo(std::string_view host, std::string_view agent);

    // Where it would be kept, or why it could not be added now: the errors of add(), before anybody is asked for a value.
    [[nodiscard]] Result<Keeper> mayAdd(const Credential& wanted);

    // Right before it counts; an error: it does not.
    using Before = std::function<Status(const Credential& credential)>;
    // AlreadyExists: the name is taken, or its variable is another's for one of its agents. Unavailable: no place for its value is open.
    [[nodiscard]] Result<Credential> add(Credential wanted, const Secret& value, const Before& before = {});
    // Goes ahead whatever becomes of the value in a store that cannot be reached; `left` says so.
    struct Removed {
        Credential credential;
        std::optional<Error> left;
    };
    [[nodiscard]] Result<Removed> remove(const std::string& name, const Before& before = {});

    [[nodiscard]] Result<Secret> value(const Credential& credential);
    void used(const std::string& name);

    // Of the sealed file.
    [[nodiscard]] Status unlock(const Secret& passphrase);
    void lock();
    [[nodiscard]] Result<SecretStore::Standing> sealed() { return m_to.sealed->standing(); }
    // Where the next value would be kept. Nothing: in the sealed file, once unlock() has opened it. An error: where cannot be told.
    [[nodiscard]] Result<std::optional<Keeper>> place();

    void onChange(std::function<void()> listener) { m_changed = std::move(listener); } // once, before anything is asked

private:
    [[nodiscard]] Status read(); // under m_mutex
    // Under m_changing.
    [[nodiscard]] Status replace(const std::function<void(std::vector<Credential>&)>& change); // in the file, then here
    [[nodiscard]] SecretStore* storeOf(Keeper keeper) const;

    Setup m_to;
    std::function<void()> m_changed;
    std::mutex m_changing; // held by whoever changes something, for as long as a store takes; before m_mutex
    std::mutex m_mutex;    // guards what follows, and nobody waits with it
    bool m_read = false;
    std::vector<Credential> m_all;
    std::int64_t m_usedWritten = 0; // when the times of use were written last
};

} // namespace carrel::egress
