// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/probe_cache.h"

#include "guest/protocol/strict_json.h"

#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/stat.h>

namespace carrel::hypervisor {
namespace {

constexpr std::size_t kMaxCacheBytes = 16 * 1024;
constexpr std::size_t kMaxProblem = 1024;
constexpr std::size_t kMaxProbes = 4;
constexpr std::uint64_t kMaxMilliseconds = std::uint64_t{24} * 3600 * 1000;

std::string stamp(const std::filesystem::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return path.native() + " missing";
    }
    std::ostringstream out;
    out << path.native() << ' ' << info.st_size << ' ' << info.st_mtim.tv_sec << '.' << info.st_mtim.tv_nsec;
    return out.str();
}

Result<ProbeTiming> readProbe(const boost::json::value& value) {
    if (!value.is_object()) {
        return fail(ErrorCode::Malformed, "a probe is no object");
    }
    JsonFields fields(value.as_object(), "probe");
    ProbeTiming probe;
    probe.accelerator = fields.boolean("hardware") ? Accelerator::Hardware : Accelerator::Software;
    probe.answered = fields.boolean("answered");
    probe.firstByte = std::chrono::milliseconds(fields.number("first_byte_ms", kMaxMilliseconds));
    probe.answer = std::chrono::milliseconds(fields.number("answer_ms", kMaxMilliseconds));
    probe.problem = fields.string("problem", kMaxProblem);
    CARREL_TRY(fields.finish());
    return probe;
}

} // namespace

std::string probeKey(const HostFacts& facts, const HostProbe& probe) {
    std::ostringstream out;
    out << facts.kernelRelease << '|' << (facts.versions ? facts.versions->qemu : 0) << '|'
        << (facts.versions ? facts.versions->libvirt : 0) << '|' << static_cast<int>(facts.kvm) << '|'
        << static_cast<int>(probe.choice) << '|' << stamp(probe.kernel) << '|' << stamp(probe.initrd);
    return out.str();
}

std::optional<std::vector<ProbeTiming>> loadProbes(const std::filesystem::path& file,
                                                   const std::string& key) {
    std::ifstream in(file, std::ios::binary);
    std::string text(kMaxCacheBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    const auto object = parseJsonObject(text, JsonLimits{.bytes = kMaxCacheBytes, .depth = 4});
    if (!object) {
        return std::nullopt;
    }
    JsonFields fields(*object, "probe cache");
    const std::string savedKey = fields.string("key", kMaxCacheBytes);
    const boost::json::array& saved = fields.array("probes", kMaxProbes);
    std::vector<ProbeTiming> probes;
    for (const auto& value : saved) {
        auto probe = readProbe(value);
        if (!probe) {
            return std::nullopt;
        }
        probes.push_back(*probe);
    }
    if (!fields.finish() || savedKey != key || probes.empty()) {
        return std::nullopt;
    }
    return probes;
}

Status saveProbes(const std::filesystem::path& file, const std::string& key,
                  const std::vector<ProbeTiming>& probes) {
    boost::json::array array;
    for (const ProbeTiming& probe : probes) {
        array.push_back(boost::json::object{{"hardware", probe.accelerator == Accelerator::Hardware},
                                            {"answered", probe.answered},
                                            {"first_byte_ms", probe.firstByte.count()},
                                            {"answer_ms", probe.answer.count()},
                                            {"problem", probe.problem}});
    }
    const std::filesystem::path half = file.native() + ".new";
    {
        std::ofstream out(half, std::ios::binary | std::ios::trunc);
        out << boost::json::serialize(boost::json::object{{"key", key}, {"probes", std::move(array)}})
            << '\n';
        if (!out.flush()) {
            return fail(ErrorCode::Io, "cannot remember what this host can do");
        }
    }
    std::error_code failed;
    std::filesystem::rename(half, file, failed);
    if (failed) {
        return failErrno("cannot remember what this host can do", failed.value());
    }
    return {};
}

} // namespace carrel::hypervisor
