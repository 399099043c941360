// SPDX-License-Identifier: Apache-2.0
#include "app/agents/agent_record.h"

#include "app/files/durable_file.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace carrel::agents {

namespace json = boost::json;

namespace {
constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxProviderText = 64;
constexpr std::size_t kMaxPrograms = 256;
constexpr std::size_t kMaxRecordBytes = 4 * 1024 * 1024; // 64 shares of the longest names, each byte written as six
constexpr std::string_view kNewer =
    "This agent was written by a newer version of Carrel, or its file is damaged";
} // namespace

std::string_view toString(ShareMode mode) {
    switch (mode) {
    case ShareMode::ReadOnly:
        return "read-only";
    case ShareMode::Auto:
        return "auto";
    case ShareMode::Review:
        break;
    }
    return "review";
}

Result<ShareMode> shareModeFrom(std::string_view text) {
    if (text == "read-only") {
        return ShareMode::ReadOnly;
    }
    if (text == "review") {
        return ShareMode::Review;
    }
    if (text == "auto") {
        return ShareMode::Auto;
    }
    return fail(ErrorCode::InvalidArgument, "there is no such way to share a folder", "Use read-only, review or auto");
}

Status checkAgentName(std::string_view name) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (name.empty() || name.size() > kMaxAgentName || !std::all_of(name.begin(), name.end(), fits) ||
        name.front() < 'a' || name.back() == '-') {
        return fail(ErrorCode::InvalidArgument, "that is no name for an agent",
                    "Use 1 to 32 lower-case letters, digits and hyphens, beginning with a letter");
    }
    return {};
}

std::string chooseShareName(const std::vector<ShareRecord>& taken, const std::filesystem::path& dir) {
    std::string base = dir.filename().string();
    if (!isValidName(base) || !isUtf8(base) ||
        std::any_of(base.begin(), base.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
        base = "folder";
    }
    const auto isTaken = [&](const std::string& name) {
        return std::any_of(taken.begin(), taken.end(), [&](const ShareRecord& share) { return share.name == name; });
    };
    std::string name = base;
    for (int n = 2; isTaken(name); ++n) {
        const std::string suffix = "-" + std::to_string(n);
        name = base.substr(0, kMaxNameBytes - suffix.size()) + suffix;
    }
    return name;
}

Status save(const AgentRecord& record, const std::filesystem::path& file) {
    json::array shares;
    for (const auto& share : record.shares) {
        json::object item{{"id", share.id},         {"name", share.name},   {"device", share.device},
                          {"inode", share.inode},   {"mode", toString(share.mode)},
                          {"staged", share.staged}, {"revoked", share.revoked},
                          {"born_ns", std::max<std::int64_t>(share.bornNs, 0)}};
        putPath(item, "dir", share.dir);
        shares.push_back(std::move(item));
    }
    json::object object{{"schema", kSchema},
                              {"id", record.id},
                              {"name", record.name},
                              {"memory_mib", record.memoryMib},
                              {"cpus", record.cpus},
                              {"image", record.image},
                              {"created_ms", record.createdMs},
                              {"next_share_id", record.nextShareId},
                              {"running", record.running},
                              {"unclean", record.unclean},
                              {"accelerator", record.accelerator},
                              {"session", record.session},
                              {"network", egress::toString(record.network)},
                              {"shares", std::move(shares)}};
    // Only where there are some: a version before there were any reads what it does not need to know of.
    if (record.limits.rate != 0) {
        object["network_rate"] = record.limits.rate;
    }
    if (record.limits.day != 0) {
        object["network_day"] = record.limits.day;
    }
    if (record.programSettings != exec::Settings()) {
        object["exec_mode"] = exec::toString(record.programSettings.mode);
        object["exec_unknown"] = exec::toString(record.programSettings.unknown);
    }
    if (!record.provider.empty()) {
        object["provider"] = record.provider;
    }
    if (!record.programs.empty()) {
        json::object programs;
        for (const auto& [name, version] : record.programs) {
            programs[name] = version;
        }
        object["programs"] = std::move(programs);
    }
    return files::replaceDurably(file, json::serialize(object));
}

Result<AgentRecord> load(const std::filesystem::path& file) {
    auto text = files::readWhole(file, kMaxRecordBytes);
    if (!text) {
        return fail(std::move(text).error());
    }
    auto object = parseJsonObject(*text, {kMaxRecordBytes, 8});
    if (!object) {
        return fail(object.error().wrap(std::string(kNewer)));
    }
    JsonFields fields(*object, "agent");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported, std::string(kNewer), "Update Carrel");
    }
    AgentRecord record;
    record.id = fields.string("id", 32);
    record.name = fields.string("name", kMaxAgentName);
    record.memoryMib = fields.number("memory_mib");
    record.cpus = static_cast<unsigned>(fields.number("cpus", 1024));
    record.image = fields.string("image", 128);
    record.createdMs = fields.signedNumber("created_ms");
    record.nextShareId = static_cast<std::uint32_t>(fields.number("next_share_id", UINT32_MAX));
    record.running = fields.boolean("running");
    record.unclean = fields.boolean("unclean");
    record.accelerator = fields.optionalString("accelerator", 16).value_or("");
    record.session = fields.optionalString("session", 64).value_or("");
    if (const auto network = fields.optionalString("network", 16)) {
        const auto mode = egress::netModeFrom(*network);
        if (!mode) {
            fields.problem("network", "is no way to the network that is known");
        }
        record.network = mode.value_or(egress::NetMode::Offline);
    }
    record.limits = {fields.optionalNumber("network_rate").value_or(0), fields.optionalNumber("network_day").value_or(0)};
    if (!egress::check(record.limits)) { // one that is not understood is none that could be let go of
        fields.problem("network_day", "or network_rate is no limit that is known");
    }
    const auto execMode = exec::modeFrom(fields.optionalString("exec_mode", 16).value_or("deny"));
    const auto execUnknown = exec::unknownFrom(fields.optionalString("exec_unknown", 16).value_or("ask"));
    if (!execMode || !execUnknown) { // likewise
        fields.problem("exec_mode", "or exec_unknown says nothing about programs that is known");
    } else {
        record.programSettings = {*execMode, *execUnknown};
    }
    record.provider = fields.optionalString("provider", kMaxProviderText).value_or("");
    if (const auto* programs = fields.optionalObject("programs")) {
        for (const auto& each : *programs) {
            if (!each.value().is_string() || record.programs.size() == kMaxPrograms) {
                fields.problem("programs", "is no list of programs with their versions");
                break;
            }
            record.programs[each.key()] = each.value().get_string();
        }
    }
    for (const auto& item : fields.array("shares", 64)) {
        if (!item.is_object()) {
            fields.problem("shares", "holds something that is no share");
            break;
        }
        JsonFields share(item.get_object(), "share");
        ShareRecord out;
        out.id = static_cast<std::uint32_t>(share.number("id", UINT32_MAX));
        out.name = share.string("name", kMaxNameBytes);
        out.dir = takeOptionalPath(share, item.get_object(), "dir").value_or("");
        out.device = share.number("device");
        out.inode = share.number("inode");
        const auto mode = shareModeFrom(share.string("mode", 16));
        out.staged = share.number("staged");
        out.revoked = share.optionalBoolean("revoked");
        out.bornNs = static_cast<std::int64_t>(share.optionalNumber("born_ns", INT64_MAX).value_or(0));
        CARREL_TRY(mode);
        CARREL_TRY(share.finish());
        out.mode = *mode;
        record.shares.push_back(std::move(out));
    }
    if (auto good = fields.finish(); !good) {
        return fail(good.error().wrap(std::string(kNewer), "Restore agent.json from a backup, or delete the agent's folder"));
    }
    return record;
}

} // namespace carrel::agents
