// SPDX-License-Identifier: Apache-2.0
#include "app/activity/log_copy.h"

#include "app/activity/database.h"
#include "app/activity/schema.h"
#include "guest/protocol/unique_fd.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace carrel::activity {

Status copyLog(const std::filesystem::path& from, const std::filesystem::path& to) {
    auto source = Database::openToRead(from);
    if (!source) {
        return fail(std::move(source).error());
    }
    if (auto version = checkSchema(*source); !version) {
        return fail(std::move(version).error());
    }
    UniqueFd made(::open(to.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made) {
        if (errno == EEXIST) {
            return fail(ErrorCode::Conflict, "there is already something at " + to.string(), "Give another name, or take it away.");
        }
        return failErrno("cannot make " + to.string());
    }
    Status done = source->copyTo(to);
    if (done && ::fsync(made.get()) != 0) {
        done = failErrno("cannot write " + to.string());
    }
    if (!done) {
        (void)::unlink(to.c_str());
        return fail(done.error().wrap("the log could not be copied"));
    }
    return {};
}

} // namespace carrel::activity
