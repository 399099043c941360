// SPDX-License-Identifier: Apache-2.0
#include "tests/live/app/attention_task.h"

#include "tests/live/app/chain_world.h"

#include <QJsonDocument>

#include <algorithm>

namespace carrel::live {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFields[] = {"task", "says", "folder", "sites", "model", "owner", "requests", "staged", "prompts", "discard", "after", "planted"};
constexpr const char* kPlayed = "played-1";

// Texts may be given as their lines.
QJsonValue withLines(const QJsonValue& value) {
    if (value.isArray()) {
        QJsonArray out;
        for (const auto& each : value.toArray()) {
            out.append(withLines(each));
        }
        return out;
    }
    if (!value.isObject()) {
        return value;
    }
    const auto object = value.toObject();
    if (object.size() == 1 && object.contains("lines")) {
        QStringList lines;
        for (const auto& each : object.value("lines").toArray()) {
            lines << each.toString();
        }
        return lines.join('\n');
    }
    QJsonObject out;
    for (auto at = object.begin(); at != object.end(); ++at) {
        out[at.key()] = withLines(at.value());
    }
    return out;
}

QStringList texts(const QJsonValue& array) {
    QStringList out;
    for (const auto& each : array.toArray()) {
        out << each.toString();
    }
    return out;
}

std::map<std::string, std::string> textMap(const QJsonValue& value) {
    const auto object = value.toObject();
    std::map<std::string, std::string> out;
    for (auto at = object.begin(); at != object.end(); ++at) {
        out[at.key().toStdString()] = at.value().toString().toStdString();
    }
    return out;
}

Result<AttentionTask> readTask(const fs::path& file) {
    const auto name = file.stem().string();
    QJsonParseError problem;
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(readFile(file)), &problem);
    if (!document.isObject()) {
        return fail(ErrorCode::Malformed, name + ": " + problem.errorString().toStdString());
    }
    const auto all = withLines(document.object()).toObject();
    for (const auto& key : all.keys()) {
        if (std::ranges::find(kFields, key) == std::end(kFields)) {
            return fail(ErrorCode::Malformed, name + ": there is no field " + key.toStdString());
        }
    }
    for (const char* needed : {"task", "says", "folder", "model", "staged", "prompts"}) {
        if (!all.contains(needed)) {
            return fail(ErrorCode::Malformed, name + ": " + needed + " is missing");
        }
    }
    const QJsonObject scenario{{"models", QJsonArray{kPlayed}}, {"turns", all.value("model")}};
    auto model = test::model::parseScenario(QJsonDocument(scenario).toJson(QJsonDocument::Compact).toStdString());
    if (!model) {
        return fail(ErrorCode::Malformed, name + ": " + model.error().text());
    }
    AttentionTask task;
    task.name = QString::fromStdString(name);
    task.title = all.value("task").toString();
    task.says = all.value("says").toString();
    task.sites = textMap(all.value("sites"));
    task.model = std::move(*model);
    for (const auto& each : all.value("owner").toArray()) {
        task.owner.push_back(texts(each));
    }
    task.deniesRequests = all.value("requests").toString() == "deny";
    task.staged = textMap(all.value("staged"));
    task.prompts = all.value("prompts").toInt(-1);
    task.discard = texts(all.value("discard"));
    const auto after = all.value("after").toObject();
    for (auto at = after.begin(); at != after.end(); ++at) {
        task.after[at.key().toStdString()] = at.value().isNull() ? std::nullopt : std::optional(texts(at.value()));
    }
    for (const auto& each : all.value("planted").toArray()) {
        PlantedRisk risk{each.toObject().value("what").toString(), {}};
        for (const auto& how : each.toObject().value("caught").toArray()) {
            risk.caught.push_back(how.toObject());
        }
        if (risk.caught.empty()) {
            return fail(ErrorCode::Malformed, name + ": nothing says how \"" + risk.what.toStdString() + "\" is caught");
        }
        task.planted.push_back(std::move(risk));
    }
    return task;
}

bool holds(const std::vector<std::string>& all, const std::string& text) {
    return std::ranges::any_of(all, [&](const std::string& each) { return each.find(text) != std::string::npos; });
}

QJsonObject changeOf(const AttentionSeen& seen, const QString& path) {
    for (const auto& each : seen.changes) {
        if (each.toObject().value("path").toString() == "papers/" + path) {
            return each.toObject();
        }
    }
    return {};
}

QString notStaged(const QJsonObject& how, const AttentionSeen& seen) {
    const auto path = how.value("staged").toString();
    const auto change = changeOf(seen, path);
    if (change.isEmpty()) {
        return path + " does not wait for review";
    }
    if (how.contains("kind") && change.value("kind") != how.value("kind")) {
        return path + " waits as " + change.value("kind").toString();
    }
    if (how.contains("risk") && (change.value("risk").toString() != "high" || !change.value("risk_reason").toString().contains(how.value("risk").toString()))) {
        return path + " is of risk " + change.value("risk").toString() + ": " + change.value("risk_reason").toString();
    }
    if (how.contains("conflict") && !change.value("conflict").toString().contains(how.value("conflict").toString())) {
        return path + " is in conflict: " + change.value("conflict").toString();
    }
    return {};
}

QString notWrittenDown(const QJsonObject& how, const AttentionSeen& seen) {
    for (const auto& event : seen.events) {
        const auto text = QString::fromUtf8(QJsonDocument(event).toJson(QJsonDocument::Compact));
        const auto says = texts(how.value("says"));
        if (event.value("kind") == how.value("event") && event.value("provenance").toString() == "host" &&
            std::ranges::all_of(says, [&](const QString& each) { return text.contains(each); })) {
            return {};
        }
    }
    return "no event " + how.value("event").toString() + " says " + texts(how.value("says")).join(", ");
}

QString notAsked(const QJsonObject& how, const AttentionSeen& seen) {
    for (const auto& each : seen.requests) {
        const auto request = each.toObject();
        if (request.value("action") == how.value("request") && request.value("state") == how.value("state") &&
            request.value("claim").toString().contains(how.value("claim").toString())) {
            return {};
        }
    }
    return "no such request: " + QString::fromUtf8(QJsonDocument(seen.requests).toJson(QJsonDocument::Compact));
}

QString leftForAnother(const std::string& place, const std::string& text, const AttentionSeen& seen) {
    bool came = false;
    for (const auto& each : seen.sent) {
        if (each.find(text) == std::string::npos) {
            continue;
        }
        if (!each.starts_with(place + "\n")) {
            return "it left for another: " + QString::fromStdString(each.substr(0, each.find('\n')));
        }
        came = true;
    }
    return came ? QString() : "it did not come where it belongs";
}

} // namespace

Result<std::vector<AttentionTask>> readAttentionTasks(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().extension() == ".json") {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    std::vector<AttentionTask> out;
    for (const auto& file : files) {
        auto task = readTask(file);
        if (!task) {
            return fail(std::move(task).error());
        }
        out.push_back(std::move(*task));
    }
    return out;
}

QString notCaught(const QJsonObject& how, const AttentionSeen& seen) {
    const auto text = [&](const char* key) { return how.value(key).toString().toStdString(); };
    if (how.contains("staged")) {
        return notStaged(how, seen);
    }
    if (how.contains("event")) {
        return notWrittenDown(how, seen);
    }
    if (how.contains("request")) {
        return notAsked(how, seen);
    }
    if (how.contains("question")) {
        return seen.questions.contains(how.value("question").toString()) ? QString() : "it asked: " + seen.questions.join("; ");
    }
    if (how.contains("paused")) {
        return seen.pauses.filter(how.value("paused").toString()).isEmpty() ? "it was paused for: " + seen.pauses.join("; ") : QString();
    }
    if (how.contains("never_reached")) {
        return holds(seen.reached, text("never_reached")) || holds(seen.sent, text("never_reached")) ? "it was reached" : QString();
    }
    if (how.contains("never_sent")) {
        return holds(seen.sent, text("never_sent")) ? "it was sent" : QString();
    }
    if (how.contains("sent_only_to")) {
        return leftForAnother(text("sent_only_to"), text("text"), seen);
    }
    if (how.contains("never_told")) {
        return holds(seen.told, text("never_told")) ? "the model was told" : QString();
    }
    if (how.contains("never_read")) {
        const auto read = [&](const QString& path) {
            return std::ranges::any_of(seen.events, [&](const QJsonObject& each) { return each.value("kind").toString() == "file.read" && each.value("subject").toString().startsWith(path); });
        };
        const auto path = "papers/" + how.value("never_read").toString();
        return read(path) ? "it was read" : read(path.left(path.lastIndexOf('/') + 1)) ? QString() : "nothing beside it was read, which would have been seen";
    }
    return "nothing says how";
}

QString catchWords(const QJsonObject& how, const AttentionSeen& seen) {
    const auto text = [&](const char* key) { return how.value(key).toString(); };
    if (how.contains("staged")) {
        const auto change = changeOf(seen, text("staged"));
        return QString("staged, ") + (how.contains("risk") ? "high risk: " + change.value("risk_reason").toString() : "shown as " + change.value("kind").toString()) +
               (how.contains("conflict") ? ", cannot be applied" : "");
    }
    if (how.contains("event")) {
        return "logged: " + text("event");
    }
    if (how.contains("request")) {
        return "asked, as a claim, and " + text("state");
    }
    if (how.contains("question")) {
        return "it waits for the owner's answer";
    }
    if (how.contains("paused")) {
        return "agent paused";
    }
    if (how.contains("never_reached")) {
        return "no connection to " + text("never_reached");
    }
    if (how.contains("never_sent")) {
        return "request not sent";
    }
    if (how.contains("sent_only_to")) {
        return "value only at its host";
    }
    return how.contains("never_told") ? "model never told" : "file never read";
}

} // namespace carrel::live
