// SPDX-License-Identifier: Apache-2.0
#include "guest/agent/conversation_file.h"

#include "guest/protocol/strict_json.h"

#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>

namespace carrel::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostFile = 512 * 1024 * 1024; // far more than any model reads
constexpr std::size_t kMostText = 32 * 1024 * 1024;  // of one part; addUser() and addResults() keep less
constexpr std::size_t kMostParts = 16 * 1024;
constexpr std::size_t kMostMessages = 64 * 1024;
constexpr std::size_t kMostName = 256;
constexpr JsonLimits kLineLimits{.bytes = 256 * 1024 * 1024, .depth = 64};
constexpr const char* kFirstKey = "carrel-conversation";
constexpr std::uint64_t kVersion = 1;

json::object partJson(const Part& part) {
    if (const auto* text = std::get_if<Text>(&part)) {
        return {{"text", text->text}};
    }
    if (const auto* use = std::get_if<ToolUse>(&part)) {
        json::object call{{"id", use->id}, {"name", use->name}, {"input", use->input}};
        if (!use->problem.empty()) {
            call["problem"] = use->problem;
        }
        return {{"call", std::move(call)}};
    }
    if (const auto* result = std::get_if<ToolResult>(&part)) {
        return {{"result", json::object{{"id", result->id}, {"text", result->text}, {"error", result->isError}}}};
    }
    const auto& sealed = std::get<Sealed>(part);
    return {{"sealed", json::object{{"api", sealed.api}, {"block", sealed.block}}}};
}

Result<Part> partFrom(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr || object->size() != 1) {
        return fail(ErrorCode::Malformed, "a part of a message is not what it should be");
    }
    JsonFields part(*object, "a part");
    Part out;
    if (object->contains("text")) {
        out = Text{part.string("text", kMostText)};
    } else if (const auto* call = part.optionalObject("call")) {
        JsonFields of(*call, "a call");
        out = ToolUse{of.string("id", kMostName), of.string("name", kMostName), of.object("input"),
                      of.optionalString("problem", kMostText).value_or("")};
        CARREL_TRY(of.finish());
    } else if (const auto* result = part.optionalObject("result")) {
        JsonFields of(*result, "a result");
        out = ToolResult{of.string("id", kMostName), of.string("text", kMostText), of.boolean("error")};
        CARREL_TRY(of.finish());
    } else if (const auto* sealed = part.optionalObject("sealed")) {
        JsonFields of(*sealed, "a sealed part");
        out = Sealed{of.string("api", kMostName), of.object("block")};
        CARREL_TRY(of.finish());
    }
    CARREL_TRY(part.finish());
    return out;
}

Status readLine(std::string_view line, std::vector<Message>& messages) {
    const auto object = parseJsonObject(line, kLineLimits);
    if (!object) {
        return fail(object.error());
    }
    JsonFields of(*object, "a line");
    if (object->contains("add")) {
        auto message = messageFrom(of.object("add"));
        if (!message) {
            return fail(std::move(message).error());
        }
        messages.push_back(std::move(*message));
    } else {
        messages.clear();
        for (const auto& each : of.array("instead", kMostMessages)) {
            auto message = messageFrom(each);
            if (!message) {
                return fail(std::move(message).error());
            }
            messages.push_back(std::move(*message));
        }
    }
    return of.finish();
}

Status readFirst(std::string_view line) {
    const auto object = parseJsonObject(line, kLineLimits);
    if (!object) {
        return fail(object.error());
    }
    JsonFields of(*object, "the first line");
    if (const auto version = of.number(kFirstKey); version > kVersion) {
        return fail(ErrorCode::Unsupported, "it was written by a later version");
    }
    return of.finish();
}

Result<std::string> readAll(int file) {
    std::string out;
    char space[64 * 1024];
    for (;;) {
        const auto got = ::read(file, space, sizeof space);
        if (got == 0) {
            return out;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failErrno("reading it");
        }
        if (out.size() + static_cast<std::size_t>(got) > kMostFile) {
            return fail(ErrorCode::LimitExceeded, "it is larger than " + std::to_string(kMostFile) + " bytes");
        }
        out.append(space, static_cast<std::size_t>(got));
    }
}

// The name of a new file is durable only with its folder.
Status flushFolder(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    const UniqueFd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        return failErrno("flushing its folder");
    }
    return {};
}

} // namespace

json::object messageJson(const Message& message) {
    json::array parts;
    for (const auto& part : message.parts) {
        parts.push_back(partJson(part));
    }
    return {{"role", message.role == Role::User ? "user" : "assistant"}, {"parts", std::move(parts)}};
}

Result<Message> messageFrom(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr) {
        return fail(ErrorCode::Malformed, "a message is not an object");
    }
    JsonFields of(*object, "a message");
    Message out;
    const auto role = of.string("role", kMostName);
    if (role == "assistant") {
        out.role = Role::Assistant;
    } else if (role != "user") {
        of.problem("role", "is not known here");
    }
    for (const auto& each : of.array("parts", kMostParts)) {
        auto part = partFrom(each);
        if (!part) {
            return fail(std::move(part).error());
        }
        out.parts.push_back(std::move(*part));
    }
    CARREL_TRY(of.finish());
    return out;
}

Result<ConversationFile::Opened> ConversationFile::open(const std::string& path) {
    const auto wrong = [&path](const Error& error) {
        return fail(error.wrap("the conversation in " + path + " cannot be opened",
                               "look at the file, or move it away to begin a new conversation"));
    };
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND | O_NOFOLLOW, 0600));
    if (!fd) {
        return wrong(errnoError("opening it"));
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? wrong(Error{ErrorCode::Refused, "another agent has it open", "stop the other one first", 0, nullptr})
                                    : wrong(errnoError("locking it"));
    }
    const auto text = readAll(fd.get());
    if (!text) {
        return wrong(text.error());
    }
    std::string_view rest = *text;
    const auto end = rest.rfind('\n');
    const auto size = end == std::string_view::npos ? 0 : end + 1;
    if (size < rest.size() && ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
        return wrong(errnoError("dropping what a crash left of its last line"));
    }
    rest = rest.substr(0, size);
    std::vector<Message> messages;
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const auto stop = rest.find('\n');
        const auto line = rest.substr(0, stop);
        if (auto read = number == 1 ? readFirst(line) : readLine(line, messages); !read) {
            return wrong(read.error().wrap("line " + std::to_string(number)));
        }
        rest.remove_prefix(stop + 1);
    }
    Opened out{std::unique_ptr<ConversationFile>(new ConversationFile(std::move(fd), path, size)), std::move(messages)};
    if (size == 0) {
        CARREL_TRY(out.file->append({{kFirstKey, kVersion}}));
        if (auto flushed = flushFolder(path); !flushed) {
            return wrong(flushed.error());
        }
    }
    return out;
}

Status ConversationFile::append(const json::object& object) {
    const std::string line = json::serialize(object) + "\n";
    std::string_view rest = line;
    int error = 0;
    while (!rest.empty() && error == 0) {
        const auto written = ::write(m_file.get(), rest.data(), rest.size());
        if (written > 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
        } else if (written == 0 || errno != EINTR) {
            error = written == 0 ? EIO : errno;
        }
    }
    if (error == 0 && ::fsync(m_file.get()) != 0) {
        error = errno;
    }
    if (error != 0) {
        if (rest.size() != line.size() && ::ftruncate(m_file.get(), static_cast<off_t>(m_size)) != 0) {
            m_file.reset(); // half a line stands there: nothing may be written behind it. The next open() drops it
        }
        return fail(errnoError("the conversation in " + m_path + " cannot be written", error)
                        .wrap("what was said cannot be kept", "make room on the machine's disk, then go on"));
    }
    m_size += line.size();
    return {};
}

Status ConversationFile::keep(const Message& added) {
    return append({{"add", messageJson(added)}});
}

Status ConversationFile::keepInstead(const std::vector<Message>& messages) {
    json::array list;
    for (const auto& message : messages) {
        list.push_back(messageJson(message));
    }
    return append({{"instead", std::move(list)}});
}

} // namespace carrel::agent
