// SPDX-License-Identifier: Apache-2.0
#include "app/policy/rule.h"

#include "app/files/risk.h"
#include "app/policy/path_pattern.h"
#include "guest/protocol/share_path.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

namespace carrel::policy {
namespace {

constexpr std::array<std::string_view, 6> kActions{"apply", "folder", "network", "credential", "forward", "program"};
constexpr std::array kApply{Field{"folder", FieldKind::Folder}, Field{"path", FieldKind::PathPattern},
                            Field{"change", FieldKind::Change},
                            Field{"from", FieldKind::PathPattern, Field::Seen::IfRead, Field::Of::Requests},
                            Field{"type", FieldKind::Type, Field::Seen::IfRead, Field::Of::Requests}};
constexpr std::array kFolder{Field{"folder", FieldKind::Folder, Field::Seen::IfChosen}, Field{"mode", FieldKind::Mode}};
constexpr std::array kNetwork{Field{"host", FieldKind::Host}, Field{"port", FieldKind::Port},
                              Field{"method", FieldKind::Method, Field::Seen::IfRead},
                              Field{"path", FieldKind::PathPrefix, Field::Seen::IfRead}};
constexpr std::array kCredential{Field{"name", FieldKind::Name}, Field{"host", FieldKind::Host}};
constexpr std::array kForward{Field{"port", FieldKind::Port}};
constexpr std::array kProgram{Field{"sha256", FieldKind::Sha256}};

constexpr std::array<std::string_view, 6> kChanges{"created", "modified", "deleted", "renamed", "mode", "link"};
constexpr std::array<std::string_view, 3> kModes{"read-only", "review", "auto"};

template <class Set> bool contains(const Set& set, std::string_view value) {
    return std::find(set.begin(), set.end(), value) != set.end();
}

bool allOf(std::string_view text, std::string_view also, bool upper, bool lower) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (lower && c >= 'a' && c <= 'z') || (upper && c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               also.find(c) != std::string_view::npos;
    });
}

bool isPort(std::string_view text) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535 &&
           std::to_string(port) == text;
}

// Names as DNS has them, in lower case and in ASCII (RFC 5890), or an address in brackets or not. A star only as the
// whole first label: anything else would be read as more, or less, than it matches.
bool isHostPattern(std::string_view text) {
    if (text.starts_with("*.")) {
        text.remove_prefix(2);
    }
    return text.size() <= 253 && allOf(text, "-._:", false, true) && text.front() != '.' && text.back() != '.' &&
           text.find("..") == std::string_view::npos;
}

// Absolute, without a step that a look along it would not take.
bool isPlainPath(std::string_view text) {
    const std::string path = std::string(text) + "/";
    return path.starts_with('/') && path.find("//") == std::string::npos && path.find("/./") == std::string::npos &&
           path.find("/../") == std::string::npos;
}

bool isSpelled(FieldKind kind, std::string_view text) {
    if (text.empty() || text.size() > kMaxValueBytes || text.find('\0') != std::string_view::npos) {
        return false;
    }
    switch (kind) {
    case FieldKind::Folder:
        return text == "/" || isPlainPath(text);
    case FieldKind::PathPattern:
        return !text.starts_with('/') && isPlainPath("/" + std::string(text));
    case FieldKind::Type:
        return text == "folder";
    case FieldKind::Change:
        return contains(kChanges, text);
    case FieldKind::Mode:
        return contains(kModes, text);
    case FieldKind::Host:
        return isHostPattern(text);
    case FieldKind::Port:
        return isPort(text);
    case FieldKind::Method:
        return text.size() <= 32 && allOf(text, "-", true, false);
    case FieldKind::PathPrefix: // percent-encoding is undone before it is matched
        return text == "/" || isPlainPath(text.ends_with('/') ? text.substr(0, text.size() - 1) : text);
    case FieldKind::Name:
        return text.size() <= 64 && allOf(text, "-._", false, true);
    case FieldKind::Sha256:
        return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
                   return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
               });
    }
    return false;
}

// Of a rule about requests. Stars alone: a pattern has to match its own text, so that there is a request that it speaks of (asRead).
bool isRequestPattern(std::string_view text) {
    return text.find('*') != std::string_view::npos;
}

// Of a rule. What is not UTF-8 could be written to the file and not be read again.
bool isValue(FieldKind kind, std::string_view text) {
    if (!isSpelled(kind, text) || !isUtf8(text)) {
        return false;
    }
    if (kind == FieldKind::PathPrefix && isRequestPattern(text)) {
        return text.find_first_of("?[") == std::string_view::npos && isPathPattern(text.substr(1));
    }
    return kind != FieldKind::PathPattern || isPathPattern(text);
}

// Of a request.
bool isSeen(FieldKind kind, std::string_view text) {
    return isSpelled(kind, text) && !(kind == FieldKind::Host && text.starts_with("*."));
}

bool isBelow(std::string_view folder, std::string_view path) {
    return folder == "/" || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

bool namesItsPaths(const Rule& rule) {
    const auto paths = rule.fields.find("path");
    return paths != rule.fields.end() && std::all_of(paths->second.begin(), paths->second.end(), isLiteralPattern);
}

bool namesItsHosts(const Rule& rule) {
    const auto hosts = rule.fields.find("host");
    return hosts != rule.fields.end() && rule.fields.contains("port") &&
           std::none_of(hosts->second.begin(), hosts->second.end(), [](const std::string& host) { return host.starts_with("*."); });
}

// What is of high risk, only by its very name.
bool namesWhatIsHigh(const Rule& rule) {
    return rule.action == Action::Apply ? namesItsPaths(rule) : rule.action == Action::Network ? namesItsHosts(rule) : true;
}

} // namespace

std::string_view toString(Action action) {
    return kActions.at(static_cast<std::size_t>(action));
}

std::string_view toString(Effect effect) {
    return effect == Effect::Allow ? "allow" : "deny";
}

std::optional<Action> actionFrom(std::string_view text) {
    const auto at = std::find(kActions.begin(), kActions.end(), text);
    return at == kActions.end() ? std::nullopt : std::optional(static_cast<Action>(at - kActions.begin()));
}

std::optional<Effect> effectFrom(std::string_view text) {
    return text == "allow"  ? std::optional(Effect::Allow)
           : text == "deny" ? std::optional(Effect::Deny)
                            : std::nullopt;
}

std::span<const Field> fieldsOf(Action action) {
    switch (action) {
    case Action::Apply:
        return kApply;
    case Action::Folder:
        return kFolder;
    case Action::Network:
        return kNetwork;
    case Action::Credential:
        return kCredential;
    case Action::Forward:
        return kForward;
    case Action::Program:
        return kProgram;
    }
    return {};
}

Status check(const Rule& rule) {
    const auto bad = [&](const std::string& what, std::string hint) -> Status {
        return fail(ErrorCode::InvalidArgument, "A rule " + what, std::move(hint));
    };
    if (rule.note.size() > kMaxNoteBytes) {
        return bad("has a note of more than " + std::to_string(kMaxNoteBytes) + " bytes", "Shorten the note");
    }
    for (const auto* text : {&rule.note, &rule.agent, &rule.session}) {
        if (text->find('\0') != std::string::npos || !isUtf8(*text)) {
            return bad("has text that is not UTF-8", "Write its note, agent and session in UTF-8");
        }
    }
    if (rule.agent.size() > kMaxIdBytes || rule.session.size() > kMaxIdBytes) {
        return bad("names an agent or a session by more than " + std::to_string(kMaxIdBytes) + " bytes",
                   "See the ids: carrel list");
    }
    if (rule.high && rule.effect == Effect::Deny) {
        return bad("that denies says high risk", "Leave that out: what denies covers every risk");
    }
    if (rule.high && rule.action == Action::Apply && !namesItsPaths(rule)) {
        return bad("about apply covers high risk without naming each path",
                   "Name the very paths, without * ? or [, or leave high risk to be asked");
    }
    if (rule.high && rule.action == Action::Network && !namesItsHosts(rule)) {
        return bad("about network covers high risk without naming each host and port",
                   "Name the very hosts, without a star, and the ports, or leave high risk to be asked");
    }
    if (rule.untilMs && (*rule.untilMs < kEarliestMs || *rule.untilMs > kLatestMs)) {
        return bad("has an end that no calendar of today knows", "Give it one before the year 10000, or none");
    }
    for (const auto& given : rule.fields) {
        const auto& name = given.first;
        const auto& values = given.second;
        const auto fields = fieldsOf(rule.action);
        const auto field =
            std::find_if(fields.begin(), fields.end(), [&](const Field& each) { return each.of == Field::Of::Both && each.name == name; });
        if (field == fields.end()) {
            std::string known;
            for (const auto& each : fields) {
                if (each.of == Field::Of::Both) {
                    known += (known.empty() ? "" : ", ") + std::string(each.name);
                }
            }
            return bad("about " + std::string(toString(rule.action)) + " has the field " + name +
                           ", which it cannot have",
                       "Its fields are: " + known);
        }
        // Left empty it would match nothing, and read as if it matched anything.
        if (values.empty() || values.size() > kMaxValues) {
            return bad("has " + std::to_string(values.size()) + " values for " + name,
                       "Give at least one and at most " + std::to_string(kMaxValues) + ", or leave the field out");
        }
        for (const auto& value : values) {
            if (!isValue(field->kind, value)) {
                return bad("has a value for " + name + " that it cannot have: " + value,
                           "See \"carrel rules add --help\" for what each field takes");
            }
        }
    }
    return {};
}

Status check(const Request& request) {
    const auto fields = fieldsOf(request.action);
    const auto bad = [&](const std::string& what) -> Status {
        return fail(ErrorCode::Malformed, "A request about " + std::string(toString(request.action)) + " " + what);
    };
    if (request.agent.empty() || request.agent.size() > kMaxIdBytes || request.session.size() > kMaxIdBytes ||
        !isUtf8(request.agent) || !isUtf8(request.session)) {
        return bad("is of no agent, or of a session that has no such name");
    }
    std::size_t known = 0;
    for (const auto& field : fields) {
        const auto seen = request.fields.find(field.name);
        if (seen == request.fields.end()) {
            if (field.seen == Field::Seen::Always) {
                return bad("does not say its " + std::string(field.name));
            }
            continue;
        }
        ++known;
        if (!isSeen(field.kind, seen->second)) {
            return bad("has a " + std::string(field.name) + " that is not in the form that rules are matched with");
        }
    }
    return known == request.fields.size() ? Status() : bad("says something that it cannot have");
}

bool matchesValue(FieldKind kind, std::string_view wanted, std::string_view seen) {
    switch (kind) {
    case FieldKind::Folder:
        return isBelow(wanted, seen);
    case FieldKind::PathPattern:
        return matchesPattern(wanted, seen);
    case FieldKind::Host:
        return wanted.starts_with("*.") ? seen.size() > wanted.size() - 1 && seen.ends_with(wanted.substr(1))
                                        : seen == wanted;
    case FieldKind::PathPrefix:
        if (isRequestPattern(wanted)) {
            return matchesPattern(wanted.substr(1), seen.substr(1));
        }
        return seen.starts_with(wanted) &&
               (wanted.ends_with('/') || seen.size() == wanted.size() || seen[wanted.size()] == '/');
    case FieldKind::Change:
    case FieldKind::Mode:
    case FieldKind::Port:
    case FieldKind::Method:
    case FieldKind::Name:
    case FieldKind::Sha256:
    case FieldKind::Type:
        return seen == wanted;
    }
    return false;
}

namespace {

bool isOneOf(const std::vector<std::string>& values, const std::function<bool(const std::string&)>& is) {
    return std::any_of(values.begin(), values.end(), is);
}

enum class Letters { AsTheyAre, Lowered };
std::string written(std::string_view text, Letters letters) {
    return letters == Letters::Lowered ? files::lowered(text) : std::string(text);
}

// An apply, by a rule's folders and paths: where it goes, and of a rename where it comes from. What denies does so where it
// meets either, and what allows has to cover both. With a folder goes all that is in it: what could be there is denied, and
// allowed is only what says so of everything below.
bool meetsAs(const Rule& rule, const Request& request, const std::string& seen, Letters letters) {
    const bool all = request.fields.contains("type");
    const bool deny = rule.effect == Effect::Deny;
    const auto path = written(seen, letters);
    if (const auto folders = rule.fields.find("folder"); folders != rule.fields.end()) {
        const auto whole = written(request.fields.at("folder"), letters) + "/" + path;
        const bool one = isOneOf(folders->second, [&](const std::string& value) {
            const auto folder = written(value, letters);
            return isBelow(folder, whole) || (deny && all && isBelow(whole, folder));
        });
        if (!one) {
            return false;
        }
    }
    const auto paths = rule.fields.find("path");
    return paths == rule.fields.end() || isOneOf(paths->second, [&](const std::string& value) {
               const auto pattern = written(value, letters);
               return !all ? matchesPattern(pattern, path) : deny ? reachesInto(pattern, path) : coversAllOf(pattern, path);
           });
}

// What denies does so whichever letters a disk takes for the same (exFAT, NTFS, folders that fold case); and as it is written, since
// lowered a pattern's [!A-Z] would mean something else. So it only ever denies more.
bool meets(const Rule& rule, const Request& request, const std::string& seen) {
    return meetsAs(rule, request, seen, Letters::AsTheyAre) ||
           (rule.effect == Effect::Deny && meetsAs(rule, request, seen, Letters::Lowered));
}

bool meetsWhere(const Rule& rule, const Request& request) {
    const auto path = request.fields.find("path");
    if (path == request.fields.end() || !request.fields.contains("folder")) {
        return rule.effect == Effect::Deny;
    }
    const bool to = meets(rule, request, path->second);
    const auto from = request.fields.find("from");
    if (from == request.fields.end()) {
        return to;
    }
    const bool there = meets(rule, request, from->second);
    return rule.effect == Effect::Deny ? to || there : to && there;
}

} // namespace

bool matches(const Rule& rule, const Request& request, std::int64_t nowMs) {
    if (rule.action != request.action || (rule.untilMs && nowMs >= *rule.untilMs) ||
        (!rule.agent.empty() && rule.agent != request.agent) ||
        (!rule.session.empty() && rule.session != request.session) ||
        (rule.effect == Effect::Allow && request.risk == Risk::High &&
         (!rule.high || !namesWhatIsHigh(rule)))) {
        return false;
    }
    const bool apply = rule.action == Action::Apply;
    if (apply && !meetsWhere(rule, request)) {
        return false;
    }
    for (const auto& field : fieldsOf(rule.action)) {
        const auto wanted = rule.fields.find(field.name);
        const auto seen = request.fields.find(field.name);
        const bool toChoose = field.seen == Field::Seen::IfChosen && seen == request.fields.end();
        if (toChoose && rule.effect == Effect::Allow) {
            return false; // which one, only a person says
        }
        if (wanted == rule.fields.end() || (apply && (field.kind == FieldKind::Folder || field.kind == FieldKind::PathPattern))) {
            continue;
        }
        if (seen == request.fields.end()) {
            // Not known of this request. What denies must not be passed by what cannot be read; what allows must not
            // cover it. What is still to be chosen is judged then.
            if (toChoose || rule.effect == Effect::Allow) {
                return false;
            }
            continue;
        }
        const bool one = std::any_of(wanted->second.begin(), wanted->second.end(), [&](const std::string& value) {
            return matchesValue(field.kind, value, seen->second);
        });
        if (!one) {
            return false;
        }
    }
    return true;
}

} // namespace carrel::policy
