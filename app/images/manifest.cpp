// SPDX-License-Identifier: Apache-2.0
#include "app/images/manifest.h"

#include "guest/protocol/strict_json.h"

#include <algorithm>
#include <array>

namespace carrel::images {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxText = 256;
constexpr std::size_t kMaxPackages = 20000;
constexpr JsonLimits kLimits{4 * 1024 * 1024, 6};
constexpr std::array kKnownParts{kBasePart, kElfKernelPart, kKernelPart, kModulesPart, kProgramsPart};

Result<Part> parsePart(const json::value& value) {
    if (!value.is_object()) {
        return fail(ErrorCode::Malformed, "image manifest: a part is not an object");
    }
    JsonFields fields(value.get_object(), "image part");
    Part part;
    part.name = fields.string("name", kMaxText);
    part.size = fields.number("size");
    const auto hash = files::Sha256::parse(fields.string("sha256", kMaxText));
    if (std::find(kKnownParts.begin(), kKnownParts.end(), part.name) == kKnownParts.end()) {
        fields.problem("name", "is no part of an image");
    }
    if (!hash) {
        fields.problem("sha256", "is no SHA-256");
    }
    CARREL_TRY(fields.finish());
    part.sha256 = *hash;
    return part;
}

Result<Package> parsePackage(const json::value& value) {
    if (!value.is_object()) {
        return fail(ErrorCode::Malformed, "image manifest: a package is not an object");
    }
    JsonFields fields(value.get_object(), "image package");
    Package package{fields.string("name", kMaxText), fields.string("version", kMaxText),
                    fields.string("architecture", kMaxText)};
    CARREL_TRY(fields.finish());
    return package;
}

Status checkParts(const Manifest& manifest) {
    const auto before = [](const Part& a, const Part& b) { return a.name < b.name; };
    const bool sorted = std::is_sorted(manifest.parts.begin(), manifest.parts.end(), before);
    const auto same = [](const Part& a, const Part& b) { return a.name == b.name; };
    if (!sorted ||
        std::adjacent_find(manifest.parts.begin(), manifest.parts.end(), same) != manifest.parts.end()) {
        return fail(ErrorCode::Malformed,
                    "image manifest: the parts are not in order, or one is there twice");
    }
    if (manifest.find(kBasePart) == nullptr || manifest.find(kModulesPart) == nullptr ||
        (manifest.find(kKernelPart) == nullptr && manifest.find(kElfKernelPart) == nullptr)) {
        return fail(ErrorCode::Malformed, "image manifest: a part is missing");
    }
    return {};
}

} // namespace

Result<ImageId> ImageId::parse(std::string_view text) {
    auto hash = files::Sha256::parse(text);
    if (!hash) {
        return fail(ErrorCode::InvalidArgument, "that is no image id (64 hexadecimal digits)");
    }
    return ImageId(*hash);
}

std::string_view toString(Origin origin) {
    return origin == Origin::BuiltHere ? "built here" : "imported";
}

ImageId Manifest::id() const {
    std::string text = "carrel-image 1\n";
    for (const auto& part : parts) {
        text += part.name + ' ' + std::to_string(part.size) + ' ' + part.sha256.hex() + '\n';
    }
    return ImageId(files::Sha256::of(text));
}

const Part* Manifest::find(std::string_view name) const {
    const auto found =
        std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
    return found == parts.end() ? nullptr : &*found;
}

std::string Manifest::toJson() const {
    json::array partList;
    for (const auto& part : parts) {
        partList.push_back(
            json::object{{"name", part.name}, {"size", part.size}, {"sha256", part.sha256.hex()}});
    }
    json::array packageList;
    for (const auto& package : packages) {
        packageList.push_back(json::object{
            {"name", package.name}, {"version", package.version}, {"architecture", package.architecture}});
    }
    const json::object all{{"schema", kSchema},
                           {"id", id().text()},
                           {"origin", json::string(toString(origin))},
                           {"kernelRelease", kernelRelease},
                           {"recipe", recipe},
                           {"parts", partList},
                           {"packages", packageList}};
    return json::serialize(all) + "\n";
}

Result<Manifest> Manifest::parse(std::string_view text) {
    const auto object = parseJsonObject(text, kLimits);
    if (!object) {
        return fail(object.error().wrap("the image's manifest cannot be read"));
    }
    JsonFields fields(*object, "image manifest");
    Manifest manifest;
    const auto schema = fields.number("schema");
    const auto id = fields.string("id", kMaxText);
    const auto origin = fields.string("origin", kMaxText);
    manifest.kernelRelease = fields.string("kernelRelease", kMaxText);
    manifest.recipe = fields.string("recipe", kMaxText);
    const auto& parts = fields.array("parts", kKnownParts.size());
    const auto& packages = fields.array("packages", kMaxPackages);
    if (schema != kSchema) {
        fields.problem("schema", "is of another version of Carrel");
    }
    if (origin != toString(Origin::BuiltHere) && origin != toString(Origin::Imported)) {
        fields.problem("origin", "is unknown");
    }
    CARREL_TRY(fields.finish());
    manifest.origin = origin == toString(Origin::BuiltHere) ? Origin::BuiltHere : Origin::Imported;
    for (const auto& value : parts) {
        auto part = parsePart(value);
        if (!part) {
            return fail(std::move(part).error());
        }
        manifest.parts.push_back(std::move(*part));
    }
    for (const auto& value : packages) {
        auto package = parsePackage(value);
        if (!package) {
            return fail(std::move(package).error());
        }
        manifest.packages.push_back(std::move(*package));
    }
    CARREL_TRY(checkParts(manifest));
    if (manifest.id().text() != id) {
        return fail(ErrorCode::Malformed, "image manifest: the id is not that of the parts");
    }
    return manifest;
}

Result<std::vector<Package>> parsePackages(std::string_view text) {
    std::vector<Package> packages;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto first = line.find('\t');
        const auto second = first == std::string_view::npos ? first : line.find('\t', first + 1);
        if (second == std::string_view::npos || packages.size() == kMaxPackages ||
            line.size() > 3 * kMaxText) {
            return fail(ErrorCode::Malformed,
                        "the list of packages has a line that is not name, version, architecture");
        }
        packages.push_back({std::string(line.substr(0, first)),
                            std::string(line.substr(first + 1, second - first - 1)),
                            std::string(line.substr(second + 1))});
    }
    return packages;
}

} // namespace carrel::images
