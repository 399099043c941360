// SPDX-License-Identifier: Apache-2.0
// A keyring in memory, that can be taken away, and a book of credentials over it in a folder of the test's.
#pragma once

#include "app/egress/credentials/credential_book.h"

#include <QTemporaryDir>

#include <map>
#include <mutex>

namespace carrel::egress::test {

inline constexpr const char* kValue = "sk-" "ant-0123456789abcdefghijKLMNOPQRST";

inline Secret secretOf(std::string_view text) {
    auto out = Secret::ofCredential(relay::secretText(text));
    if (!out) {
        qFatal("%s", out.error().text().c_str());
    }
    return std::move(*out);
}

struct Memory { // outlives its store
    std::mutex mutex;
    std::map<std::string, std::string> values;
    bool there = true, silent = false;
};

class MemoryStore final : public SecretStore {
public:
    explicit MemoryStore(Memory& memory)
        : m_memory(memory) {}
    Result<Standing> standing() override {
        const std::lock_guard lock(m_memory.mutex);
        return m_memory.silent ? Result<Standing>(fail(ErrorCode::Unavailable, "the keyring is locked"))
                               : m_memory.there ? Standing::Ready : Standing::Absent;
    }
    Result<Secret> load(const std::string& name) override {
        const std::lock_guard lock(m_memory.mutex);
        if (m_memory.silent) {
            return fail(ErrorCode::Unavailable, "the keyring is locked");
        }
        const auto at = m_memory.values.find(name);
        return at == m_memory.values.end() ? Result<Secret>(fail(ErrorCode::NotFound, "there is none")) : secretOf(at->second);
    }
    Status keep(const std::string& name, const Secret& value) override {
        const std::lock_guard lock(m_memory.mutex);
        m_memory.values[name] = value.reveal();
        return {};
    }
    Status remove(const std::string& name) override {
        const std::lock_guard lock(m_memory.mutex);
        m_memory.values.erase(name);
        return m_memory.silent ? Status(fail(ErrorCode::Unavailable, "the keyring is locked")) : Status();
    }

private:
    Memory& m_memory;
};

inline constexpr SealedFile::Cost kCheap{4, 1, 1};

struct BookWorld {
    QTemporaryDir dir;
    std::filesystem::path folder = dir.path().toStdString();
    Memory memory;
    std::int64_t now = 1'000'000;
    std::unique_ptr<CredentialBook> book = make();

    [[nodiscard]] std::unique_ptr<CredentialBook> make() {
        return std::make_unique<CredentialBook>(CredentialBook::Setup{folder / "credentials.json", std::make_unique<MemoryStore>(memory),
                                                                      std::make_unique<SealedFile>(folder / "credentials.sealed", kCheap),
                                                                      [this] { return now; }});
    }
    static Credential wanted(const std::string& name = "models", const std::string& host = "here.example") {
        Credential out;
        out.name = name;
        out.hosts = {host};
        return out;
    }
    Credential add(const Credential& wanted, std::string_view value = kValue) const {
        auto made = book->add(wanted, secretOf(value));
        if (!made) {
            qFatal("%s", made.error().text().c_str());
        }
        return *made;
    }
};

} // namespace carrel::egress::test
