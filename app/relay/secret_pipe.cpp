// SPDX-License-Identifier: Apache-2.0
#include "app/relay/secret_pipe.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::relay {

Result<UniqueFd> pipeOf(std::span<const std::string_view> secrets) {
    SecretText all;
    std::size_t size = 0;
    for (const auto secret : secrets) {
        if (secret.find('\0') != std::string_view::npos) {
            return fail(ErrorCode::Malformed, "a secret has a NUL in it");
        }
        size += secret.size() + 1;
    }
    if (size > kMaxPipedSecrets) {
        return fail(ErrorCode::LimitExceeded, "a secret is too long");
    }
    all.reserve(size); // so that no copy is left behind
    for (const auto secret : secrets) {
        all.insert(all.end(), secret.begin(), secret.end());
        all.push_back('\0');
    }
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return failErrno("making a pipe");
    }
    UniqueFd reading(ends[0]);
    const UniqueFd writing(ends[1]);
    const auto put = ::write(writing.get(), all.data(), all.size());
    if (put < 0 || static_cast<std::size_t>(put) != all.size()) {
        return failErrno("writing into a pipe");
    }
    return reading;
}

Result<std::vector<SecretText>> secretsFrom(const UniqueFd& pipe, std::size_t count) {
    const auto malformed = [] { return fail(ErrorCode::Malformed, "secrets were handed over in a wrong way"); };
    struct stat info {};
    if (::fstat(pipe.get(), &info) != 0 || !S_ISFIFO(info.st_mode)) {
        return malformed();
    }
    SecretText all(kMaxPipedSecrets + 1);
    std::size_t size = 0;
    for (;;) {
        const auto got = ::read(pipe.get(), all.data() + size, all.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return malformed();
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
        if (size > kMaxPipedSecrets) {
            return malformed();
        }
    }
    std::vector<SecretText> out;
    std::string_view rest(all.data(), size);
    while (!rest.empty() && out.size() < count) {
        const auto end = rest.find('\0');
        if (end == std::string_view::npos) {
            return malformed();
        }
        out.push_back(secretText(rest.substr(0, end)));
        rest.remove_prefix(end + 1);
    }
    if (!rest.empty() || out.size() != count) {
        return malformed();
    }
    return out;
}

} // namespace carrel::relay
