// SPDX-License-Identifier: Apache-2.0
#include "app/images/image_store.h"

#include "app/images/file_kinds.h"
#include "app/images/file_tools.h"
#include "app/images/store_folder.h"

#include <algorithm>

namespace carrel::images {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxManifest = 4ULL * 1024 * 1024;
constexpr std::uint64_t kMaxPrograms = 32ULL * 1024 * 1024;
constexpr std::uint64_t kMaxSmall = 4ULL * 1024 * 1024;
constexpr std::string_view kManifestFile = "manifest.json";
constexpr std::string_view kStampFile = "base.stamp";
constexpr std::string_view kDefaultFile = "default";
constexpr std::string_view kBuildHint = "Make one with \"carrel image build\".";

std::string trimmed(std::string_view text) {
    const auto end = text.find_last_not_of(" \n");
    return std::string(text.substr(0, end == std::string_view::npos ? 0 : end + 1));
}

Error damaged(const ImageId& id, std::string_view part) {
    return {ErrorCode::Refused,
            "the image " + id.shortText() + " is damaged: " + std::string(part) + " is not what was built",
            "Make it again with \"carrel image build --force\".", 0, nullptr};
}

Status copyPart(const fs::path& from, const fs::path& folder, std::string_view name) {
    return copySparse(from, folder / name);
}

} // namespace

Result<BuildResult> ImageStore::build(const BuildOptions& options, const ProgressCallback& progress,
                                      std::stop_token stop) {
    const auto recipe = recipeHash(options.recipe.recipe);
    if (!recipe) {
        return fail(recipe.error());
    }
    const auto lock = StoreLock::take(m_folder);
    if (!lock) {
        return fail(lock.error());
    }
    if (options.force == Force::No) {
        if (const auto known = goodImageOf(recipe->hex())) {
            CARREL_TRY(setDefault(*known));
            return BuildResult{*known, BuildOutcome::AlreadyThere};
        }
    }
    auto temporary = TemporaryFolder::make(m_folder);
    if (!temporary) {
        return fail(std::move(temporary).error());
    }
    CARREL_TRY(runRecipe(options.recipe, temporary->path(), progress, stop));
    Manifest made;
    made.origin = Origin::BuiltHere;
    made.recipe = recipe->hex();
    const auto release = readFile(temporary->path() / "kernel.release", kMaxSmall);
    const auto packageText = readFile(temporary->path() / "packages.tsv", kMaxSmall);
    if (!release || !packageText) {
        return fail(ErrorCode::Internal, "the image recipe ended well but left parts out");
    }
    auto packages = parsePackages(asText(*packageText));
    if (!packages) {
        return fail(std::move(packages).error());
    }
    made.kernelRelease = trimmed(asText(*release));
    made.packages = std::move(*packages);
    auto id = settle(temporary->path(), std::move(made));
    if (!id) {
        return fail(std::move(id).error());
    }
    CARREL_TRY(setDefault(*id));
    return BuildResult{*id, BuildOutcome::Built};
}

std::optional<ImageId> ImageStore::goodImageOf(const std::string& recipe) const {
    const auto images = list();
    if (!images) {
        return std::nullopt;
    }
    for (const auto& image : *images) {
        if (image.manifest && image.manifest->recipe == recipe && bootFiles(image.id)) {
            return image.id;
        }
    }
    return std::nullopt;
}

Result<ImageId> ImageStore::importRaw(const ImportFiles& files) {
    const auto base = readEdges(files.base);
    const auto kernel = readEdges(files.kernel);
    const auto modules = readEdges(files.modules);
    for (const auto* edges : {&base, &kernel, &modules}) {
        if (!*edges) {
            return fail(edges->error().wrap("the image cannot be imported"));
        }
    }
    CARREL_TRY(checkRawExt4(base->head, base->tail));
    const auto kind = kernelKind(kernel->head);
    if (!kind) {
        return fail(kind.error());
    }
    CARREL_TRY(checkCpio(modules->head));
    const auto lock = StoreLock::take(m_folder);
    if (!lock) {
        return fail(lock.error());
    }
    auto temporary = TemporaryFolder::make(m_folder);
    if (!temporary) {
        return fail(std::move(temporary).error());
    }
    CARREL_TRY(copyPart(files.base, temporary->path(), kBasePart));
    CARREL_TRY(
        copyPart(files.kernel, temporary->path(), *kind == KernelKind::Elf ? kElfKernelPart : kKernelPart));
    CARREL_TRY(copyPart(files.modules, temporary->path(), kModulesPart));
    Manifest made;
    made.origin = Origin::Imported;
    made.kernelRelease = files.kernelRelease;
    auto id = settle(temporary->path(), std::move(made));
    if (id && !defaultImage()) {
        CARREL_TRY(setDefault(*id));
    }
    return id;
}

Result<ImageId> ImageStore::settle(const fs::path& temporary, Manifest made) {
    for (const auto name : {kBasePart, kModulesPart, kProgramsPart, kElfKernelPart, kKernelPart}) { // sorted by name
        std::error_code ec;
        if (!fs::exists(temporary / name, ec)) {
            continue;
        }
        fs::permissions(temporary / name, fs::perms::owner_read,
                        ec); // nobody writes to it again, not even by mistake
        const auto hashed = hashFile(temporary / name);
        if (!hashed) {
            return fail(hashed.error());
        }
        made.parts.push_back({std::string(name), hashed->size, hashed->sha256});
    }
    const auto text = made.toJson();
    // What cannot be read back must not be written.
    if (auto back = Manifest::parse(text); !back) {
        return fail(back.error().wrap("the new image is not complete"));
    }
    CARREL_TRY(replaceFile(temporary / kManifestFile, asBytes(text)));
    const ImageId id = made.id();
    // The same bytes may be there already (a forced build), possibly damaged: the new folder takes the old
    // one's place.
    CARREL_TRY(replaceFolder(temporary, folderOf(id)));
    return id;
}

Result<Manifest> ImageStore::manifest(const ImageId& id) const {
    const auto text = readFile(folderOf(id) / kManifestFile, kMaxManifest);
    if (!text) {
        if (text.error().code == ErrorCode::NotFound) {
            return fail(ErrorCode::NotFound, "there is no image " + id.shortText(), std::string(kBuildHint));
        }
        return fail(text.error());
    }
    auto made = Manifest::parse(asText(*text));
    if (made && made->id() != id) {
        return fail(damaged(id, kManifestFile));
    }
    return made;
}

Result<std::vector<ListedImage>> ImageStore::list() const {
    std::vector<ListedImage> images;
    const auto chosen = defaultImage();
    std::error_code ec;
    for (fs::directory_iterator it(m_folder, ec), end; !ec && it != end; it.increment(ec)) {
        const auto id = ImageId::parse(it->path().filename().string());
        if (!id) {
            continue;
        }
        ListedImage image{*id, std::nullopt, {}, diskUsage(it->path()), chosen && *chosen == *id};
        if (auto read = manifest(*id)) {
            image.manifest = std::move(*read);
        } else {
            image.problem = read.error().text();
        }
        images.push_back(std::move(image));
    }
    if (ec && ec != std::errc::no_such_file_or_directory) {
        return failErrno("reading the folder of images", ec.value());
    }
    std::sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return images;
}

Status ImageStore::checkPart(const ImageId& id, const Part& part) const {
    const auto hashed = hashFile(folderOf(id) / part.name);
    if (!hashed) {
        return fail(hashed.error().wrap("the image " + id.shortText() + " is not complete"));
    }
    if (hashed->size != part.size || hashed->sha256 != part.sha256) {
        return fail(damaged(id, part.name));
    }
    return {};
}

Status ImageStore::verify(const ImageId& id) const {
    const auto made = manifest(id);
    if (!made) {
        return fail(made.error());
    }
    for (const auto& part : made->parts) {
        CARREL_TRY(checkPart(id, part));
    }
    return {};
}

Status ImageStore::checkBase(const ImageId& id, const Part& part) const {
    const auto stamp = fileStamp(folderOf(id) / kBasePart);
    if (!stamp) {
        return fail(stamp.error().wrap("the image " + id.shortText() + " is not complete"));
    }
    const auto stampPath = folderOf(id) / kStampFile;
    const auto wanted = *stamp + part.sha256.hex();
    if (const auto known = readFile(stampPath, kMaxSmall); known && asText(*known) == wanted) {
        return {};
    }
    CARREL_TRY(checkPart(id, part));
    return replaceFile(stampPath, asBytes(wanted));
}

Result<BootFiles> ImageStore::bootFiles(const ImageId& id) const {
    const auto made = manifest(id);
    if (!made) {
        return fail(made.error());
    }
    const auto* kernel =
        made->find(kElfKernelPart) != nullptr ? made->find(kElfKernelPart) : made->find(kKernelPart);
    CARREL_TRY(checkPart(id, *kernel));
    CARREL_TRY(checkPart(id, *made->find(kModulesPart)));
    CARREL_TRY(checkBase(id, *made->find(kBasePart)));
    const auto folder = folderOf(id);
    return BootFiles{id, folder / kernel->name, folder / kModulesPart, folder / kBasePart};
}

Result<std::optional<std::string>> ImageStore::programs(const ImageId& id) const {
    const auto made = manifest(id);
    if (!made) {
        return fail(made.error());
    }
    const auto* part = made->find(kProgramsPart);
    if (part == nullptr) {
        return std::nullopt;
    }
    const auto text = readFile(folderOf(id) / part->name, kMaxPrograms);
    if (!text) {
        return fail(text.error().wrap("the image " + id.shortText() + " is not complete"));
    }
    if (text->size() != part->size || files::Sha256::of(asText(*text)) != part->sha256) { // as it was read, so that nobody comes between
        return fail(damaged(id, part->name));
    }
    return std::string(asText(*text));
}

Result<ImageId> ImageStore::defaultImage() const {
    if (const auto text = readFile(m_folder / kDefaultFile, kMaxSmall)) {
        auto id = ImageId::parse(trimmed(asText(*text)));
        if (id && fs::exists(folderOf(*id) / kManifestFile)) {
            return id;
        }
    }
    return fail(ErrorCode::NotFound, "there is no image for agents yet", std::string(kBuildHint));
}

Status ImageStore::setDefault(const ImageId& id) {
    const auto made = manifest(id);
    if (!made) {
        return fail(made.error());
    }
    return replaceFile(m_folder / kDefaultFile, asBytes(id.text() + "\n"));
}

Result<ImageId> ImageStore::find(std::string_view text) const {
    constexpr std::size_t kShortest = 4;
    const auto images = list();
    if (!images) {
        return fail(images.error());
    }
    std::optional<ImageId> found;
    for (const auto& image : *images) {
        if (text.size() >= kShortest && image.id.text().starts_with(text)) {
            if (found) {
                return fail(ErrorCode::InvalidArgument, "several images begin with these digits",
                            "Give more of them.");
            }
            found = image.id;
        }
    }
    if (!found) {
        return fail(ErrorCode::NotFound, "there is no such image",
                    "\"carrel image list\" shows those that are there.");
    }
    return *found;
}

Status ImageStore::remove(const ImageId& id) {
    const auto lock = StoreLock::take(m_folder);
    if (!lock) {
        return fail(lock.error());
    }
    std::error_code ec;
    if (!fs::exists(folderOf(id), ec)) {
        return fail(ErrorCode::NotFound, "there is no image " + id.shortText());
    }
    return removeFolder(m_folder, folderOf(id));
}

} // namespace carrel::images
