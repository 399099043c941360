// SPDX-License-Identifier: Apache-2.0
// Verbs of the computer: doctor, images, the engine itself.
#include "app/engine/engine.h"
#include "app/engine/version.h"

#include "guest/protocol/change_report.h"
#include "guest/protocol/strict_json.h"

#include <sys/stat.h>

#include <chrono>

namespace carrel::engine {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const auto kStarted = std::chrono::system_clock::now();

json::object describe(const hypervisor::Finding& finding) {
    json::object out{{"code", hypervisor::toString(finding.code)},
                     {"severity", hypervisor::toString(finding.severity)},
                     {"what", finding.what},
                     {"why", finding.why},
                     {"remedy", finding.remedy}};
    if (!finding.command.empty()) {
        out["command"] = finding.command;
    }
    return out;
}

Result<json::value> doctor(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "doctor");
    const bool fresh = fields.optionalBoolean("fresh");
    CARREL_TRY(fields.finish());
    json::object out{{"ok", false},
                     {"accelerator", nullptr},
                     {"reason", ""},
                     {"findings", json::array{}},
                     {"probes", json::array{}},
                     {"hypervisor", ""},
                     {"from_cache", false},
                     {"home", engine.home().folder.string()},
                     {"version", kVersion}};
    auto report = engine.checkHost(fresh ? Engine::Probe::Fresh : Engine::Probe::Remembered,
                                   [&](std::string_view line) { call.progress("probe", line); }, call.stop());
    if (!report) {
        if (report.error().code != ErrorCode::NotFound) {
            return fail(std::move(report).error());
        }
        // No image, so no guest to probe with: a finding like any other, not the end of the examination.
        out["reason"] = "nothing could be tried";
        out["findings"] = json::array{json::object{{"code", "image-missing"},
                                                   {"severity", "blocker"},
                                                   {"what", report.error().message},
                                                   {"why", "an accelerator counts only when a guest has answered through it"},
                                                   {"remedy", "make the guest system: one to a few minutes"},
                                                   {"command", "carrel image build"}}};
        return out;
    }
    out["ok"] = report->accelerator.has_value();
    if (report->accelerator) {
        out["accelerator"] = hypervisor::toString(*report->accelerator);
    }
    out["reason"] = report->reason;
    json::array findings;
    for (const auto& finding : report->findings) {
        findings.push_back(describe(finding));
    }
    json::array probes;
    for (const auto& probe : report->probes) {
        probes.push_back({{"accelerator", hypervisor::toString(probe.accelerator)},
                          {"answered", probe.answered},
                          {"first_byte_ms", probe.firstByte.count()},
                          {"answer_ms", probe.answer.count()}});
    }
    out["findings"] = std::move(findings);
    out["probes"] = std::move(probes);
    out["hypervisor"] = report->hypervisorVersion;
    out["from_cache"] = report->fromCache;
    return out;
}

json::object describe(const images::ListedImage& image, const fs::path& folder) {
    struct stat made {};
    (void)::stat((folder / image.id.text()).c_str(), &made);
    json::array parts;
    std::uint64_t packages = 0;
    std::string origin = "imported";
    if (image.manifest) {
        packages = image.manifest->packages.size();
        origin = images::toString(image.manifest->origin);
        for (const auto& part : image.manifest->parts) {
            parts.push_back({{"name", part.name}, {"sha256", part.sha256.hex()}, {"size", part.size}});
        }
    }
    return {{"id", image.id.text()},
            {"origin", origin},
            {"created", activity::formatTime(static_cast<std::int64_t>(made.st_mtime) * 1'000'000'000)},
            {"bytes", image.diskBytes},
            {"packages", packages},
            {"default", image.isDefault},
            {"parts", std::move(parts)}};
}

Result<json::object> describeImage(Engine& engine, const images::ImageId& id) {
    auto all = engine.images().list();
    if (!all) {
        return fail(std::move(all).error());
    }
    for (const auto& image : *all) {
        if (image.id == id) {
            return describe(image, engine.home().folder / "images");
        }
    }
    return fail(ErrorCode::NotFound, "there is no such image", "See: carrel image list");
}

Result<json::value> listImages(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "image.list").finish());
    auto all = engine.images().list();
    if (!all) {
        return fail(std::move(all).error());
    }
    json::array list;
    for (const auto& image : *all) {
        list.push_back(describe(image, engine.home().folder / "images"));
    }
    return json::object{{"images", std::move(list)}};
}

Result<json::value> buildImage(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "image.build");
    images::BuildOptions options;
    options.force = fields.optionalBoolean("force") ? images::Force::Yes : images::Force::No;
    CARREL_TRY(fields.finish());
    options.recipe.recipe = engine.installation().recipe;
    auto built = engine.images().build(
        options,
        [&](const images::BuildProgress& step) {
            call.progress("build", step.text,
                          step.steps > 0 ? std::optional(static_cast<double>(step.step) / step.steps) : std::nullopt);
        },
        call.stop());
    if (!built) {
        return fail(std::move(built).error());
    }
    auto image = describeImage(engine, built->id);
    if (!image) {
        return fail(std::move(image).error());
    }
    return json::object{{"image", std::move(*image)}, {"built", built->outcome == images::BuildOutcome::Built}};
}

Result<json::value> verifyImage(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "image.verify");
    const auto wanted = fields.optionalString("image", 128);
    CARREL_TRY(fields.finish());
    auto id = wanted ? engine.images().find(*wanted) : engine.images().defaultImage();
    if (!id) {
        return fail(std::move(id).error());
    }
    auto image = describeImage(engine, *id);
    if (!image) {
        return fail(std::move(image).error());
    }
    call.progress("verify", "Reading every byte of the image");
    const auto good = engine.images().verify(*id);
    json::array parts;
    // verify() stops at the first bad part, and names it.
    for (const auto& part : image->at("parts").as_array()) {
        const std::string name(part.at("name").as_string());
        json::object item{{"name", name}, {"ok", true}};
        if (!good && good.error().text().find(name) != std::string::npos) {
            item["ok"] = false;
            item["problem"] = good.error().text();
        }
        parts.push_back(std::move(item));
    }
    return json::object{{"image", std::move(*image)}, {"ok", good.has_value()}, {"parts", std::move(parts)}};
}

Result<json::value> importImage(Engine& engine, api::Call& call) {
    JsonFields fields(call.params(), "image.import");
    auto file = takeOptionalPath(fields, call.params(), "file");
    CARREL_TRY(fields.finish());
    if (!file || file->empty() || file->front() != '/') {
        return fail(ErrorCode::InvalidArgument, "no file is named by its absolute path");
    }
    // A userland alone does not boot: the kernel and its modules are those of the default image.
    auto standard = engine.images().defaultImage();
    if (!standard) {
        return fail(standard.error().wrap("An import takes its kernel from an image that was built here"));
    }
    auto boot = engine.images().bootFiles(*standard);
    if (!boot) {
        return fail(std::move(boot).error());
    }
    auto manifest = engine.images().manifest(*standard);
    if (!manifest) {
        return fail(std::move(manifest).error());
    }
    call.progress("import", "Copying the disk");
    auto id = engine.images().importRaw({*file, boot->kernel, boot->modules, manifest->kernelRelease});
    if (!id) {
        return fail(std::move(id).error());
    }
    auto image = describeImage(engine, *id);
    if (!image) {
        return fail(std::move(image).error());
    }
    return json::object{{"image", std::move(*image)}};
}

Result<json::value> info(Engine& engine, api::Call& call) {
    CARREL_TRY(JsonFields(call.params(), "engine.info").finish());
    std::uint64_t running = 0;
    for (const auto& agent : engine.agentsFor(call)) {
        running += agent->state() == agents::AgentState::Ready ? 1 : 0;
    }
    return json::object{
        {"version", kVersion},
        {"api", api::kApiVersion},
        {"pid", ::getpid()},
        {"home", engine.home().folder.string()},
        {"agents_running", running},
        {"started", activity::formatTime(
                        std::chrono::duration_cast<std::chrono::nanoseconds>(kStarted.time_since_epoch()).count())}};
}

} // namespace

void addHostVerbs(Engine& engine, api::Handlers& to) {
    const auto add = [&](const char* verb, Result<json::value> (*handler)(Engine&, api::Call&)) {
        to[verb] = [&engine, handler](api::Call& call) { return handler(engine, call); };
    };
    add("doctor", doctor);
    add("image.build", buildImage);
    add("image.list", listImages);
    add("image.verify", verifyImage);
    add("image.import", importImage);
    add("engine.info", info);
}

} // namespace carrel::engine
