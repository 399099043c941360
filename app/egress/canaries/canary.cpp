// SPDX-License-Identifier: Apache-2.0
#include "app/egress/canaries/canary.h"

#include "app/egress/credentials/credential.h"
#include "app/policy/rule.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <set>

namespace carrel::egress {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxName = 64, kMaxVariable = 64;
constexpr std::string_view kWrittenOtherwise = "\"\\'<>&%"; // in JSON, HTML or a URL

bool isText(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~' && kWrittenOtherwise.find(c) == std::string_view::npos; });
}

bool isOneLine(std::string_view text) {
    return text.size() <= kMaxPlanted && isUtf8(text) &&
           std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
}

// Each as likely as any other.
Result<std::string> randomOf(std::string_view letters, std::size_t count) {
    std::string out;
    const auto most = 256 / letters.size() * letters.size();
    while (out.size() < count) {
        std::array<unsigned char, 64> bytes{};
        if (::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
            return fail(ErrorCode::Internal, "This computer gives no random numbers");
        }
        for (const auto byte : bytes) {
            if (byte < most && out.size() < count) {
                out += letters[byte % letters.size()];
            }
        }
    }
    return out;
}

} // namespace

Status check(const Canary& of) {
    const auto bad = [](const char* what, const char* hint) -> Status { return fail(ErrorCode::InvalidArgument, what, hint); };
    if (!isCredentialName(of.name)) {
        return bad("That cannot be the name of a canary", "Use 1 to 64 lower-case letters, digits, \"-\", \"_\" and \".\"");
    }
    if (of.text.size() < relay::kMinCanary || of.text.size() > kMaxCanaryText || !isText(of.text) ||
        std::set<char>(of.text.begin(), of.text.end()).size() < kMinCanaryLetters) {
        return bad("That text is none that could be told from others wherever it is written",
                   "Use 12 to 256 letters, digits and marks without blanks, quotes, backslashes, \"<\", \">\", \"&\" and \"%\", six of them different; or "
                   "leave it out, and Carrel makes one");
    }
    if (of.agents.size() > kMaxCanaryAgents) {
        return bad("A canary is for at most 64 agents", "Name fewer, or none: then it is for all");
    }
    if (!isOneLine(of.planted)) {
        return bad("That cannot be the note of where a canary is", "Use one line of at most 400 bytes");
    }
    if (of.variable && !isVariableName(*of.variable)) {
        return bad("That cannot be the name of a variable", "Use letters, digits and \"_\", and no digit at the beginning");
    }
    return {};
}

bool isFor(const Canary& canary, std::string_view agent) {
    return canary.agents.empty() || std::find(canary.agents.begin(), canary.agents.end(), agent) != canary.agents.end();
}

std::string_view toString(CanaryShape shape) {
    return shape == CanaryShape::Token ? "token" : shape == CanaryShape::Text ? "text" : "aws";
}

std::optional<CanaryShape> canaryShapeFrom(std::string_view text) {
    for (const auto shape : {CanaryShape::Token, CanaryShape::Text, CanaryShape::Aws}) {
        if (toString(shape) == text) {
            return shape;
        }
    }
    return std::nullopt;
}

Result<std::string> newCanaryText(CanaryShape shape) {
    constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    constexpr std::string_view kConsonants = "bdfgklmnprstvz", kVowels = "aeiou";
    constexpr std::size_t kSyllables = 11;
    for (;;) { // until it is one: of few different letters there is hardly ever one
        Canary made{"made", {}, {}, {}, {}, 0};
        if (shape == CanaryShape::Text) {
            const auto hard = randomOf(kConsonants, kSyllables), soft = randomOf(kVowels, kSyllables);
            if (!hard || !soft) {
                return fail(!hard ? hard.error() : soft.error());
            }
            for (std::size_t i = 0; i < kSyllables; ++i) {
                made.text += {(*hard)[i], (*soft)[i]};
            }
        } else {
            const auto random = shape == CanaryShape::Token ? randomOf(kLetters, 45) : randomOf(kUpper, 16);
            if (!random) {
                return fail(random.error());
            }
            made.text = (shape == CanaryShape::Token ? "sk-" : "AKIA") + *random;
        }
        if (check(made)) {
            return made.text;
        }
    }
}

json::object toJson(const Canary& of) {
    json::array agents;
    for (const auto& each : of.agents) {
        agents.emplace_back(each);
    }
    json::object out{{"name", of.name}, {"text", of.text}, {"agents", std::move(agents)}, {"planted", of.planted}, {"created_ms", of.createdMs}};
    if (of.variable) {
        out["env"] = *of.variable;
    }
    return out;
}

Result<Canary> canaryFrom(const json::object& object) {
    JsonFields fields(object, "a canary");
    Canary out;
    out.name = fields.string("name", kMaxName);
    out.text = fields.string("text", kMaxCanaryText);
    out.agents = fields.strings("agents", kMaxCanaryAgents, policy::kMaxIdBytes);
    out.planted = fields.string("planted", kMaxPlanted);
    out.variable = fields.optionalString("env", kMaxVariable);
    out.createdMs = fields.signedNumber("created_ms");
    CARREL_TRY(fields.finish());
    CARREL_TRY(check(out));
    return out;
}

} // namespace carrel::egress
