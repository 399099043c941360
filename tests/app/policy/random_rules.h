// SPDX-License-Identifier: Apache-2.0
// Random rules and requests that often meet: few names, so that each is hit.
#pragma once

#include "app/policy/rule.h"

#include <random>

namespace carrel::policy::test {

class RandomRules {
public:
    explicit RandomRules(unsigned seed)
        : m_random(seed) {}

    std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(m_random); }
    bool chance(unsigned percent) { return below(100) < percent; }

    Rule rule(std::uint64_t id) {
        Rule out;
        out.id = id;
        out.effect = chance(60) ? Effect::Allow : Effect::Deny;
        out.action = static_cast<Action>(below(6));
        out.agent = chance(30) ? pick(kAgents) : "";
        out.session = chance(20) ? pick(kSessions) : "";
        if (chance(30)) {
            out.untilMs = static_cast<std::int64_t>(below(2000)) - 500;
        }
        out.high = out.effect == Effect::Allow && chance(30);
        out.note = chance(20) ? "a note: \"quoted\"\n\tand more" : "";
        for (const auto& field : fieldsOf(out.action)) {
            if (field.of == Field::Of::Both && chance(40)) {
                auto& values = out.fields[std::string(field.name)];
                for (auto count = 1 + below(2); count > 0; --count) {
                    values.push_back(value(field.kind, true));
                }
            }
        }
        if (out.high && out.action == Action::Apply) { // only with the very paths
            out.fields["path"] = {chance(50) ? "a.txt" : "docs/x"};
        }
        if (out.high && out.action == Action::Network) { // likewise
            out.fields["host"] = {value(FieldKind::Host, false)};
            out.fields["port"] = {value(FieldKind::Port, false)};
        }
        return out;
    }
    Request request() {
        Request out;
        out.agent = pick(kAgents);
        out.session = pick(kSessions);
        out.action = static_cast<Action>(below(6));
        out.risk = chance(30) ? Risk::High : Risk::Routine;
        for (const auto& field : fieldsOf(out.action)) {
            if (chance(85)) {
                out.fields[std::string(field.name)] = value(field.kind, false);
            }
        }
        return out;
    }

private:
    template <class List> std::string pick(const List& list) { return std::string(list[below(std::size(list))]); }
    std::string value(FieldKind kind, bool pattern) {
        switch (kind) {
        case FieldKind::Folder:
            return pick(kFolders);
        case FieldKind::PathPattern:
            return pattern ? pick(kPatterns) : pick(kPaths);
        case FieldKind::Change:
            return pick(kChanges);
        case FieldKind::Mode:
            return pick(kModes);
        case FieldKind::Host:
            return pattern ? pick(kHostPatterns) : pick(kHosts);
        case FieldKind::Port:
            return pick(kPorts);
        case FieldKind::Method:
            return pick(kMethods);
        case FieldKind::PathPrefix:
            return pick(kPrefixes);
        case FieldKind::Name:
            return pick(kNames);
        case FieldKind::Sha256:
            return std::string(64, pick(kNames).front() == 'm' ? 'a' : 'b');
        case FieldKind::Type:
            return "folder";
        }
        return {};
    }

    static constexpr std::string_view kAgents[]{"ann", "bob"};
    static constexpr std::string_view kSessions[]{"s1", "s2"};
    static constexpr std::string_view kFolders[]{"/", "/home/ada", "/home/ada/papers", "/home/ada/papers2"};
    static constexpr std::string_view kPatterns[]{"a.txt", "docs/**", "docs/*", "**", "d*/x", "**/x", "docs/**/x"};
    static constexpr std::string_view kPaths[]{"a.txt", "docs/x", "docs/deep/x", "other"};
    static constexpr std::string_view kChanges[]{"created", "modified", "deleted"};
    static constexpr std::string_view kModes[]{"read-only", "review", "auto"};
    static constexpr std::string_view kHostPatterns[]{"example.org", "*.example.org", "10.0.0.1"};
    static constexpr std::string_view kHosts[]{"example.org", "www.example.org", "badexample.org", "10.0.0.1"};
    static constexpr std::string_view kPorts[]{"80", "443"};
    static constexpr std::string_view kMethods[]{"GET", "POST"};
    static constexpr std::string_view kPrefixes[]{"/", "/simple", "/simple/", "/simple/x"};
    static constexpr std::string_view kNames[]{"model", "git"};

    std::mt19937 m_random;
};

} // namespace carrel::policy::test
