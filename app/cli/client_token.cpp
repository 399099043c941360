// SPDX-License-Identifier: Apache-2.0
#include "app/cli/client_token.h"

#include "app/api/auth.h"
#include "app/api/home.h"
#include "guest/protocol/unique_fd.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::cli {

namespace {

Result<std::string> readToken(const std::string& file) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a pipe does not hold us up
    if (!fd) {
        return failErrno("cannot open the token's file " + file);
    }
    struct stat what {};
    if (::fstat(fd.get(), &what) != 0 || !S_ISREG(what.st_mode) || what.st_uid != ::geteuid() ||
        (what.st_mode & 077) != 0) {
        return fail(ErrorCode::Refused, "the token's file is not yours alone",
                    "Take others' access away with: chmod 600 '" + file + "'");
    }
    std::string text(api::kMaxAuthLine, '\0');
    const ssize_t got = ::read(fd.get(), text.data(), text.size());
    if (got < 0) {
        return failErrno("cannot read the token's file " + file);
    }
    text.resize(static_cast<std::size_t>(got));
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\r')) {
        text.pop_back();
    }
    return text;
}

} // namespace

Result<std::optional<ClientToken>> clientToken(const std::string& tokenFile) {
    const char* variable = std::getenv("CARREL_TOKEN");       // NOLINT(concurrency-mt-unsafe)
    const char* socket = std::getenv("CARREL_CLIENT_SOCKET"); // NOLINT(concurrency-mt-unsafe)
    if (tokenFile.empty() && variable == nullptr && socket == nullptr) {
        return std::optional<ClientToken>();
    }
    ClientToken out;
    if (socket != nullptr) {
        out.socket = socket;
        if (!out.socket.is_absolute()) {
            return fail(ErrorCode::InvalidArgument, "CARREL_CLIENT_SOCKET is not an absolute path",
                        "Write it from the root on, beginning with a slash.");
        }
    }
    if (!tokenFile.empty()) {
        auto read = readToken(tokenFile);
        if (!read) {
            return fail(std::move(read).error());
        }
        out.token = std::move(*read);
    } else if (variable != nullptr) {
        out.token = variable;
    }
    if (!api::isTokenForm(out.token)) {
        return fail(ErrorCode::InvalidArgument,
                    !tokenFile.empty()    ? "the token's file does not hold a client's token"
                    : variable == nullptr ? "CARREL_CLIENT_SOCKET is set, but no token with it"
                                          : "CARREL_TOKEN does not hold a client's token",
                    "A token is what 'carrel token create' shows. To go on as the owner, take the variables CARREL_TOKEN "
                    "and CARREL_CLIENT_SOCKET away.");
    }
    return std::optional(std::move(out));
}

Result<api::Client> connectAsClient(const ClientToken& token) {
    auto socket = token.socket;
    if (socket.empty()) {
        auto home = api::openHome();
        if (!home) {
            return fail(std::move(home).error());
        }
        auto found = api::clientSocketPath(*home);
        if (!found) {
            return fail(std::move(found).error());
        }
        socket = std::move(*found);
    }
    auto client = api::Client::connect(socket);
    if (!client) {
        return fail(client.error().code == ErrorCode::Unavailable
                        ? Error{ErrorCode::Unavailable, client.error().message,
                                "A client does not start it: the owner does, with any carrel command.", 0,
                                client.error().cause}
                        : client.error());
    }
    if (auto admitted = client->call(api::kAuthVerb, {{"token", token.token}}); !admitted) {
        return fail(std::move(admitted).error());
    }
    return client;
}

} // namespace carrel::cli
