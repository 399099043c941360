// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/agent_files.h"

#include "guest/acp/words.h"
#include "guest/protocol/json_pick.h"
#include "guest/protocol/share_path.h"
#include "guest/runner/text_file.h"

namespace carrel::runner {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostPath = 4095; // PATH_MAX less its NUL
constexpr std::size_t kMostWords = 2048;
constexpr std::size_t kPiece = 64 * 1024;

tl::unexpected<acp::Problem> problem(acp::Code code, std::string message) {
    return tl::unexpected<acp::Problem>({static_cast<std::int64_t>(code), std::move(message), nullptr});
}

} // namespace

bool AgentFiles::isMethod(std::string_view method) {
    return method == acp::method::kReadFile || method == acp::method::kWriteFile;
}

void AgentFiles::request(const acp::Request& request) {
    if (const auto begun = begin(request); !begun) {
        const bool isTheirs = begun.error().code == ErrorCode::Malformed;
        m_answer(request.id, tl::unexpected(acp::problemOf(begun.error(), isTheirs ? acp::Code::InvalidParams : acp::Code::Internal)));
    }
}

Status AgentFiles::begin(const acp::Request& request) {
    JsonPick fields(request.params, request.method);
    const auto path = fields.text("path", Wanted::Always).value_or("");
    if (!path.starts_with('/') || path.size() > kMostPath || path.find('\0') != std::string_view::npos) {
        fields.problem("path", "is no absolute path");
    }
    Job job{request.id, std::string(path), request.method == acp::method::kReadFile, nullptr, {}, {}};
    guestd::SpawnRequest spawn;
    spawn.cwd = "/";
    spawn.argv = {m_program, kTextFileRole, job.isRead ? "read" : "write", job.path};
    std::string_view content;
    if (job.isRead) {
        spawn.argv.push_back(std::to_string(fields.number("line").value_or(1)));
        // None may be asked for; of the helper, 0 is all of them.
        const auto limit = fields.number("limit");
        CARREL_TRY(fields.finish());
        if (limit == 0U) {
            m_answer(request.id, json::object{{"content", ""}});
            return {};
        }
        spawn.argv.push_back(std::to_string(limit.value_or(0)));
        spawn.argv.push_back(std::to_string(kMostBytes));
    } else {
        content = fields.text("content", Wanted::Always).value_or("");
        CARREL_TRY(fields.finish());
        spawn.argv.push_back(std::to_string(content.size()));
    }
    if (m_jobs.size() >= kMostAtATime) {
        return fail(ErrorCode::LimitExceeded, "too many files are asked for at a time", "Ask again when others were answered");
    }
    const auto spawner = m_spawners();
    if (!spawner) {
        return fail(ErrorCode::Unavailable, "the agent's account is being set up again");
    }
    auto child = Child::start(*spawner, std::move(spawn), Child::Errors::Apart, m_reaper);
    if (!child) {
        return fail(child.error());
    }
    job.child = std::move(*child);
    job.child->write(content);
    job.child->endInput();
    m_jobs.push_back(std::move(job));
    return {};
}

void AgentFiles::cancel(const acp::Id& id) {
    std::erase_if(m_jobs, [&](const Job& job) {
        if (job.id != id) {
            return false;
        }
        m_answer(id, problem(acp::Code::Cancelled, "it was cancelled"));
        return true;
    });
}

void AgentFiles::collectPoll(std::vector<pollfd>& into) const {
    for (const auto& job : m_jobs) {
        job.child->collectPoll(into);
    }
}

void AgentFiles::advance() {
    std::erase_if(m_jobs, [this](Job& job) { return !goesOn(job); });
}

bool AgentFiles::goesOn(Job& job) {
    job.child->advance();
    auto out = Child::More::Perhaps;
    while (out == Child::More::Perhaps && job.out.size() <= kMostBytes) {
        out = job.child->readOutput(job.out, kPiece);
    }
    auto err = Child::More::Perhaps;
    while (err == Child::More::Perhaps && job.err.size() <= kMostWords) {
        err = job.child->readErrors(job.err, kMostWords);
    }
    if (job.child->began() == Child::Began::No) {
        m_answer(job.id, tl::unexpected(acp::problemOf(job.child->whyNot())));
        return false;
    }
    if (job.out.size() > kMostBytes) { // the program says less: something has meddled with it
        m_answer(job.id, problem(acp::Code::Internal, "reading " + job.path + " never ended"));
        return false;
    }
    if (!job.child->exit()) {
        return true;
    }
    finish(job); // what it wrote before it ended has been read
    return false;
}

void AgentFiles::finish(const Job& job) {
    const auto& exit = *job.child->exit();
    if (exit.code == static_cast<unsigned>(kTextFileDone)) {
        if (!job.isRead) {
            m_answer(job.id, json::value(nullptr));
        } else if (isUtf8(job.out)) {
            m_answer(job.id, json::object{{"content", job.out}});
        } else {
            m_answer(job.id, problem(acp::Code::Internal, job.path + " is not a text in UTF-8"));
        }
        return;
    }
    const bool isMissing = exit.code == static_cast<unsigned>(kTextFileNotFound);
    m_answer(job.id, problem(isMissing ? acp::Code::NotFound : acp::Code::Internal,
                             job.err.empty() ? "the program that was to do it ended by itself" : job.err));
}

} // namespace carrel::runner
