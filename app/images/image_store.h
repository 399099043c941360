// SPDX-License-Identifier: Apache-2.0
// The images of one Carrel home: <folder>/<id>/ with manifest.json and the parts; <folder>/default names the
// one for new agents. Made in a temporary folder and renamed when complete, so an image is whole or absent.
// Thread: every function may be called from any thread and by several processes; they block on the disk,
// build() for minutes. Building, importing and removing take turns by a lock file.
#pragma once

#include "app/images/manifest.h"
#include "app/images/recipe.h"
#include "guest/protocol/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace carrel::images {

enum class Force { No, Yes };
struct BuildOptions {
    RecipeOptions recipe;
    Force force = Force::No; // build even when this recipe's image is there and good
};

enum class BuildOutcome { Built, AlreadyThere };
struct BuildResult {
    ImageId id;
    BuildOutcome outcome;
};

struct ImportFiles {
    std::filesystem::path base;    // raw disk, ext4, the userland beneath /rootfs
    std::filesystem::path kernel;  // vmlinux (ELF) or bzImage
    std::filesystem::path modules; // modules.cpio with lib/carrel/modules.list
    std::string kernelRelease;     // may be ""
};

struct ListedImage {
    ImageId id;
    std::optional<Manifest> manifest; // absent when it cannot be read; then `problem` says why
    std::string problem;
    std::uint64_t diskBytes = 0; // taken on the disk, holes not counted
    bool isDefault = false;
};

// What a machine is started with. Paths stay good until the image is removed.
struct BootFiles {
    ImageId id;
    std::filesystem::path kernel;  // vmlinux where the image has it, otherwise vmlinuz
    std::filesystem::path modules; // for composeInitrd
    std::filesystem::path base;
};

class ImageStore {
public:
    explicit ImageStore(std::filesystem::path folder)
        : m_folder(std::move(folder)) {}

    // A new image becomes the default. Cancelled after a stop request.
    [[nodiscard]] Result<BuildResult> build(const BuildOptions& options, const ProgressCallback& progress,
                                            std::stop_token stop = {});
    // Copies the files; never a format with a header that could name other files. Default only if it is the
    // first.
    [[nodiscard]] Result<ImageId> importRaw(const ImportFiles& files);

    [[nodiscard]] Result<std::vector<ListedImage>> list() const; // sorted by id
    [[nodiscard]] Result<Manifest> manifest(const ImageId& id) const;
    // Reads every byte of every part and compares with the manifest.
    [[nodiscard]] Status verify(const ImageId& id) const;
    // Kernel and modules are hashed at each call, the base only when its stamp changed since it was last seen
    // good.
    [[nodiscard]] Result<BootFiles> bootFiles(const ImageId& id) const;
    // The list of its programs as text (app/exec/program_list.h), compared with the manifest. None: it has none.
    [[nodiscard]] Result<std::optional<std::string>> programs(const ImageId& id) const;

    // NotFound with a hint when there is none.
    [[nodiscard]] Result<ImageId> defaultImage() const;
    [[nodiscard]] Status setDefault(const ImageId& id);
    // The whole id or the unique beginning of one, at least four digits.
    [[nodiscard]] Result<ImageId> find(std::string_view text) const;
    // The caller has made sure that no agent's overlay rests on it.
    [[nodiscard]] Status remove(const ImageId& id);

private:
    [[nodiscard]] std::filesystem::path folderOf(const ImageId& id) const { return m_folder / id.text(); }
    [[nodiscard]] std::optional<ImageId> goodImageOf(const std::string& recipe) const;
    // Hashes the parts in `temporary`, writes the manifest, moves the folder into place.
    [[nodiscard]] Result<ImageId> settle(const std::filesystem::path& temporary, Manifest manifest);
    [[nodiscard]] Status checkPart(const ImageId& id, const Part& part) const;
    [[nodiscard]] Status checkBase(const ImageId& id, const Part& part) const;

    std::filesystem::path m_folder;
};

} // namespace carrel::images
