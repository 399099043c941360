// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/text_file.h"

#include "guest/protocol/unique_fd.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace carrel::runner {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

Error pathError(const std::string& doing, const std::string& path, int number) {
    Error error = errnoError(doing + " " + path, number);
    error.code = number == ENOENT || number == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Io;
    return error;
}

// Not to wait for the other end of a pipe or a device that has been put there.
Result<UniqueFd> openRegular(const std::string& doing, const std::string& path, int flags) {
    UniqueFd file(::open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666));
    struct stat is {};
    if (!file || ::fstat(file.get(), &is) != 0) {
        return fail(pathError(doing, path, errno));
    }
    if (!S_ISREG(is.st_mode)) {
        return fail(ErrorCode::Refused, path + " is no regular file");
    }
    return file;
}

// The number of bytes, 0 at the end.
Result<std::size_t> readPiece(int fd, std::array<char, kPiece>& into, const std::string& path) {
    for (;;) {
        const ssize_t got = ::read(fd, into.data(), into.size());
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            return fail(pathError("reading", path, errno));
        }
    }
}

Status writeAll(int fd, std::string_view left, const std::string& path) {
    while (!left.empty()) {
        const ssize_t done = ::write(fd, left.data(), left.size());
        if (done < 0 && errno != EINTR) {
            return fail(pathError("writing", path, errno));
        }
        left.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
    }
    return {};
}

void makeFoldersTo(const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        ::mkdir(path.substr(0, slash).c_str(), 0777); // what fails here is told by open(2)
    }
}

// Takes the lines that are wanted out of pieces that end anywhere.
class LineCutter {
public:
    LineCutter(Lines lines, std::size_t most)
        : m_skip(lines.first > 0 ? lines.first - 1 : 0)
        , m_left(lines.count == 0 ? UINT64_MAX : lines.count)
        , m_most(most) {}

    [[nodiscard]] bool isDone() const { return m_left == 0; }
    [[nodiscard]] bool isTooMuch() const { return m_taken.size() > m_most; }
    void feed(std::string_view piece) {
        while (!piece.empty() && m_left > 0 && !isTooMuch()) {
            const auto end = piece.find('\n');
            const auto line = piece.substr(0, end == std::string_view::npos ? piece.size() : end + 1);
            piece.remove_prefix(line.size());
            if (m_skip == 0) {
                m_taken += line;
            }
            if (end != std::string_view::npos) {
                (m_skip > 0 ? m_skip : m_left) -= 1;
            }
        }
    }
    [[nodiscard]] std::string take() { return std::move(m_taken); }

private:
    std::uint64_t m_skip;
    std::uint64_t m_left;
    std::size_t m_most;
    std::string m_taken;
};

std::optional<std::uint64_t> numberIn(const std::string& word) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    return error == std::errc() && end == word.data() + word.size() ? std::optional(out) : std::nullopt;
}

int failed(const Error& error) {
    static_cast<void>(writeAll(STDERR_FILENO, error.hint.empty() ? error.text() : error.text() + ". " + error.hint, "standard error"));
    return error.code == ErrorCode::NotFound ? kTextFileNotFound : kTextFileFailed;
}

Result<std::string> wholeInput() {
    std::string out;
    std::array<char, kPiece> piece{};
    for (;;) {
        const auto got = readPiece(STDIN_FILENO, piece, "standard input");
        if (!got) {
            return fail(got.error());
        }
        if (*got == 0) {
            return out;
        }
        out.append(piece.data(), *got);
    }
}

} // namespace

Result<std::string> readTextFile(const std::string& path, Lines lines, std::size_t most) {
    const auto file = openRegular("opening", path, O_RDONLY);
    if (!file) {
        return fail(file.error());
    }
    LineCutter cutter(lines, most);
    std::array<char, kPiece> piece{};
    while (!cutter.isDone()) {
        const auto got = readPiece(file->get(), piece, path);
        if (!got) {
            return fail(got.error());
        }
        if (*got == 0) {
            break;
        }
        cutter.feed({piece.data(), *got});
        if (cutter.isTooMuch()) {
            return fail(ErrorCode::LimitExceeded, path + " has more than " + std::to_string(most) + " bytes there",
                        "Ask for fewer lines, or read it by a command");
        }
    }
    return cutter.take();
}

Status writeTextFile(const std::string& path, const std::string& content) {
    makeFoldersTo(path);
    const auto file = openRegular("opening", path, O_WRONLY | O_CREAT);
    if (!file) {
        return fail(file.error());
    }
    if (::ftruncate(file->get(), 0) != 0) {
        return fail(pathError("writing", path, errno));
    }
    return writeAll(file->get(), content, path);
}

int runTextFile(const std::vector<std::string>& words) {
    if (words.size() == 5 && words[0] == "read") {
        const auto first = numberIn(words[2]);
        const auto count = numberIn(words[3]);
        const auto most = numberIn(words[4]);
        if (first && count && most) {
            const auto text = readTextFile(words[1], {*first, *count}, *most);
            const auto told = text ? writeAll(STDOUT_FILENO, *text, "standard output") : Status(fail(text.error()));
            return told ? kTextFileDone : failed(told.error());
        }
    } else if (words.size() == 3 && words[0] == "write") {
        const auto size = numberIn(words[2]);
        const auto content = wholeInput();
        if (!size || !content || content->size() != *size) {
            return content ? kTextFileWrongWords : failed(content.error()); // whoever said it went away in the middle
        }
        const auto written = writeTextFile(words[1], *content);
        return written ? kTextFileDone : failed(written.error());
    }
    return kTextFileWrongWords;
}

} // namespace carrel::runner
