// SPDX-License-Identifier: Apache-2.0
#include "app/images/recipe.h"

#include "app/images/file_tools.h"
#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace carrel::images {

namespace {

constexpr std::size_t kLastLines = 60;
constexpr std::size_t kMaxLine = 4096;
constexpr std::uint64_t kMaxRecipeFile = 1024 * 1024;

// Cuts a stream into lines; an endless line is cut too.
class LineCutter {
public:
    template <class Use> void add(std::string_view text, Use use) {
        for (const char c : text) {
            if (c == '\n' || m_line.size() == kMaxLine) {
                use(m_line);
                m_line.clear();
            }
            if (c != '\n') {
                m_line += c;
            }
        }
    }
    template <class Use> void finish(Use use) {
        if (!m_line.empty()) {
            use(m_line);
            m_line.clear();
        }
    }

private:
    std::string m_line;
};

struct Child {
    pid_t pid = -1;
    UniqueFd out;
    UniqueFd err;
};

std::vector<std::string> argumentsOf(const RecipeOptions& options, const std::filesystem::path& output) {
    std::vector<std::string> arguments{(options.recipe / "build-image.sh").string(), "--output",
                                       output.string()};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) {
            arguments.insert(arguments.end(), {name, value});
        }
    };
    add("--packages", options.packages.string());
    add("--mirror", options.mirror);
    add("--scratch", options.scratch.string());
    return arguments;
}

Result<Child> startChild(const std::vector<std::string>& arguments) {
    std::array<int, 2> out{-1, -1};
    std::array<int, 2> err{-1, -1};
    if (::pipe2(out.data(), O_CLOEXEC) != 0) {
        return failErrno("making a pipe");
    }
    Child child{-1, UniqueFd(out[0]), {}};
    const UniqueFd outEnd(out[1]);
    if (::pipe2(err.data(), O_CLOEXEC) != 0) {
        return failErrno("making a pipe");
    }
    child.err.reset(err[0]);
    const UniqueFd errEnd(err[1]);
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    std::vector<char*> argv;
    for (const auto& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    child.pid = ::fork();
    if (child.pid == 0) {
        // Only async-signal-safe calls from here: other threads' locks are frozen in this copy.
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::dup2(null.get(), STDIN_FILENO);
        ::dup2(outEnd.get(), STDOUT_FILENO);
        ::dup2(errEnd.get(), STDERR_FILENO);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    if (child.pid < 0) {
        return failErrno("starting the image recipe");
    }
    ::setpgid(child.pid, child.pid); // whichever of the two comes first
    return child;
}

// Reads what is there; false at the end of the stream.
template <class Use> bool drain(const UniqueFd& fd, LineCutter& lines, Use use) {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got > 0) {
        lines.add({buffer.data(), static_cast<std::size_t>(got)}, use);
        return true;
    }
    return got < 0 && errno == EINTR;
}

struct KnownFailure {
    std::string_view kind;
    ErrorCode code;
    std::string_view hint;
};
constexpr std::array kKnownFailures{
    KnownFailure{"missing-tool", ErrorCode::Unsupported,
                 "Install it: on Debian, \"apt-get install mmdebstrap e2fsprogs uidmap kmod cpio xz-utils "
                 "zstd lz4\"."},
    KnownFailure{
        "user-namespace", ErrorCode::Unsupported,
        "Image building needs an ordinary account with a range of subordinate ids, and user namespaces."},
    KnownFailure{"network", ErrorCode::Unavailable,
                 "Check the connection (and http_proxy, if you need one), or build from saved packages."},
    KnownFailure{"disk-full", ErrorCode::Io, "Free about 3 GB in /var/tmp and in Carrel's data folder."},
    KnownFailure{"packages", ErrorCode::Malformed, "Delete the folder of saved packages and build again."},
};

} // namespace

std::optional<BuildProgress> parseProgress(std::string_view line) {
    constexpr std::string_view kStep = "step ";
    if (!line.starts_with(kStep)) {
        return std::nullopt;
    }
    line.remove_prefix(kStep.size());
    BuildProgress progress;
    const char* end = line.data() + line.size();
    auto read = std::from_chars(line.data(), end, progress.step);
    if (read.ec != std::errc{} || read.ptr == end || *read.ptr != '/') {
        return std::nullopt;
    }
    read = std::from_chars(read.ptr + 1, end, progress.steps);
    if (read.ec != std::errc{} || read.ptr == end || *read.ptr != ' ' || progress.step < 1 ||
        progress.step > progress.steps) {
        return std::nullopt;
    }
    progress.text.assign(read.ptr + 1, end);
    return progress;
}

Error explainFailure(const std::vector<std::string>& lastLines, int waitStatus) {
    Error error{ErrorCode::Io, "the image could not be built", {}, 0, nullptr};
    constexpr std::string_view kFailed = "failed ";
    const auto last = std::find_if(lastLines.rbegin(), lastLines.rend(),
                                   [&](const std::string& line) { return line.starts_with(kFailed); });
    if (last == lastLines.rend()) {
        error.message += WIFSIGNALED(waitStatus)
                             ? ": the recipe was ended by signal " + std::to_string(WTERMSIG(waitStatus))
                         : lastLines.empty()
                             ? ": the recipe ended with status " + std::to_string(WEXITSTATUS(waitStatus))
                             : ": " + lastLines.back();
        return error;
    }
    const std::string_view words = std::string_view(*last).substr(kFailed.size());
    const auto colon = words.find(": ");
    const auto kind = words.substr(0, colon);
    error.message += ": " + std::string(colon == std::string_view::npos ? words : words.substr(colon + 2));
    for (const auto& known : kKnownFailures) {
        if (known.kind == kind) {
            error.code = known.code;
            error.hint = known.hint;
        }
    }
    return error;
}

Result<files::Sha256> recipeHash(const std::filesystem::path& recipe) {
    std::map<std::string, files::Sha256> hashes;
    std::error_code ec;
    for (std::filesystem::directory_iterator it(recipe, ec), end; !ec && it != end; it.increment(ec)) {
        const auto extension = it->path().extension();
        // The reproducibility check is not part of what makes the image.
        if ((extension == ".sh" || extension == ".list") &&
            it->path().filename() != "check-reproducible.sh") {
            auto content = readFile(it->path(), kMaxRecipeFile);
            if (!content) {
                return fail(content.error().wrap("the image recipe cannot be read"));
            }
            hashes.emplace(it->path().filename().string(), files::Sha256::of(ByteSpan(*content)));
        }
    }
    if (ec || hashes.find("build-image.sh") == hashes.end()) {
        return fail(ErrorCode::NotFound, "there is no image recipe in " + recipe.string(),
                    "Install Carrel again.");
    }
    std::string all;
    for (const auto& [name, hash] : hashes) {
        all += name + ' ' + hash.hex() + '\n';
    }
    return files::Sha256::of(all);
}

Status runRecipe(const RecipeOptions& options, const std::filesystem::path& output,
                 const ProgressCallback& progress, std::stop_token stop) {
    auto child = startChild(argumentsOf(options, output));
    if (!child) {
        return fail(std::move(child).error());
    }
    const std::stop_callback onStop(stop, [pid = child->pid] { ::kill(-pid, SIGTERM); });
    std::vector<std::string> lastLines;
    const auto takeOut = [&](const std::string& line) {
        if (const auto step = parseProgress(line); step && progress) {
            progress(*step);
        }
    };
    const auto takeErr = [&](const std::string& line) {
        if (lastLines.size() == kLastLines) {
            lastLines.erase(lastLines.begin());
        }
        lastLines.push_back(line);
    };
    LineCutter outLines;
    LineCutter errLines;
    std::array<pollfd, 2> waits{pollfd{child->out.get(), POLLIN, 0}, pollfd{child->err.get(), POLLIN, 0}};
    while (waits[0].fd >= 0 || waits[1].fd >= 0) {
        if (::poll(waits.data(), waits.size(), -1) < 0) {
            continue; // EINTR
        }
        if (waits[0].revents != 0 && !drain(child->out, outLines, takeOut)) {
            waits[0].fd = -1;
        }
        if (waits[1].revents != 0 && !drain(child->err, errLines, takeErr)) {
            waits[1].fd = -1;
        }
    }
    errLines.finish(takeErr);
    int status = 0;
    while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (stop.stop_requested()) {
        return fail(ErrorCode::Cancelled, "the building of the image was cancelled");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(explainFailure(lastLines, status));
    }
    return {};
}

} // namespace carrel::images
