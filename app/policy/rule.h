// SPDX-License-Identifier: Apache-2.0
// A rule: what is allowed, or denied, without asking anybody. It matches what the host itself saw of a request, never
// what a guest says of itself. Thread: values, pure functions.
//
// Each action has fields of its own (fieldsOf). A rule gives some of them, each with one or more values, of which one
// must match; a field that it does not give matches anything. So a rule with fewer fields covers more.
//
//   apply       folder  a folder on this computer: what lies in it is meant, be it shared itself, above or below what is
//               path    in the share: a pattern (path_pattern.h); "docs/**" is all below
//               change  created, modified, deleted, renamed, mode, link
//               what happens by the host's own look: a file in the place of a folder is deleted and created. Denied whichever
//               case its letters have.
//               A rename is denied where its old or its new name is, and allowed where both are; that of a folder is one of
//               all that is in it.
//   folder      folder  as above. A request without one is for a folder that the owner chooses with the answer: no rule
//                       allows it, and a rule with folders is asked about it once one is chosen
//               mode    read-only, review, auto
//   network     host    a name, or "*.example.org" for every name below that one (not itself); or an address
//               port    1 to 65535
//               method  GET, …; of a request that is read. One that is not read has none, and no rule with methods covers it
//               path    the beginning of a path of a request that is read, up to a "/"; with "*" in it, a pattern (path_pattern.h,
//                       no "?" and "[") of the whole: "/**/git-upload-pack"
//   credential  name    of the credential
//               host    as above: where it is used
//   forward     port    of the agent's machine, whose server is shown in the user's browser. Of high risk, each time: the owner
//                       says so, and no rule does; one that denies counts all the same
//   program     sha256  64 hexadecimal digits, of the file's content. Allowed with `high`, it may also make code in memory while it
//                       runs, as just-in-time compilers do
#pragma once

#include "guest/protocol/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::policy {

enum class Action { Apply, Folder, Network, Credential, Forward, Program };
enum class Effect { Allow, Deny };
enum class Risk { Routine, High };

[[nodiscard]] std::string_view toString(Action action);
[[nodiscard]] std::string_view toString(Effect effect);
[[nodiscard]] std::optional<Action> actionFrom(std::string_view text);
[[nodiscard]] std::optional<Effect> effectFrom(std::string_view text);

enum class FieldKind { Folder, PathPattern, Change, Mode, Host, Port, Method, PathPrefix, Name, Sha256, Type };
struct Field {
    std::string_view name;
    FieldKind kind;
    enum class Seen { Always, IfRead, IfChosen } seen = Seen::Always; // of a request
    // Requests: no rule has it. from: where a rename comes from; type: "folder", where all that is in it moves along.
    enum class Of { Both, Requests } of = Of::Both;
};
[[nodiscard]] std::span<const Field> fieldsOf(Action action);

inline constexpr std::size_t kMaxValues = 1000; // of one field
inline constexpr std::size_t kMaxValueBytes = 4096;
inline constexpr std::size_t kMaxNoteBytes = 280;
inline constexpr std::size_t kMaxIdBytes = 128; // of an agent or a session
inline constexpr std::int64_t kEarliestMs = -62'135'596'800'000; // the year 1
inline constexpr std::int64_t kLatestMs = 253'402'300'799'000;    // the end of the year 9999

struct Rule {
    std::uint64_t id = 0; // of one home, never given again; 0 in one that is only thought of
    Effect effect = Effect::Deny;
    Action action = Action::Apply;
    std::string agent;   // its id; empty: every agent
    std::string session; // from one start of the agent to its stop; empty: any
    std::optional<std::int64_t> untilMs; // since 1970; it does not count from then on
    // Allow: of high risk, too; of an apply only with the very paths, since such a file is a way to the host by itself
    // (design section 7); of the network only with the very hosts and ports, since what is not of the internet is so by its address
    // (section 9). A Deny covers every risk.
    bool high = false;
    std::map<std::string, std::vector<std::string>, std::less<>> fields;
    std::string note;    // the owner's words
    friend bool operator==(const Rule&, const Rule&) = default;
};

// Every field is one of the action's and every value one that it can have, in the one spelling that is matched.
[[nodiscard]] Status check(const Rule& rule);

// What the host saw. A field that does not apply (the method of a connection that is not read) is absent.
struct Request {
    std::string agent;
    std::string session;
    Action action = Action::Apply;
    Risk risk = Risk::Routine;
    std::map<std::string, std::string, std::less<>> fields;
    friend bool operator==(const Request&, const Request&) = default;
};

// It has the fields that its action cannot be judged without, and each in the one spelling that rules are matched with: a
// name in capitals must not pass by what denies it. Names of files may be of any bytes. Malformed: treat it as denied.
[[nodiscard]] Status check(const Request& request);

[[nodiscard]] bool matches(const Rule& rule, const Request& request, std::int64_t nowMs);
// One value of a field against what was seen.
[[nodiscard]] bool matchesValue(FieldKind kind, std::string_view wanted, std::string_view seen);

} // namespace carrel::policy
