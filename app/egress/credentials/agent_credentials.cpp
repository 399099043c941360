// SPDX-License-Identifier: Apache-2.0
#include "app/egress/credentials/agent_credentials.h"

#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::egress {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFile = 1024 * 1024;
constexpr std::size_t kMaxPem = 16 * 1024;

bool isThere(const std::filesystem::path& file) {
    std::error_code ec;
    return std::filesystem::exists(std::filesystem::symlink_status(file, ec));
}

// Straight into memory that is wiped; of a file that nobody else could have read or put there.
Result<relay::SecretText> readKey(const std::filesystem::path& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat what {};
    if (!fd || ::fstat(fd.get(), &what) != 0) {
        return failErrno("reading " + file.string());
    }
    if (!S_ISREG(what.st_mode) || what.st_uid != ::geteuid() || (what.st_mode & 077U) != 0) {
        return fail(ErrorCode::Refused, file.string() + " may be read or changed by others",
                    "Take it away: Carrel makes another one when the agent is started again");
    }
    relay::SecretText out(kMaxPem);
    const auto got = ::read(fd.get(), out.data(), out.size());
    if (got <= 0 || static_cast<std::size_t>(got) == out.size()) {
        return fail(ErrorCode::Malformed, file.string() + " is damaged", "Take it away: Carrel makes another one when the agent is started again");
    }
    out.resize(static_cast<std::size_t>(got));
    return out;
}

} // namespace

AgentCredentials::AgentCredentials(CredentialBook& book, std::string agent, std::string agentName, std::filesystem::path folder)
    : m_book(book)
    , m_agent(std::move(agent))
    , m_agentName(std::move(agentName))
    , m_folder(std::move(folder)) {}

Result<std::map<std::string, AgentCredentials::Kept>> AgentCredentials::read() const {
    std::map<std::string, Kept> out;
    const auto file = m_folder / "placeholders.json";
    if (!isThere(file)) {
        return out;
    }
    const auto text = files::readWhole(file, kMaxFile);
    if (!text) {
        return fail(text.error());
    }
    const auto object = parseJsonObject(*text, {kMaxFile, 5});
    if (!object) {
        return fail(object.error().wrap(file.string() + " cannot be read", "Take it away: the machine gets new placeholders then"));
    }
    JsonFields fields(*object, "placeholders");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported, "The placeholders were written by a later version of Carrel", "Update Carrel");
    }
    for (const auto& each : fields.array("list", kMaxCredentials)) {
        if (!each.is_object()) {
            fields.problem("list", "holds something that is no placeholder");
            break;
        }
        JsonFields one(each.get_object(), "a placeholder");
        const auto name = one.string("name", 64);
        out[name] = {one.string("text", kMaxPlaceholder), one.signedNumber("of_ms")};
        CARREL_TRY(one.finish());
    }
    CARREL_TRY(fields.finish());
    return out;
}

Status AgentCredentials::write(const std::map<std::string, Kept>& kept) const {
    json::array list;
    for (const auto& [name, each] : kept) {
        list.push_back({{"name", name}, {"text", each.text}, {"of_ms", each.ofMs}});
    }
    return files::replaceDurably(m_folder / "placeholders.json", json::serialize(json::object{{"schema", kSchema}, {"list", std::move(list)}}));
}

Result<std::vector<AgentCredentials::Placeholder>> AgentCredentials::placeholders() {
    const auto all = m_book.list();
    if (!all) {
        return fail(all.error());
    }
    const std::lock_guard lock(m_mutex);
    auto kept = read();
    if (!kept) {
        return fail(std::move(kept).error());
    }
    std::vector<Placeholder> out;
    std::map<std::string, Kept> next;
    bool changed = false;
    for (const auto& credential : *all) {
        if (!isFor(credential, m_agent)) {
            continue;
        }
        const auto at = kept->find(credential.name);
        if (at != kept->end() && at->second.ofMs == credential.createdMs && at->second.text.size() == credential.shape.length) {
            next.insert(*at);
        } else {
            auto text = newPlaceholder(credential.shape);
            if (!text) {
                return fail(std::move(text).error());
            }
            next[credential.name] = {std::move(*text), credential.createdMs};
            changed = true;
        }
        out.push_back({credential, next.at(credential.name).text});
    }
    if (changed || next.size() != kept->size()) {
        CARREL_TRY(write(next));
    }
    return out;
}

Result<std::map<std::string, std::string>> AgentCredentials::environment() {
    auto all = placeholders();
    if (!all) {
        return fail(std::move(all).error());
    }
    std::map<std::string, std::string> out;
    for (auto& each : *all) {
        if (each.of.variable) {
            out[*each.of.variable] = std::move(each.text);
        }
    }
    return out;
}

Result<relay::Authority> AgentCredentials::authority() {
    const std::lock_guard lock(m_mutex);
    if (!m_authority) {
        auto own = readOrMakeAuthority();
        if (!own) {
            return own;
        }
        m_authority = std::move(*own);
    }
    return *m_authority;
}

void AgentCredentials::newMachine() {
    const std::lock_guard lock(m_mutex);
    m_authority.reset();
}

Result<relay::Authority> AgentCredentials::readOrMakeAuthority() const {
    const auto certificateFile = m_folder / "authority.pem", keyFile = m_folder / "authority.key";
    if (isThere(certificateFile) && isThere(keyFile)) {
        auto certificate = files::readWhole(certificateFile, kMaxPem);
        auto key = readKey(keyFile);
        if (!certificate || !key) {
            return fail(!certificate ? std::move(certificate).error() : std::move(key).error());
        }
        return relay::Authority{std::move(*certificate), std::move(*key)};
    }
    auto made = relay::makeAuthority(m_agentName, std::chrono::system_clock::now());
    if (!made) {
        return made;
    }
    // The key first: a certificate without its key would be taken for one that is complete.
    CARREL_TRY(files::replaceDurably(keyFile, relay::view(made->keyPem)));
    CARREL_TRY(files::replaceDurably(certificateFile, made->certificatePem));
    return made;
}

Result<AuthorityCertificate> AgentCredentials::certificate() {
    auto own = authority();
    if (!own) {
        return fail(std::move(own).error());
    }
    AuthorityCertificate out{std::move(own->certificatePem), {}};
    if (isCertificatePem(out.pem)) {
        out.nameHash = relay::nameHashOf(out.pem).value_or("");
    }
    if (!isGood(out)) { // somebody changed the file: what else is in there goes nowhere
        return fail(ErrorCode::Malformed, (m_folder / "authority.pem").string() + " is damaged",
                    "Take it away: Carrel makes another one when the agent is started again");
    }
    return out;
}

Result<UniqueFd> openHostRoots() {
    // As every program by OpenSSL has it (X509_get_default_cert_file_env(3)): whoever starts the engine may trust others.
    if (const char* own = std::getenv("SSL_CERT_FILE"); own != nullptr && *own != '\0') {
        if (UniqueFd fd(::open(own, O_RDONLY | O_CLOEXEC)); fd) {
            return fd;
        }
        return fail(ErrorCode::NotFound, "The list of trusted certificates that SSL_CERT_FILE names cannot be read: " + std::string(own),
                    "Mend the variable, or leave it out, and start the engine again");
    }
    static constexpr std::array kPlaces{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                        "/etc/ssl/cert.pem", "/etc/ca-certificates/extracted/tls-ca-bundle.pem"};
    for (const auto* place : kPlaces) {
        if (UniqueFd fd(::open(place, O_RDONLY | O_CLOEXEC)); fd) {
            return fd;
        }
    }
    return fail(ErrorCode::NotFound, "This computer has no list of the certificates that it trusts", "Install it: the package ca-certificates");
}

} // namespace carrel::egress
