// SPDX-License-Identifier: Apache-2.0
// The two ends of a conversation in one program, and one who notes what comes.
#pragma once

#include "guest/acp/peer.h"

#include <condition_variable>
#include <fcntl.h>
#include <mutex>
#include <optional>
#include <vector>

namespace carrel::acp::test {

struct Pipe {
    UniqueFd read;
    UniqueFd write;
    Pipe() {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) == 0) {
            read.reset(ends[0]);
            write.reset(ends[1]);
        }
    }
};

// Everything that comes, with a way to wait for it.
class Notes : public Handler {
public:
    std::function<void(Request)> onRequest;

    void request(Request request) override {
        if (onRequest) {
            onRequest(std::move(request));
            return;
        }
        note([&] { requests.push_back(std::move(request)); });
    }
    void notification(Notification notification) override {
        note([&] { notifications.push_back(std::move(notification)); });
    }
    void unreadable(std::string_view line, const Error& why) override {
        note([&] { strange.emplace_back(std::string(line) + " — " + why.message); });
    }
    void ended(const Error& why) override {
        note([&] { end = why; });
    }
    template <class F> void wait(F&& until) {
        std::unique_lock lock(mutex);
        changed.wait(lock, std::forward<F>(until));
    }
    void waitForEnd() {
        wait([this] { return end.has_value(); });
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Request> requests;
    std::vector<Notification> notifications;
    std::vector<std::string> strange;
    std::optional<Error> end;

private:
    template <class F> void note(F&& what) {
        const std::scoped_lock lock(mutex);
        what();
        changed.notify_all();
    }
};

} // namespace carrel::acp::test
