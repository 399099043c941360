// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/wrapper/qemu_policy.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>

namespace carrel::hypervisor {
namespace {

constexpr std::size_t kMaxPolicyPaths = 8;
constexpr std::size_t kMaxPolicyPath = 1024;

boost::json::array toJson(const std::vector<std::string>& paths) {
    boost::json::array array;
    for (const std::string& path : paths) {
        array.emplace_back(path);
    }
    return array;
}

bool allAbsolute(const std::vector<std::string>& paths) {
    return std::ranges::all_of(paths, [](const std::string& path) { return path.starts_with('/'); });
}

} // namespace

std::string writeQemuPolicy(const QemuPolicy& policy) {
    return boost::json::serialize(boost::json::object{{"version", 1},
                                                      {"read_only", toJson(policy.readOnly)},
                                                      {"read_write", toJson(policy.readWrite)},
                                                      {"hardware", policy.hardware}});
}

Result<QemuPolicy> readQemuPolicy(std::string_view text) {
    auto object = parseJsonObject(text, JsonLimits{.bytes = kMaxQemuPolicyBytes, .depth = 3});
    if (!object) {
        return fail(object.error());
    }
    JsonFields fields(*object, "machine policy");
    QemuPolicy policy;
    const std::uint64_t version = fields.number("version", 1);
    policy.readOnly = fields.strings("read_only", kMaxPolicyPaths, kMaxPolicyPath);
    policy.readWrite = fields.strings("read_write", kMaxPolicyPaths, kMaxPolicyPath);
    policy.hardware = fields.boolean("hardware");
    CARREL_TRY(fields.finish());
    if (version != 1 || !allAbsolute(policy.readOnly) || !allAbsolute(policy.readWrite)) {
        return fail(ErrorCode::Malformed,
                    "the machine's policy is not of this version or names a relative path");
    }
    return policy;
}

} // namespace carrel::hypervisor
