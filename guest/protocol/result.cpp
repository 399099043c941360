// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/result.h"

#include <system_error>

namespace carrel {

std::string_view toString(ErrorCode code) {
    switch (code) {
    case ErrorCode::InvalidArgument:
        return "invalid-argument";
    case ErrorCode::NotFound:
        return "not-found";
    case ErrorCode::AlreadyExists:
        return "already-exists";
    case ErrorCode::Refused:
        return "refused";
    case ErrorCode::Conflict:
        return "conflict";
    case ErrorCode::Unavailable:
        return "unavailable";
    case ErrorCode::Unsupported:
        return "unsupported";
    case ErrorCode::LimitExceeded:
        return "limit-exceeded";
    case ErrorCode::Malformed:
        return "malformed";
    case ErrorCode::Cancelled:
        return "cancelled";
    case ErrorCode::Expired:
        return "expired";
    case ErrorCode::Io:
        return "io";
    case ErrorCode::Internal:
        return "internal";
    }
    return "internal";
}

std::string Error::text() const {
    std::string out = message;
    for (const Error* inner = cause.get(); inner != nullptr; inner = inner->cause.get()) {
        out += ": ";
        out += inner->message;
    }
    return out;
}

Error Error::wrap(std::string outer, std::string outerHint) const {
    Error error{code, std::move(outer), std::move(outerHint), sysErrno, std::make_shared<Error>(*this)};
    if (error.hint.empty()) {
        error.hint = hint;
    }
    return error;
}

Error errnoError(std::string doing, int number) {
    ErrorCode code = ErrorCode::Io;
    if (number == ENOENT) {
        code = ErrorCode::NotFound;
    } else if (number == EEXIST) {
        code = ErrorCode::AlreadyExists;
    }
    return Error{code, std::move(doing) + ": " + std::generic_category().message(number), {}, number, nullptr};
}

} // namespace carrel
