// SPDX-License-Identifier: Apache-2.0
#include "app/files/journal.h"

#include "app/files/names.h"
#include "app/files/node_json.h"
#include "app/files/plan_json.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <random>
#include <sys/stat.h>

namespace carrel::files {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxLine = std::size_t{16} << 20U;
constexpr std::size_t kMaxReason = 4096;
constexpr std::size_t kSumDigits = 16;
constexpr std::size_t kIdDigits = 8;

Status ask(StepHook* hook, std::string_view step, std::string_view path) {
    if (hook != nullptr) {
        if (const int number = hook->before(step, path); number != 0) {
            return failErrno("cannot write the journal of the apply", number);
        }
    }
    return {};
}

Status writeAll(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t wrote = ::write(fd, text.data(), text.size());
        if (wrote < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("cannot write the journal of the apply");
        }
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

void putFolderId(json::object& out, std::string_view key, const std::optional<FolderId>& id) {
    if (id) {
        out[key] = json::object{{"inode", id->inode}, {"born_ns", id->bornNs}};
    }
}

std::optional<FolderId> takeFolderId(JsonFields& fields, std::string_view key) {
    const auto* object = fields.optionalObject(key);
    if (object == nullptr) {
        return std::nullopt;
    }
    JsonFields inner(*object, "folder");
    const FolderId id{inner.number("inode"), inner.signedNumber("born_ns")};
    if (!inner.finish()) {
        fields.problem(key, "names no folder");
    }
    return id;
}

// What the line says, if its checksum is right.
std::optional<std::string_view> soundBody(std::string_view line) {
    if (line.size() <= kSumDigits) {
        return std::nullopt;
    }
    const std::string_view body = line.substr(kSumDigits + 1);
    const bool sound = Sha256::of(body).hex().substr(0, kSumDigits) == line.substr(0, kSumDigits);
    return sound ? std::optional(body) : std::nullopt;
}

bool isId(std::string_view name) {
    return name.size() == 2 * kIdDigits + 1 && name[kIdDigits] == '-' &&
           name.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

} // namespace

Status writeDurably(int dir, const std::string& name, std::string_view content, StepHook* hook) {
    const std::string beside = name + ".new";
    CARREL_TRY(ask(hook, "journal.create", name));
    const UniqueFd fd(
        ::openat(dir, beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return failErrno("cannot write " + name);
    }
    CARREL_TRY(writeAll(fd.get(), content));
    CARREL_TRY(ask(hook, "journal.rename", name));
    if (::fsync(fd.get()) != 0 || ::renameat(dir, beside.c_str(), dir, name.c_str()) != 0 ||
        ::fsync(dir) != 0) {
        return failErrno("cannot write " + name);
    }
    return {};
}

Result<std::string> readWhole(int dir, const std::string& name, std::uint64_t maxBytes) {
    const UniqueFd fd(::openat(dir, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) {
        if (errno == ENOENT) {
            return fail(ErrorCode::NotFound, name + " does not exist");
        }
        return failErrno("cannot read " + name);
    }
    std::string out;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failErrno("cannot read " + name);
        }
        if (got == 0) {
            return out;
        }
        out.append(buffer.data(), static_cast<std::size_t>(got));
        if (out.size() > maxBytes) {
            return fail(ErrorCode::LimitExceeded, name + " is too large");
        }
    }
}

Result<std::vector<std::string>> journalIds(const std::string& dir) {
    const std::unique_ptr<DIR, int (*)(DIR*)> names(::opendir(dir.c_str()), ::closedir);
    if (!names) {
        return failErrno("cannot list the journals of applies");
    }
    std::vector<std::string> ids;
    errno = 0;
    while (const dirent* entry = ::readdir(names.get())) {
        if (isId(entry->d_name)) {
            struct stat st {};
            if (::stat((dir + "/" + entry->d_name + "/plan.json").c_str(), &st) == 0) {
                ids.emplace_back(entry->d_name);
            } else if (errno != ENOENT) { // without its plan an apply never began; but this one may have
                return failErrno("cannot look at the journals of applies");
            }
        }
        errno = 0;
    }
    if (errno != 0) {
        return failErrno("cannot list the journals of applies");
    }
    std::sort(ids.begin(), ids.end());
    return ids;
}

Result<std::string> nextJournalId(const std::string& dir) {
    auto ids = journalIds(dir);
    if (!ids) {
        return fail(std::move(ids).error());
    }
    unsigned long number = 1;
    if (!ids->empty()) {
        number = std::stoul(ids->back().substr(0, kIdDigits), nullptr, 16) + 1;
    }
    std::array<char, 32> text{};
    (void)std::snprintf(text.data(), text.size(), "%08lx-%08x", number, std::random_device{}());
    return std::string(text.data());
}

Journal::Journal(Plan plan, UniqueFd log, StepHook* hook)
    : m_plan(std::move(plan))
    , m_log(std::move(log))
    , m_hook(hook)
    , m_entries(m_plan.entries.size()) {
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
        m_entries[i].ops.resize(m_plan.entries[i].ops.size());
    }
}

Result<Journal> Journal::create(const std::string& dir, Plan plan, StepHook* hook, std::uint64_t maxPlanText) {
    const std::string text = planText(plan);
    if (text.size() > maxPlanText) {
        return fail(ErrorCode::LimitExceeded, "so much cannot be applied in one go",
                    "Apply a part of it, and then the rest");
    }
    const std::string folder = dir + "/" + plan.id;
    CARREL_TRY(ask(hook, "journal.mkdir", plan.id));
    if (::mkdir(folder.c_str(), 0700) != 0) {
        return failErrno("cannot make the journal of the apply");
    }
    const UniqueFd above(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    UniqueFd log(::openat(fd.get(), "log", O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
    if (!above || !fd || !log || ::fsync(above.get()) != 0) {
        return failErrno("cannot make the journal of the apply");
    }
    // The plan last: its name is the beginning of the apply.
    CARREL_TRY(writeDurably(fd.get(), "plan.json", text, hook));
    return Journal(std::move(plan), std::move(log), hook);
}

Result<Journal> Journal::load(const std::string& dir, const std::string& id, StepHook* hook, Repair repair) {
    if (!isId(id)) {
        return fail(ErrorCode::NotFound, "there is no apply of that id");
    }
    const UniqueFd fd(::open((dir + "/" + id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return fail(ErrorCode::NotFound, "there is no apply of that id");
    }
    auto text = readWhole(fd.get(), "plan.json", kMaxPlanText);
    if (!text) {
        return fail(std::move(text).error());
    }
    auto plan = planFrom(*text);
    if (!plan) {
        return fail(plan.error().wrap("the journal of apply " + id + " is damaged"));
    }
    UniqueFd log(::openat(fd.get(), "log", O_RDWR | O_APPEND | O_CLOEXEC));
    if (!log && (errno == ENOENT || errno == EISDIR)) {
        return fail(ErrorCode::Malformed, "the journal of apply " + id + " is damaged: what was done is missing from it");
    }
    if (!log) {
        return failErrno("cannot open the journal of the apply");
    }
    Journal journal(std::move(*plan), std::move(log), hook);
    auto sound = journal.replay();
    if (!sound) {
        return fail(std::move(sound).error());
    }
    // A torn last line goes, or what is appended next would be part of it.
    if (repair == Repair::Yes && ::ftruncate(journal.m_log.get(), static_cast<off_t>(*sound)) != 0) {
        return failErrno("cannot repair the journal of the apply");
    }
    journal.m_length = *sound;
    journal.m_resumed = true;
    return journal;
}

Result<std::size_t> Journal::replay() {
    std::string text;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t got =
            ::pread(m_log.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
        if (got < 0) {
            return failErrno("cannot read the journal of the apply");
        }
        if (got == 0) {
            break;
        }
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    std::size_t at = 0;
    while (at < text.size()) {
        const auto end = text.find('\n', at);
        const auto body = soundBody(std::string_view(text).substr(at, end == std::string::npos ? end : end - at));
        if (end == std::string::npos || !body) {
            break;
        }
        auto object = parseJsonObject(*body, JsonLimits{kMaxLine, 12});
        if (!object) {
            return fail(std::move(object).error());
        }
        CARREL_TRY(take(*object));
        at = end + 1;
    }
    // Only what was not flushed yet can be torn, and the end is flushed: a bad line before it was damaged later. To take
    // such an apply for an unfinished one would carry it out again.
    for (std::size_t next = at; next < text.size();) {
        const auto end = std::min(text.find('\n', next), text.size());
        const auto body = soundBody(std::string_view(text).substr(next, end - next));
        if (body && body->find(R"("t":"end")") != std::string_view::npos) {
            return fail(ErrorCode::Malformed, "the journal of the apply is damaged in its middle");
        }
        next = end + 1;
    }
    return at;
}

Status Journal::take(const json::object& line) {
    JsonFields fields(line, "journal line");
    const std::string type = fields.string("t", 16);
    if (type == "end") {
        m_ended = true;
        return fields.finish();
    }
    if (type == "back") {
        m_goesBack = true;
        return fields.finish();
    }
    const auto entry = fields.number("e");
    const auto op = type == "entry" ? 0 : fields.number("o");
    if (entry >= m_entries.size() || (type != "entry" && op >= m_entries[entry].ops.size())) {
        return fail(ErrorCode::Malformed, "the journal names an operation that is not planned");
    }
    if (type == "entry") {
        m_entries[entry].outcome = valueOf(kOutcomes, fields.string("outcome", 16));
        m_entries[entry].reason = fields.string("reason", kMaxReason);
        return fields.finish();
    }
    OpRecord& record = m_entries[entry].ops[op];
    if (type == "begin") {
        auto old = nodeFrom(fields.object("old"));
        if (!old) {
            return fail(std::move(old).error());
        }
        record = OpRecord{};
        record.begun = true;
        record.old = std::move(*old);
        record.in = takeFolderId(fields, "in");
        record.fromIn = takeFolderId(fields, "from_in");
        record.folderBefore = takeTime(fields, line, "folder");
        record.fromFolderBefore = takeTime(fields, line, "from_folder");
    } else if (type == "staged") {
        record.staged = fields.number("inode");
        record.left = takeAttributes(fields, "left");
        if (line.contains("mode")) {
            record.mode = static_cast<std::uint32_t>(fields.number("mode") & 07777U);
        }
    } else if (type == "done") {
        record.done = true;
        record.folderAfter = takeTime(fields, line, "folder");
        record.fromFolderAfter = takeTime(fields, line, "from_folder");
    } else {
        return fail(ErrorCode::Malformed, "the journal holds a line of an unknown kind");
    }
    return fields.finish();
}

Status Journal::append(json::object line, Durable durable) {
    const std::string body = json::serialize(line);
    const std::string text = Sha256::of(body).hex().substr(0, kSumDigits) + " " + body + "\n";
    if (m_broken) {
        return fail(ErrorCode::Io, "the journal of the apply can no longer be written");
    }
    if (body.size() > kMaxLine) {
        return fail(ErrorCode::LimitExceeded, "a line of the apply's journal would be too long to be read again");
    }
    CARREL_TRY(ask(m_hook, "journal.append", m_plan.id));
    if (auto wrote = writeAll(m_log.get(), text); !wrote) {
        // Half a line would swallow the next one, and a start after a crash would read no further than that.
        m_broken = ::ftruncate(m_log.get(), static_cast<off_t>(m_length)) != 0;
        return wrote;
    }
    if (durable == Durable::Now) {
        if (auto flushed = flush(); !flushed) {
            // Nobody acts on it, so nobody may find it: an apply would count as ended whose end the disk does not know. If it
            // cannot be cut off, it is found, and what it says is true: only a power cut could still take it away.
            (void)!::ftruncate(m_log.get(), static_cast<off_t>(m_length));
            return flushed;
        }
    }
    m_length += text.size();
    return take(line);
}

Status Journal::flush() {
    if (m_broken) {
        return fail(ErrorCode::Io, "the journal of the apply can no longer be written");
    }
    auto flushed = ask(m_hook, "journal.flush", m_plan.id);
    if (flushed && ::fdatasync(m_log.get()) != 0) {
        flushed = failErrno("cannot flush the journal of the apply");
    }
    m_broken = !flushed; // what it did not write is not tried again by the next flush, fsync(2)
    return flushed;
}

Status Journal::begin(std::size_t entry, std::size_t op, const OpRecord& record, Durable durable) {
    json::object line{{"t", "begin"}, {"e", entry}, {"o", op}, {"old", nodeToJson(record.old)}};
    putFolderId(line, "in", record.in);
    putFolderId(line, "from_in", record.fromIn);
    putTime(line, "folder", record.folderBefore);
    putTime(line, "from_folder", record.fromFolderBefore);
    return append(std::move(line), durable);
}

Status Journal::staged(std::size_t entry, std::size_t op, const Staged& what, Durable durable) {
    json::object line{{"t", "staged"}, {"e", entry}, {"o", op}, {"inode", what.inode}};
    putAttributes(line, "left", what.left);
    if (what.mode) {
        line["mode"] = *what.mode;
    }
    return append(std::move(line), durable);
}

Status Journal::done(std::size_t entry, std::size_t op, std::optional<std::int64_t> folderAfter,
                     std::optional<std::int64_t> fromFolderAfter) {
    json::object line{{"t", "done"}, {"e", entry}, {"o", op}};
    putTime(line, "folder", folderAfter);
    putTime(line, "from_folder", fromFolderAfter);
    return append(std::move(line), Durable::Later);
}

Status Journal::outcome(std::size_t entry, Outcome outcome, const std::string& reason) {
    const bool readable = isUtf8(reason) && reason.size() <= kMaxReason; // what is written can be read again
    return append({{"t", "entry"},
                   {"e", entry},
                   {"outcome", toString(outcome)},
                   {"reason", readable ? std::string_view(reason) : "it could not be done"}},
                  Durable::Later);
}

Status Journal::goBack() {
    return append({{"t", "back"}}, Durable::Now);
}

Status Journal::end() {
    return append({{"t", "end"}}, Durable::Now);
}

NodeState putBy(const Op& op, const OpRecord& record) {
    NodeState state = op.want;
    state.mode = record.mode.value_or(state.mode);
    return state;
}

ApplyReport Journal::report() const {
    ApplyReport report{m_plan.id, m_plan.set, m_plan.share, m_plan.undoes, {}};
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
        const PlanEntry& planned = m_plan.entries[i];
        const Outcome outcome = m_entries[i].outcome.value_or(Outcome::NotRun);
        report.entries.push_back({planned.path, planned.generation, outcome, m_entries[i].reason});
        for (const auto& [path, generation] : planned.also) {
            report.entries.push_back({path, generation, outcome, m_entries[i].reason});
        }
    }
    return report;
}

} // namespace carrel::files
