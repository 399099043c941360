// SPDX-License-Identifier: Apache-2.0
// Runs the image recipe (guest/image/build-image.sh) as a child process and reads its progress. For the
// engine and the command line, never for the clerk. Thread: runRecipe blocks its caller, for minutes; call it
// from a worker.
#pragma once

#include "app/files/sha256.h"
#include "guest/protocol/result.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::images {

struct BuildProgress {
    int step = 0;
    int steps = 0;
    std::string text; // what begins now
    bool operator==(const BuildProgress&) const = default;
};
using ProgressCallback = std::function<void(const BuildProgress&)>;

struct RecipeOptions {
    std::filesystem::path recipe;   // the folder with build-image.sh
    std::filesystem::path packages; // saved packages: filled when empty, otherwise the only source; may be ""
    std::string mirror;             // another Debian mirror; may be ""
    std::filesystem::path scratch;  // for the unpacked tree, 2 GB; "" means /var/tmp
};

// "step 2/7 installing …", or nothing for another line.
[[nodiscard]] std::optional<BuildProgress> parseProgress(std::string_view line);
// The error for the last words "failed KIND: TEXT" among the recipe's lines on standard error.
[[nodiscard]] Error explainFailure(const std::vector<std::string>& lastLines, int waitStatus);
// Over the names and contents of the recipe's files (*.sh and *.list): what makes two recipes the same.
[[nodiscard]] Result<files::Sha256> recipeHash(const std::filesystem::path& recipe);

// Writes the parts into `output`. A stop request ends the child (SIGTERM to its process group) with
// Cancelled.
[[nodiscard]] Status runRecipe(const RecipeOptions& options, const std::filesystem::path& output,
                               const ProgressCallback& progress, std::stop_token stop = {});

} // namespace carrel::images
