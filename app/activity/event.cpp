// SPDX-License-Identifier: Apache-2.0
#include "app/activity/event.h"

#include "guest/protocol/bytes.h"

#include <boost/json.hpp>
#include <openssl/evp.h>

#include <cstdio>
#include <ctime>
#include <memory>
#include <unordered_map>

namespace carrel::activity {

std::string_view toString(EventKind kind) {
    switch (kind) {
    case EventKind::AgentCreated:
        return "agent.created";
    case EventKind::AgentDeleted:
        return "agent.deleted";
    case EventKind::VmState:
        return "vm.state";
    case EventKind::VmStage:
        return "vm.stage";
    case EventKind::ClerkState:
        return "clerk.state";
    case EventKind::ShareAdded:
        return "share.added";
    case EventKind::ShareChanged:
        return "share.changed";
    case EventKind::ShareRemoved:
        return "share.removed";
    case EventKind::FileRead:
        return "file.read";
    case EventKind::ExecStarted:
        return "exec.started";
    case EventKind::ExecEnded:
        return "exec.ended";
    case EventKind::ReviewFrozen:
        return "review.frozen";
    case EventKind::ApplyDecided:
        return "apply.decided";
    case EventKind::ApplyDone:
        return "apply.done";
    case EventKind::UndoDecided:
        return "undo.decided";
    case EventKind::UndoDone:
        return "undo.done";
    case EventKind::DiscardDecided:
        return "discard.decided";
    case EventKind::DiscardDone:
        return "discard.done";
    case EventKind::ApprovalAsked:
        return "approval.asked";
    case EventKind::ApprovalChanged:
        return "approval.changed";
    case EventKind::ApprovalRepeated:
        return "approval.repeated";
    case EventKind::ApprovalShown:
        return "approval.shown";
    case EventKind::ApprovalDecided:
        return "approval.decided";
    case EventKind::ApprovalEnded:
        return "approval.ended";
    case EventKind::ApprovalReopened:
        return "approval.reopened";
    case EventKind::ApprovalEffect:
        return "approval.effect";
    case EventKind::ApprovalsTurnedAway:
        return "approval.turned_away";
    case EventKind::RuleKept:
        return "rule.kept";
    case EventKind::RuleAnswered:
        return "rule.answered";
    case EventKind::RuleAdded:
        return "rule.added";
    case EventKind::RuleRemoved:
        return "rule.removed";
    case EventKind::RuleReplaced:
        return "rule.replaced";
    case EventKind::GuestLog:
        return "guest.log";
    case EventKind::EngineNote:
        return "engine.note";
    case EventKind::ClientAllowed:
        return "client.allowed";
    case EventKind::ClientEnded:
        return "client.ended";
    case EventKind::NetMode:
        return "net.mode";
    case EventKind::NetTraffic:
        return "net.traffic";
    case EventKind::NetCut:
        return "net.cut";
    case EventKind::NetLimit:
        return "net.limit";
    case EventKind::NetSpent:
        return "net.spent";
    case EventKind::CredentialAdded:
        return "credential.added";
    case EventKind::CredentialRemoved:
        return "credential.removed";
    case EventKind::CredentialUsed:
        return "credential.used";
    case EventKind::CredentialRefused:
        return "credential.refused";
    case EventKind::ForwardOpened:
        return "forward.opened";
    case EventKind::ForwardTraffic:
        return "forward.traffic";
    case EventKind::ForwardClosed:
        return "forward.closed";
    case EventKind::CanaryAdded:
        return "canary.added";
    case EventKind::CanaryPlanted:
        return "canary.planted";
    case EventKind::CanaryRemoved:
        return "canary.removed";
    case EventKind::CanaryLeft:
        return "canary.left";
    case EventKind::TaskAdded:
        return "task.added";
    case EventKind::TaskBegun:
        return "task.begun";
    case EventKind::TaskEnded:
        return "task.ended";
    case EventKind::TaskAnswered:
        return "task.answered";
    case EventKind::TaskCancelled:
        return "task.cancelled";
    case EventKind::AgentTool:
        return "agent.tool";
    case EventKind::ProviderChosen:
        return "provider.chosen";
    case EventKind::BudgetSet:
        return "budget.set";
    case EventKind::ProgramStarted:
        return "program.started";
    case EventKind::ProgramEnded:
        return "program.ended";
    case EventKind::FileWritten:
        return "file.written";
    case EventKind::FileCreated:
        return "file.created";
    case EventKind::FileDeleted:
        return "file.deleted";
    case EventKind::FileRenamed:
        return "file.renamed";
    case EventKind::FileMode:
        return "file.mode";
    case EventKind::NetTried:
        return "net.tried";
    case EventKind::RightsTried:
        return "rights.tried";
    case EventKind::WatchLost:
        return "watch.lost";
    case EventKind::WatchSilent:
        return "watch.silent";
    case EventKind::RecordingStarted:
        return "recording.started";
    case EventKind::RecordingChunk:
        return "recording.chunk";
    case EventKind::RecordingEnded:
        return "recording.ended";
    case EventKind::LogCut:
        return "log.cut";
    case EventKind::LogKept:
        return "log.kept";
    case EventKind::ProgramsMode:
        return "programs.mode";
    case EventKind::ProgramsInstalled:
        return "programs.installed";
    }
    return "engine.note";
}

std::optional<EventKind> eventKindFrom(std::string_view text) {
    static const auto kKnown = [] {
        std::unordered_map<std::string_view, EventKind> known;
        for (const auto kind : kEventKinds) {
            known.emplace(toString(kind), kind);
        }
        return known;
    }();
    const auto found = kKnown.find(text);
    return found == kKnown.end() ? std::nullopt : std::optional(found->second);
}

std::string_view toString(Provenance provenance) {
    return provenance == Provenance::Host ? "host" : "guest";
}

std::optional<Provenance> provenanceFrom(std::string_view text) {
    if (text == "host") {
        return Provenance::Host;
    }
    if (text == "guest") {
        return Provenance::Guest;
    }
    return std::nullopt;
}

std::string toHex(const Hash& hash) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(hash.size() * 2);
    for (const auto byte : hash) {
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 0xfU];
    }
    return out;
}

std::string formatTime(std::int64_t timeNs) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    std::int64_t seconds = timeNs / kSecond;
    std::int64_t rest = timeNs % kSecond;
    if (rest < 0) { // before 1970: the fraction still counts upwards
        rest += kSecond;
        --seconds;
    }
    const std::time_t moment = seconds;
    std::tm parts{};
    ::gmtime_r(&moment, &parts);
    std::array<char, 64> out{};
    std::snprintf(out.data(), out.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                  static_cast<int>(rest / 1'000'000));
    return out.data();
}

std::optional<std::int64_t> parseTime(std::string_view text) {
    // "2026-03-01T12:00:00" with, if wanted, a fraction, then "Z" or an offset (RFC 3339, section 5.6).
    std::size_t at = 0;
    bool good = true;
    const auto digits = [&](std::size_t count, int least, int most) {
        int out = 0;
        for (std::size_t i = 0; i < count; ++i, ++at) {
            if (at >= text.size() || text[at] < '0' || text[at] > '9') {
                good = false;
                return 0;
            }
            out = out * 10 + (text[at] - '0');
        }
        good = good && out >= least && out <= most;
        return out;
    };
    const auto sign = [&](std::string_view any) {
        const char is = at < text.size() ? text[at] : '\0';
        good = good && is != '\0' && any.find(is) != std::string_view::npos;
        ++at;
        return is;
    };
    std::tm parts{};
    parts.tm_year = digits(4, 1970, 9999) - 1900;
    (void)sign("-");
    parts.tm_mon = digits(2, 1, 12) - 1;
    (void)sign("-");
    parts.tm_mday = digits(2, 1, 31);
    (void)sign("Tt ");
    parts.tm_hour = digits(2, 0, 23);
    (void)sign(":");
    parts.tm_min = digits(2, 0, 59);
    (void)sign(":");
    parts.tm_sec = digits(2, 0, 60);
    std::int64_t fraction = 0;
    if (good && at < text.size() && text[at] == '.') {
        std::int64_t weight = 100;
        const auto first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, weight /= 10) {
            fraction += weight * (text[at] - '0');
        }
        good = at > first;
    }
    std::int64_t offset = 0;
    if (const char zone = sign("Zz+-"); good && zone != 'Z' && zone != 'z') {
        offset = digits(2, 0, 23) * 3600;
        (void)sign(":");
        offset += digits(2, 0, 59) * 60;
        offset = zone == '-' ? -offset : offset;
    }
    if (!good || at != text.size()) {
        return std::nullopt;
    }
    const auto day = parts.tm_mday;
    const auto seconds = ::timegm(&parts);
    if (parts.tm_mday != day && parts.tm_sec != 60) {
        return std::nullopt; // the 31st of a month that has none
    }
    return (static_cast<std::int64_t>(seconds) - offset) * 1000 + fraction;
}

boost::json::object toJson(const Recorded& recorded) {
    const auto text = [](std::string_view view) { return boost::json::string(view.data(), view.size()); };
    return {{"seq", recorded.seq},
            {"time", formatTime(recorded.event.timeNs)},
            {"kind", text(toString(recorded.event.kind))},
            {"provenance", text(toString(recorded.event.provenance))},
            {"subject", recorded.event.subject},
            {"detail", recorded.event.detail},
            {"hash", toHex(recorded.hash)}};
}

Result<Hash> chainHash(const Hash& previous, std::uint64_t seq, std::int64_t timeNs, const StoredText& text) {
    static constexpr std::string_view kVersion{"carrel-event-1\0", 15};
    // Found once and used again: looking an algorithm up costs as much as hashing an event.
    static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    struct FreeContext {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
    Bytes fixed;
    fixed.reserve(80);
    fixed = toBytes(kVersion);
    const auto* before = reinterpret_cast<const std::byte*>(previous.data());
    fixed.insert(fixed.end(), before, before + previous.size());
    appendLe(fixed, seq);
    appendLe(fixed, timeNs);
    Hash hash{};
    unsigned int length = 0;
    bool good = sha256 != nullptr && context != nullptr && EVP_DigestInit_ex2(context.get(), sha256, nullptr) == 1 &&
                EVP_DigestUpdate(context.get(), fixed.data(), fixed.size()) == 1;
    for (const auto field : {text.kind, text.provenance, text.subject, text.detail}) {
        const std::uint64_t size = field.size();
        good = good && EVP_DigestUpdate(context.get(), &size, sizeof size) == 1 &&
               EVP_DigestUpdate(context.get(), field.data(), field.size()) == 1;
    }
    if (!good || EVP_DigestFinal_ex(context.get(), hash.data(), &length) != 1) {
        return fail(ErrorCode::Internal, "SHA-256 is not available in the cryptographic library");
    }
    return hash;
}

} // namespace carrel::activity
