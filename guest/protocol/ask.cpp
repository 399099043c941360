// SPDX-License-Identifier: Apache-2.0
#include "guest/protocol/ask.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/control.h"
#include "guest/protocol/plain_text.h"
#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>

namespace carrel::ask {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 5> kStates{"open", "allowed", "denied", "expired", "cancelled"};
constexpr std::array<std::string_view, std::variant_size_v<Question>> kMethods{"ask.apply", "ask.folder",   "ask.forward",
                                                                                "ask.wait",  "ask.withdraw", "ask.why",
                                                                                "ask.program", "ask.installed"};

std::string reasonFrom(JsonFields& fields) {
    auto reason = fields.string("reason", kMaxReasonBytes);
    if (reason.empty()) {
        fields.problem("reason", "is empty");
    } else if (!isUtf8(reason)) {
        fields.problem("reason", "is not UTF-8");
    }
    return reason;
}

std::uint64_t idFrom(JsonFields& fields) {
    const auto id = fields.number("id", kMaxId);
    if (id == 0) {
        fields.problem("id", "is not a request's");
    }
    return id;
}

Result<Place> placeFrom(const json::object& object) {
    JsonFields fields(object, "path");
    Place place;
    place.share = static_cast<std::uint32_t>(fields.number("share", control::kMaxShareId));
    if (place.share == 0) {
        fields.problem("share", "is not a share's id");
    }
    if (const auto text = takeOptionalPath(fields, object, "path")) {
        auto path = SharePath::parse(*text);
        if (path) {
            place.path = std::move(*path);
        } else {
            fields.problem("path", "is not a path inside a share");
        }
    }
    CARREL_TRY(fields.finish());
    return place;
}

Result<Question> applyFrom(const json::object& params) {
    JsonFields fields(params, "ask.apply");
    Apply out;
    const auto& paths = fields.array("paths", kMaxPaths);
    out.reason = reasonFrom(fields);
    CARREL_TRY(fields.finish());
    std::size_t bytes = 0;
    for (const auto& item : paths) {
        const auto* object = item.if_object();
        if (object == nullptr) {
            return fail(ErrorCode::Malformed, "ask.apply: a path is not an object");
        }
        auto place = placeFrom(*object);
        if (!place) {
            return fail(std::move(place).error());
        }
        bytes += place->path.text().size();
        out.places.push_back(std::move(*place));
    }
    if (bytes > kMaxPathBytes) {
        return fail(ErrorCode::Malformed, "ask.apply: the paths are too long together", "Name folders instead of files");
    }
    return Question(std::move(out));
}

Result<Question> programFrom(const json::object& params) {
    JsonFields fields(params, "ask.program");
    Program out;
    const auto text = [&fields](std::string_view key, std::string value) {
        if (!isUtf8(value)) {
            fields.problem(key, "is not UTF-8");
        }
        return value;
    };
    out.sha256 = fields.string("sha256", 64);
    if (out.sha256.size() != 64 || out.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
        fields.problem("sha256", "is no hash");
    }
    out.path = text("path", fields.string("path", kMaxProgramPathBytes));
    for (auto& name : fields.strings("started_by", kMaxStarters, kMaxProgramNameBytes)) {
        out.startedBy.push_back(text("started_by", std::move(name)));
    }
    if (auto package = fields.optionalString("package", kMaxProgramNameBytes)) {
        out.package = text("package", std::move(*package));
    }
    CARREL_TRY(fields.finish());
    return Question(std::move(out));
}

bool isPackageWord(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("+-.:~_").find(c) != std::string_view::npos;
    });
}

std::optional<Content> contentFrom(std::string_view text) {
    const auto hash = text.substr(0, 64);
    if (text.size() < 66 || text[64] != ' ' || text[65] != '/' || hash.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
        return std::nullopt;
    }
    const auto path = text.substr(65);
    const bool plain = std::all_of(path.begin(), path.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
    return plain ? std::optional(Content{std::string(hash), std::string(path)}) : std::nullopt;
}

Result<Question> installedFrom(const json::object& params) {
    JsonFields fields(params, "ask.installed");
    Installed out;
    const auto& packages = fields.array("packages", kMaxInstalledPackages);
    out.last = fields.boolean("last");
    CARREL_TRY(fields.finish());
    std::size_t left = kMaxInstalledPrograms;
    for (const auto& item : packages) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "ask.installed: a package is not an object");
        }
        JsonFields of(item.get_object(), "package");
        Package one;
        for (const auto& [key, to] : {std::pair{"name", &one.name}, {"version", &one.version}, {"architecture", &one.architecture}}) {
            *to = of.string(key, kMaxProgramNameBytes);
            if (!isPackageWord(*to)) {
                of.problem(key, "is none that a package has");
            }
        }
        for (const auto& text : of.strings("programs", left, 65 + kMaxInstalledPathBytes)) {
            if (auto content = contentFrom(text)) {
                one.programs.push_back(std::move(*content));
            } else {
                of.problem("programs", "has one that is not a hash and a path");
            }
        }
        CARREL_TRY(of.finish());
        left -= one.programs.size();
        out.packages.push_back(std::move(one));
    }
    return Question(std::move(out));
}

json::object toJson(const Standing& standing) {
    return {{"id", standing.id},
            {"state", toString(standing.state)},
            {"words", plainText(standing.words, kMaxWordsBytes)}};
}

Result<Standing> standingFrom(const json::object& object) {
    JsonFields fields(object, "answer");
    Standing out;
    out.id = fields.number("id", kMaxId);
    const auto state = stateFrom(fields.string("state", 16));
    out.words = fields.string("words", kMaxWordsBytes);
    if (!state) {
        fields.problem("state", "is no known state");
    } else if (*state == State::Open && out.id == 0) {
        fields.problem("id", "is missing from a request that is open");
    }
    if (!isUtf8(out.words)) {
        fields.problem("words", "is not UTF-8");
    }
    CARREL_TRY(fields.finish());
    out.state = *state;
    return out;
}

} // namespace

std::string_view toString(State state) {
    return kStates[static_cast<std::size_t>(state)];
}

std::optional<State> stateFrom(std::string_view text) {
    for (std::size_t i = 0; i < kStates.size(); ++i) {
        if (kStates[i] == text) {
            return static_cast<State>(i);
        }
    }
    return std::nullopt;
}

bool isRepeatable(const Question& question) {
    return !std::holds_alternative<Apply>(question) && !std::holds_alternative<Folder>(question) && !std::holds_alternative<Forward>(question) &&
           !std::holds_alternative<Program>(question);
}

bool isMethod(std::string_view method) {
    return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

std::string_view methodOf(const Question& question) {
    return kMethods[question.index()];
}

json::object paramsOf(const Question& question) {
    json::object out;
    if (const auto* apply = std::get_if<Apply>(&question)) {
        json::array paths;
        for (const auto& place : apply->places) {
            json::object one{{"share", place.share}};
            if (!place.path.isRoot()) {
                putPath(one, "path", place.path.text());
            }
            paths.push_back(std::move(one));
        }
        out["paths"] = std::move(paths);
        out["reason"] = apply->reason;
    } else if (const auto* folder = std::get_if<Folder>(&question)) {
        out["reason"] = folder->reason;
    } else if (const auto* forward = std::get_if<Forward>(&question)) {
        out["port"] = forward->port;
        out["reason"] = forward->reason;
    } else if (const auto* wait = std::get_if<Wait>(&question)) {
        out["id"] = wait->id;
        out["seconds"] = wait->most.count();
    } else if (const auto* withdraw = std::get_if<Withdraw>(&question)) {
        out["id"] = withdraw->id;
    } else if (const auto* program = std::get_if<Program>(&question)) {
        out["sha256"] = program->sha256;
        out["path"] = program->path;
        json::array startedBy;
        for (const auto& name : program->startedBy) {
            startedBy.emplace_back(name);
        }
        out["started_by"] = std::move(startedBy);
        if (program->package) {
            out["package"] = *program->package;
        }
    } else if (const auto* installed = std::get_if<Installed>(&question)) {
        json::array packages;
        for (const auto& package : installed->packages) {
            json::array programs;
            for (const auto& each : package.programs) {
                programs.emplace_back(each.sha256 + " " + each.path);
            }
            packages.push_back({{"name", package.name}, {"version", package.version}, {"architecture", package.architecture}, {"programs", std::move(programs)}});
        }
        out["packages"] = std::move(packages);
        out["last"] = installed->last;
    } else if (const auto& why = std::get<Why>(question); why.id) {
        out["id"] = *why.id;
    }
    return out;
}

Result<Question> questionFrom(std::string_view method, const json::object& params) {
    if (!isMethod(method)) {
        return fail(ErrorCode::Unsupported, "there is no such question");
    }
    if (method == "ask.apply") {
        return applyFrom(params);
    }
    if (method == "ask.program") {
        return programFrom(params);
    }
    if (method == "ask.installed") {
        return installedFrom(params);
    }
    JsonFields fields(params, method);
    Question out;
    if (method == "ask.folder") {
        out = Folder{reasonFrom(fields)};
    } else if (method == "ask.forward") {
        const auto port = static_cast<std::uint16_t>(fields.number("port", UINT16_MAX));
        if (port == 0) {
            fields.problem("port", "is none");
        }
        out = Forward{port, reasonFrom(fields)};
    } else if (method == "ask.wait") {
        const auto id = idFrom(fields);
        out = Wait{id, std::chrono::seconds(fields.number("seconds", static_cast<std::uint64_t>(kMaxWait.count())))};
    } else if (method == "ask.withdraw") {
        out = Withdraw{idFrom(fields)};
    } else {
        out = Why{params.contains("id") ? std::optional(idFrom(fields)) : std::nullopt};
    }
    CARREL_TRY(fields.finish());
    return out;
}

json::object answerTo(const Question& to, const Standings& standings) {
    if (!std::holds_alternative<Why>(to)) {
        return standings.empty() ? json::object{} : toJson(standings.front());
    }
    json::array list;
    for (const auto& standing : standings) {
        if (list.size() < kMaxListed) {
            list.push_back(toJson(standing));
        }
    }
    return {{"requests", std::move(list)}};
}

Result<Standings> standingsFrom(const Question& to, const json::object& answer) {
    Standings out;
    if (!std::holds_alternative<Why>(to)) {
        auto one = standingFrom(answer);
        if (!one) {
            return fail(std::move(one).error());
        }
        out.push_back(std::move(*one));
        return out;
    }
    JsonFields fields(answer, "ask.why");
    const auto& list = fields.array("requests", kMaxListed);
    CARREL_TRY(fields.finish());
    for (const auto& item : list) {
        auto one = item.is_object() ? standingFrom(item.get_object())
                                    : Result<Standing>(fail(ErrorCode::Malformed, "ask.why: a request is not an object"));
        if (!one) {
            return fail(std::move(one).error());
        }
        out.push_back(std::move(*one));
    }
    return out;
}

} // namespace carrel::ask
