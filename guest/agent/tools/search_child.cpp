// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/tools/search_child.h"

#include "guest/agent/tools/file_search.h"
#include "guest/agent/tools/folder_entries.h"
#include "guest/agent/tools/plain_file.h"
#include "guest/agent/tools/shown_text.h"
#include "guest/agent/tools/stop_bell.h"
#include "guest/agent/tools/tool_answer.h"
#include "guest/protocol/strict_json.h"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace carrel::agent {

namespace json = boost::json;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMostContext = 10;
constexpr std::size_t kMostRequest = 1024 * 1024;
constexpr std::size_t kWorstEscape = 6; // bytes of JSON for one of text
constexpr std::size_t kBesideText = 64 * 1024;
constexpr int kFirstOther = 3;
constexpr const char* kSimpler = "make the pattern simpler, above all counts such as {60} after what may begin anywhere, or look in fewer files";

// ---- in the child

// A folder, or else a file; what is neither is said to be none.
Status search(FileSearch& in, const std::string& place, const std::string& shown) {
    if (auto root = openFolder(AT_FDCWD, place, FinalLink::Follow)) {
        return in.folder(std::move(*root));
    }
    const auto real = realPath(place); // a link that is named is followed
    if (!real) {
        return fail(real.error());
    }
    if (const auto plain = openPlainFile(AT_FDCWD, *real, FinalLink::Refuse); !plain) {
        return fail(plain.error());
    }
    return in.file(AT_FDCWD, *real, shown);
}

ToolOutcome searchHere(const json::object& input, const std::string& folder, const SearchLimits& limits) {
    JsonFields of(input, "search");
    const auto pattern = of.string("pattern", kMostPath);
    const auto path = of.optionalString("path", kMostPath).value_or(folder);
    const auto glob = of.optionalString("glob", kMostPath);
    const auto context = of.optionalNumber("context", kMostContext).value_or(0);
    if (auto read = of.finish(); !read) {
        return failedOutcome(read.error());
    }
    auto compiled = LinePattern::from(pattern);
    if (!compiled) {
        return failedOutcome(compiled.error());
    }
    std::optional<NameGlob> names;
    if (glob) {
        auto read = NameGlob::from(*glob);
        if (!read) {
            return failedOutcome(read.error());
        }
        names = std::move(*read);
    }
    const auto failed = [&path](const Error& error) { return failedOutcome(error.wrap(shownName(path) + " was not searched", error.hint)); };
    const auto place = placeOf(path, folder);
    if (!place) {
        return failed(place.error());
    }
    FileSearch in({std::move(*compiled), std::move(names), context}, limits);
    if (auto done = search(in, *place, shownName(path)); !done) {
        return failed(done.error());
    }
    return {in.text(), ToolEnd::Done};
}

json::object toJson(const SearchLimits& limits) {
    return {{"hits", limits.hits},           {"text", limits.textBytes},     {"shown", limits.shownOfLine},
            {"held", limits.heldOfLine},     {"files", limits.fileBytes},    {"folder", limits.ofOneFolder},
            {"time", limits.time.count()},   {"grace", limits.grace.count()}, {"memory", limits.memoryBytes}};
}

SearchLimits limitsFrom(JsonFields& of) {
    SearchLimits out;
    out.hits = of.number("hits");
    out.textBytes = of.number("text");
    out.shownOfLine = of.number("shown");
    out.heldOfLine = of.number("held");
    out.fileBytes = of.number("files");
    out.ofOneFolder = of.number("folder");
    out.time = std::chrono::milliseconds(of.number("time", INT64_MAX));
    out.grace = std::chrono::milliseconds(of.number("grace", INT64_MAX));
    out.memoryBytes = of.number("memory");
    return out;
}

void limit(__rlimit_resource resource, rlim_t most) {
    const rlimit value{most, most};
    ::setrlimit(resource, &value);
}

// Nothing of the agent's is the child's: it may use less, and goes when the thread that waits for it does.
void boundMyself(const SearchLimits& limits) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(limits.time + limits.grace).count()) + 1);
    if (limits.memoryBytes != 0) {
        limit(RLIMIT_AS, limits.memoryBytes);
    }
}

Status writeWhole(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            return failErrno("writing");
        }
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return {};
}

// ---- in the agent

// What the child is asked, as a file without a name: of any length, and the child waits for nobody.
Result<UniqueFd> requestFile(const json::object& input, const std::string& folder, const SearchLimits& limits) {
    const auto text = json::serialize(json::object{{"input", input}, {"folder", folder}, {"limits", toJson(limits)}});
    if (text.size() > kMostRequest) {
        return fail(ErrorCode::LimitExceeded, "the search asks for more than it can", "name one pattern and one place");
    }
    UniqueFd file(::memfd_create("search", MFD_CLOEXEC));
    if (!file) {
        return failErrno("asking for a search");
    }
    CARREL_TRY(writeWhole(file.get(), text));
    if (::lseek(file.get(), 0, SEEK_SET) != 0) {
        return failErrno("asking for a search");
    }
    return file;
}

// Killed and reaped when this goes.
class Child {
public:
    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (m_pid > 0) {
            ::kill(m_pid, SIGKILL);
            (void)wait();
        }
    }
    [[nodiscard]] Status start(const std::vector<std::string>& program, int in, int out) {
        posix_spawn_file_actions_t actions{};
        posix_spawnattr_t attributes{};
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
        sigset_t all;
        sigset_t none;
        sigfillset(&all);
        sigemptyset(&none);
        ::posix_spawnattr_setsigdefault(&attributes, &all);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        int error = ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        error = error != 0 ? error : ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        error = error != 0 ? error : ::posix_spawn_file_actions_addclosefrom_np(&actions, kFirstOther);
        if (error == 0) {
            auto words = program;
            std::vector<char*> arguments;
            for (auto& word : words) {
                arguments.push_back(word.data());
            }
            arguments.push_back(nullptr);
            error = ::posix_spawn(&m_pid, arguments[0], &actions, &attributes, arguments.data(), environ);
        }
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
        if (error != 0) {
            m_pid = 0;
            return failErrno("starting a search", error);
        }
        return {};
    }
    // Once: as waitpid(2) tells it.
    [[nodiscard]] int wait() {
        int status = 0;
        while (::waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
        }
        m_pid = 0;
        return status;
    }

private:
    pid_t m_pid = 0;
};

// All that comes, until it ends.
Result<std::string> readUntil(int fd, Clock::time_point until, std::size_t most, const std::stop_token& stop) {
    const StopBell bell(stop);
    if (bell.fd() < 0) {
        return failErrno("making ready to stop");
    }
    std::string out;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) {
            return fail(ErrorCode::Expired, "it was not over in its time, since it takes too long for one line", kSimpler);
        }
        pollfd ends[] = {{fd, POLLIN, 0}, {bell.fd(), POLLIN, 0}};
        (void)::poll(ends, 2, static_cast<int>(std::min<std::int64_t>(left, INT32_MAX)));
        if (ends[1].revents != 0) {
            return fail(ErrorCode::Cancelled, "it was stopped");
        }
        if (ends[0].revents == 0) {
            continue;
        }
        char space[kBesideText];
        const auto got = ::read(fd, space, sizeof space);
        if (got == 0) {
            return out;
        }
        if (got < 0 && errno != EINTR) {
            return failErrno("reading what was found");
        }
        out.append(space, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (out.size() > most) {
            return fail(ErrorCode::LimitExceeded, "it found more than it may tell");
        }
    }
}

Result<ToolOutcome> outcomeFrom(std::string_view text, const SearchLimits& limits) {
    const auto object = parseJsonObject(text, {.bytes = text.size(), .depth = 2});
    if (!object) {
        return fail(object.error());
    }
    JsonFields of(*object, "search");
    ToolOutcome out{of.string("text", limits.textBytes + kBesideText), ToolEnd::Done};
    if (of.boolean("failed")) {
        out.end = ToolEnd::Failed;
    }
    CARREL_TRY(of.finish());
    return out;
}

Result<ToolOutcome> outcomeOf(const json::object& input, const std::string& folder, const SearchLimits& limits,
                              const std::vector<std::string>& program, const std::stop_token& stop) {
    if (stop.stop_requested()) {
        return fail(ErrorCode::Cancelled, "it was stopped");
    }
    const auto request = requestFile(input, folder, limits);
    if (!request) {
        return fail(request.error());
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return failErrno("making a pipe");
    }
    const UniqueFd readEnd(ends[0]);
    UniqueFd writeEnd(ends[1]);
    Child child;
    CARREL_TRY(child.start(program, request->get(), writeEnd.get()));
    writeEnd.reset();
    const auto told = readUntil(readEnd.get(), Clock::now() + limits.time + limits.grace, limits.textBytes * kWorstEscape + kBesideText, stop);
    if (!told) {
        return fail(told.error());
    }
    const int status = child.wait();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(ErrorCode::LimitExceeded, "it used more time or memory than a search may", kSimpler);
    }
    return outcomeFrom(*told, limits);
}

} // namespace

ToolOutcome searchInChild(const json::object& input, const std::string& folder, const SearchLimits& limits,
                          const std::vector<std::string>& program, const std::stop_token& stop) {
    auto outcome = outcomeOf(input, folder, limits, program, stop);
    if (outcome) {
        return std::move(*outcome);
    }
    const auto* named = input.if_contains("path");
    const auto path = named != nullptr && named->is_string() ? std::string(named->get_string().c_str(), named->get_string().size()) : folder;
    return failedOutcome(outcome.error().wrap(shownName(path) + " was not searched", outcome.error().hint));
}

int runSearchChild() {
    const auto text = readWhole(STDIN_FILENO, kMostRequest);
    const auto object = text ? parseJsonObject(*text, {.bytes = kMostRequest, .depth = 32}) : fail(text.error());
    if (!object) {
        return 2;
    }
    JsonFields of(*object, "search");
    const auto& input = of.object("input");
    const auto folder = of.string("folder", kMostPath);
    JsonFields bounds(of.object("limits"), "limits");
    const auto limits = limitsFrom(bounds);
    if (!of.finish() || !bounds.finish()) {
        return 2;
    }
    boundMyself(limits);
    try {
        const auto outcome = searchHere(input, folder, limits);
        const json::object told{{"text", outcome.text}, {"failed", outcome.end == ToolEnd::Failed}};
        return writeWhole(STDOUT_FILENO, json::serialize(told)) ? 0 : 1;
    } catch (const std::bad_alloc&) { // RLIMIT_AS
        return 3;
    }
}

} // namespace carrel::agent
