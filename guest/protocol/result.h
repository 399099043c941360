// SPDX-License-Identifier: Apache-2.0
// What a function returns when it can fail. An error is a closed code (for programs), a message and a
// hint in plain words (for a person: what happened, why, what to do), and the cause beneath it.
// Exceptions never cross a library boundary; a library that throws is wrapped where it is called.
// Thread: values, no shared state.
#pragma once

#include <tl/expected.hpp>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

namespace carrel {

enum class ErrorCode {
    InvalidArgument, // the caller asked for something that makes no sense
    NotFound,        // the named thing does not exist
    AlreadyExists,   // the name is taken
    Refused,         // policy, an invariant or the object's state says no
    Conflict,        // the thing changed since it was looked at
    Unavailable,     // a peer or a service is not there now; trying again may help
    Unsupported,     // this system cannot do it
    LimitExceeded,   // a named bound was passed
    Malformed,       // bytes that do not parse
    Cancelled,       // somebody asked for it to stop
    Expired,         // nobody answered in time (never the same as Refused)
    Io,              // the operating system failed; see sysErrno
    Internal,        // a defect of Carrel's
};

[[nodiscard]] std::string_view toString(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::Internal;
    std::string message;                // one sentence, no trailing full stop, no guest text unescaped
    std::string hint;                   // what the user can do; may be empty
    int sysErrno = 0;                   // errno where the system refused, else 0
    std::shared_ptr<const Error> cause; // what lay beneath; may be null

    // "message: cause's message …", one line.
    [[nodiscard]] std::string text() const;
    // A copy of this error as the cause of a new one.
    [[nodiscard]] Error wrap(std::string outer, std::string outerHint = {}) const;
};

template <class T> using Result = tl::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {}) {
    return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint), 0, nullptr});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}
// "<doing>: <strerror(number)>". Call it before anything else can change errno, or pass the number.
[[nodiscard]] Error errnoError(std::string doing, int number = errno);
[[nodiscard]] inline tl::unexpected<Error> failErrno(std::string doing, int number = errno) {
    return tl::unexpected<Error>(errnoError(std::move(doing), number));
}

} // namespace carrel

// Returns the error of a Result or Status from the enclosing function.
#define CARREL_TRY(expression)                                                                                \
    do {                                                                                                      \
        if (auto carrelTry_ = (expression); !carrelTry_) {                                                    \
            return ::carrel::fail(std::move(carrelTry_).error());                                             \
        }                                                                                                     \
    } while (false)
