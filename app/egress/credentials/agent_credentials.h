// SPDX-License-Identifier: Apache-2.0
// What one agent has of credentials: which are bound to a host for it, what its machine gets in their place, and the certificate
// authority that its clerk stands in for hosts with. The placeholders and the authority are this agent's alone and live in its folder
// (placeholders.json, authority.pem, authority.key, 0600 each); they are made when they are first needed.
//
// The key of the authority makes certificates that this agent's machine trusts, and no other: who reads the user's files gains by it
// nothing that he does not have.
// Ownership: shared by the agent and its network; the book outlives it. Thread: any; blocks for the disk.
#pragma once

#include "app/egress/credentials/credential_book.h"
#include "guest/protocol/authority_certificate.h"
#include "guest/protocol/unique_fd.h"

#include <map>
#include <optional>

namespace carrel::egress {

class AgentCredentials {
public:
    AgentCredentials(CredentialBook& book, std::string agent, std::string agentName, std::filesystem::path folder);

    [[nodiscard]] CredentialBook& book() { return m_book; }
    [[nodiscard]] const std::string& agent() const { return m_agent; }
    [[nodiscard]] Result<std::vector<Credential>> boundTo(std::string_view host) { return m_book.boundTo(host, m_agent); }

    struct Placeholder {
        Credential of;
        std::string text;
    };
    // Of every credential that this agent may use; the same each time. What is no longer wanted is forgotten.
    [[nodiscard]] Result<std::vector<Placeholder>> placeholders();
    // By variable, for the programs that are started in its machine.
    [[nodiscard]] Result<std::map<std::string, std::string>> environment();
    // The same until newMachine(), whatever becomes of its files: the machine and its clerk must be told of one and the same.
    [[nodiscard]] Result<relay::Authority> authority();
    // Of the authority, what the agent's machine is told: never the key.
    [[nodiscard]] Result<AuthorityCertificate> certificate();
    void newMachine(); // or one that is taken over: nobody has been told anything yet

private:
    struct Kept {
        std::string text;
        std::int64_t ofMs = 0; // when its credential was added: one of the same name that came later is another
    };
    [[nodiscard]] Result<std::map<std::string, Kept>> read() const;
    [[nodiscard]] Status write(const std::map<std::string, Kept>& kept) const;
    [[nodiscard]] Result<relay::Authority> readOrMakeAuthority() const;

    CredentialBook& m_book;
    const std::string m_agent, m_agentName;
    const std::filesystem::path m_folder;
    std::mutex m_mutex; // one at a time writes its files; guards what follows
    std::optional<relay::Authority> m_authority;
};

// The roots that this computer trusts, as a file to be read: what SSL_CERT_FILE names, else where Debian, Fedora, openSUSE, Alpine or
// Arch keep them. NotFound: nowhere.
[[nodiscard]] Result<UniqueFd> openHostRoots();

} // namespace carrel::egress
