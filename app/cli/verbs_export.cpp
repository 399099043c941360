// SPDX-License-Identifier: Apache-2.0
// An agent's log and recordings in the forms that other programs read. They are read from the log's file, so that all of it is of one
// moment and a copy needs no engine. What is in it comes from a guest: a process of its own reads it, which has confined itself before
// (I1) and can only write to what is open already.
#include "app/activity/log_reader.h"
#include "app/cli/context.h"
#include "app/cli/new_file.h"
#include "app/export/asciicast.h"
#include "app/export/html_page.h"
#include "app/export/json_lines.h"
#include "guest/protocol/rpc.h"
#include "hypervisor/confine/confine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <memory>
#include <optional>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace carrel::cli {

namespace json = boost::json;

namespace {

enum class Form { Asciicast3, Asciicast2, JsonLines, Html };

struct ExportOptions {
    std::string what; // an agent, or the file of a log
    Form form = Form::Html;
    std::uint64_t recording = 0; // 0: none was named
    std::string output;          // empty or "-": standard output
    bool force = false;
};

struct Source {
    std::filesystem::path file;
    std::string name;
};

// What was written, in numbers that a confined process tells the one that waits for it.
struct Written {
    std::uint64_t events = 0;
    std::uint64_t recordings = 0;
    std::uint64_t wrong = 0; // the first event that is not as it was written
    std::uint64_t bytes = 0;
};

Result<Source> sourceOf(Context& context, const std::string& what) {
    std::error_code ignored;
    if (what.find('/') != std::string::npos || std::filesystem::is_regular_file(what, ignored)) {
        return Source{what, std::filesystem::path(what).stem().string()};
    }
    auto result = context.call("log.head", {{"agent", what}}); // what is exported is signed
    if (!result) {
        return fail(std::move(result).error());
    }
    return Source{std::string(textAt(*result, "file")), what};
}

Status putAll(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::write(fd, bytes.data(), bytes.size());
        if (sent < 0 && errno != EINTR) {
            return failErrno("the output could not be written");
        }
        bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    }
    return {};
}

// Many small pieces become few large ones.
class Output {
public:
    explicit Output(int fd)
        : m_fd(fd) {}
    Status put(std::string_view bytes) {
        m_bytes += bytes.size();
        m_waiting += bytes;
        return m_waiting.size() >= kEnough ? flush() : Status();
    }
    Status flush() { return putAll(m_fd, std::exchange(m_waiting, {})); }
    [[nodiscard]] std::uint64_t bytes() const { return m_bytes; }

private:
    static constexpr std::size_t kEnough = 256 * 1024;
    int m_fd;
    std::string m_waiting;
    std::uint64_t m_bytes = 0;
};

Result<Written> writeForm(activity::LogReader& log, const Source& source, const ExportOptions& options, const exporting::Sink& sink) {
    Written out;
    if (options.form == Form::JsonLines) {
        auto written = exporting::writeJsonLines(log, sink);
        if (!written) {
            return fail(std::move(written).error());
        }
        out.events = written->events;
        out.wrong = written->firstWrong;
        return out;
    }
    if (options.form == Form::Html) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        exporting::PageSubject subject{source.name, {}, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
        if (options.recording > 0) {
            subject.recording = options.recording;
        }
        auto written = exporting::writePage(log, subject, sink);
        if (!written) {
            return fail(std::move(written).error());
        }
        out.events = written->events.events;
        out.wrong = written->events.firstWrong;
        out.recordings = written->recordings;
        return out;
    }
    const auto version = options.form == Form::Asciicast2 ? exporting::CastVersion::Two : exporting::CastVersion::Three;
    auto written = exporting::writeAsciicast(log, options.recording, version, sink);
    if (!written) {
        return fail(std::move(written).error());
    }
    out.events = written->events;
    out.recordings = 1;
    return out;
}

Result<Written> writeTo(int fd, const Source& source, const ExportOptions& options) {
    auto log = activity::LogReader::open(source.file);
    if (!log) {
        return fail(std::move(log).error());
    }
    CARREL_TRY(confine::restrictSyscalls(confine::SyscallProfile::TerminalViewer));
    Output output(fd);
    auto written = writeForm(*log, source, options, [&](std::string_view bytes) { return output.put(bytes); });
    if (!written) {
        return written;
    }
    CARREL_TRY(output.flush());
    written->bytes = output.bytes();
    return written;
}

json::object toJson(const Written& written) {
    return {{"events", written.events}, {"recordings", written.recordings}, {"wrong", written.wrong}, {"bytes", written.bytes}};
}

// What the confined process says is not believed either: numbers, or an error of a bounded length.
Result<Written> readWord(const std::string& word) {
    auto object = parseJsonObject(word);
    if (!object) {
        return fail(ErrorCode::Internal, "the export ended before it was done", "Nothing of it was kept.");
    }
    if (const auto* error = object->if_contains("error"); error != nullptr && error->is_object()) {
        auto said = errorFrom(error->get_object());
        said.message = shown(said.message, kWholeColumns);
        said.hint = shown(said.hint, kWholeColumns);
        return fail(std::move(said));
    }
    JsonFields fields(*object, "export");
    Written out;
    out.events = fields.number("events");
    out.recordings = fields.number("recordings");
    out.wrong = fields.number("wrong");
    out.bytes = fields.number("bytes");
    CARREL_TRY(fields.finish());
    return out;
}

// The engine's socket above all: who reads a guest's bytes has no way to it.
void closeAllBut(int one, int other) {
    const auto low = static_cast<unsigned>(std::min(one, other));
    const auto high = static_cast<unsigned>(std::max(one, other));
    constexpr unsigned kFirst = STDERR_FILENO + 1;
    if (low > kFirst) {
        (void)::close_range(kFirst, low - 1, 0);
    }
    if (high > low + 1) {
        (void)::close_range(std::max(low + 1, kFirst), high - 1, 0);
    }
    (void)::close_range(std::max(high + 1, kFirst), ~0U, 0);
}

[[noreturn]] void beConfined(int word, int fd, pid_t parent, const Source& source, const ExportOptions& options) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(1);
    }
    closeAllBut(word, fd);
    (void)::signal(SIGPIPE, SIG_IGN);
    const auto written = writeTo(fd, source, options);
    const auto said = written ? toJson(*written) : json::object{{"error", carrel::toJson(written.error())}};
    (void)putAll(word, json::serialize(said));
    ::_exit(0);
}

// The log's file is opened in the other process only: SQLite's locks are not carried over a fork.
Result<Written> writeConfined(int fd, const Source& source, const ExportOptions& options) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return failErrno("cannot make a pipe");
    }
    UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const auto parent = ::getpid();
    const auto child = ::fork(); // no other thread is there
    if (child < 0) {
        return failErrno("cannot begin the process that reads the log");
    }
    if (child == 0) {
        beConfined(writing.get(), fd, parent, source, options);
    }
    writing = UniqueFd();
    (void)::signal(SIGINT, SIG_IGN); // it ends by that, and what is half done is removed here
    std::string word;
    std::array<char, 4096> piece{};
    constexpr std::size_t kMostWord = 64 * 1024;
    for (;;) {
        const auto got = ::read(reading.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || word.size() > kMostWord) {
            break;
        }
        word.append(piece.data(), static_cast<std::size_t>(got));
    }
    reading = UniqueFd(); // it cannot wait for us any more
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return readWord(word);
}

std::string writtenText(const Written& written, const ExportOptions& options) {
    std::string out = "Written: " + shown(options.output) + " (" + bytesText(written.bytes) + ", " + countText(written.events, "event", "events");
    if (options.form == Form::Html) {
        out += ", " + countText(written.recordings, "recording", "recordings");
    }
    return out + ")\n";
}

int exportTo(Context& context, const ExportOptions& options) {
    const bool toFile = !options.output.empty() && options.output != "-";
    if (options.recording > 0 && options.form == Form::JsonLines) {
        return context.failed({ErrorCode::InvalidArgument, "JSON Lines have no recording in them", "Leave out --recording, or export to asciicast3.", 0, nullptr});
    }
    if (!toFile && ::isatty(STDOUT_FILENO) == 1) {
        return context.failed({ErrorCode::InvalidArgument, "an export is for programs, not for a terminal", "Give --output FILE, or send it on through a pipe.", 0, nullptr});
    }
    const auto source = sourceOf(context, options.what);
    if (!source) {
        return context.failed(source.error());
    }
    std::optional<NewFile> file;
    if (toFile) {
        auto begun = NewFile::begin(options.output, options.force ? Existing::Replace : Existing::Keep);
        if (!begun) {
            return context.failed(begun.error());
        }
        file.emplace(std::move(*begun));
    }
    const auto written = writeConfined(file ? file->fd() : STDOUT_FILENO, *source, options);
    if (!written) {
        return context.failed(written.error());
    }
    if (file) {
        if (auto done = file->finish(); !done) {
            return context.failed(done.error());
        }
        if (context.format == Format::Json) {
            auto told = toJson(*written);
            told["file"] = options.output;
            context.printJson(told);
        } else {
            context.print(writtenText(*written, options));
        }
    }
    if (written->wrong > 0) {
        return context.failed({ErrorCode::Conflict, "event " + std::to_string(written->wrong) + " of the activity log is not as it was written",
                               "All was exported, and it is marked. \"carrel log verify\" tells more.", 0, nullptr});
    }
    return context.done();
}

} // namespace

void addExportVerb(CLI::App& app, Context& context) {
    auto* verb = app.add_subcommand("export", "Write an agent's log and recordings in a form that other programs read");
    auto options = std::make_shared<ExportOptions>();
    static const std::map<std::string, Form> kForms{
        {"asciicast3", Form::Asciicast3}, {"asciicast2", Form::Asciicast2}, {"jsonl", Form::JsonLines}, {"html", Form::Html}};
    verb->add_option("NAME", options->what, "The agent; or a log (activity.db), or a copy of one")->required();
    verb->add_option("--format", options->form, "asciicast3, asciicast2: a recording; jsonl: every event, a line each; html: a page to look at")
        ->required()
        ->type_name("F")
        ->transform(CLI::CheckedTransformer(kForms).description(""));
    verb->add_option("--recording", options->recording, "Which recording, by its number in the list; otherwise the newest, and in a page all")
        ->type_name("ID")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{INT64_MAX}));
    verb->add_option("--output", options->output, "Where to; otherwise standard output")->type_name("FILE");
    verb->add_flag("--force", options->force, "Replace the file that is there");
    verb->footer("A page is whole: it loads nothing and sends nothing. In JSON Lines the chain of hashes can be checked without Carrel.\n"
                 "Example: carrel export clerk --format html --output clerk.html");
    verb->callback([&context, options] { context.action = [&context, options] { return exportTo(context, *options); }; });
}

} // namespace carrel::cli
