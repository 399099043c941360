// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/deeds.h"

#include "app/api/answers.h"
#include "app/api/wire.h"
#include "ui/changes/change_entry.h"
#include "ui/text/plain.h"

namespace carrel::ui {

namespace json = boost::json;

namespace {

constexpr std::size_t kMostPaths = 10'000; // of the schema
constexpr std::size_t kRoomForTheRest = 4096;

DeedOutcome outcomeOf(DeedKind kind, const json::object& answer) {
    DeedOutcome out;
    out.kind = kind;
    if (const auto* const number = answer.if_contains("apply"); number != nullptr && !number->is_null()) {
        out.number = api::numberAt(answer, "apply");
    }
    out.undone = api::numberAt(answer, "undone");
    const auto& totals = api::objectAt(answer, "totals");
    out.done = api::numberAt(totals, "done");
    out.kept = api::numberAt(totals, "kept");
    out.notDone = api::numberAt(totals, "conflicts") + api::numberAt(totals, "refused") + api::numberAt(totals, "failed");
    for (const auto& each : api::listAt(answer, "outcomes")) {
        if (!each.is_object()) {
            continue;
        }
        const auto& item = each.get_object();
        DeedOutcome::Item told{api::pathAt(item, "path"), api::textAt(item, "outcome"), api::textAt(item, "reason")};
        if (told.outcome != "done" || !told.reason.empty()) {
            out.told.push_back(std::move(told));
        }
    }
    return out;
}

} // namespace

Deeds::Deeds(EngineLink& link, QString agent, QObject* parent)
    : QObject(parent)
    , m_link(link)
    , m_agent(std::move(agent)) {}

std::optional<Error> Deeds::decide(DeedKind kind, const std::string& review, const std::vector<std::string>& paths) {
    json::object params{{"agent", m_agent.toStdString()}, {"review", review}};
    if (!paths.empty()) {
        std::size_t bytes = kRoomForTheRest;
        json::array list;
        for (const auto& path : paths) {
            list.push_back(pathParameter(path));
            bytes += json::serialize(list.back()).size() + 1;
        }
        if (list.size() > kMostPaths || bytes > api::kMaxRequestLine) {
            return Error{ErrorCode::LimitExceeded, tr("these are too many single files for one step").toStdString(),
                         tr("Choose whole folders, or fewer files at a time.").toStdString(), 0, {}};
        }
        params["paths"] = std::move(list);
    }
    if (kind == DeedKind::KeepBoth) {
        params["keep_both"] = true;
    }
    send(kind, kind == DeedKind::Discard ? "discard" : "apply", std::move(params));
    return std::nullopt;
}

void Deeds::undo(std::uint64_t number) {
    send(DeedKind::Undo, "undo", {{"agent", m_agent.toStdString()}, {"apply", number}});
}

void Deeds::send(DeedKind kind, const char* verb, json::object params) {
    if (busy()) {
        return;
    }
    m_request = m_link.ask(verb, std::move(params), this, [this, kind](const Answer& answer) {
        m_request = nullptr;
        if (answer) {
            emit finished(outcomeOf(kind, *answer));
        } else {
            emit failed(answer.error());
        }
    });
    connect(m_request, &Request::progress, this, [this](const api::Progress& told) {
        emit progressed(lineOf(told.text), told.fraction.value_or(-1));
    });
    emit began(kind);
}

void Deeds::cancel() {
    if (!busy()) {
        return;
    }
    delete m_request;
    emit failed(Error{ErrorCode::Cancelled, tr("it was called off, and what was done until then stays done").toStdString(),
                      tr("The history says what that is, and can take it back.").toStdString(), 0, {}});
}

} // namespace carrel::ui
