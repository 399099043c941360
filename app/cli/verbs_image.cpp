// SPDX-License-Identifier: Apache-2.0
#include "app/cli/context.h"

#include <memory>

namespace carrel::cli {

namespace json = boost::json;

namespace {

struct ImageOptions {
    std::string argument;
    std::string packages;
    bool force = false;
};

int build(Context& context, const ImageOptions& options) {
    json::object params;
    if (options.force) {
        params["force"] = true;
    }
    if (!options.packages.empty()) {
        std::error_code ec;
        params["packages"] = std::filesystem::absolute(options.packages, ec).native();
    }
    return context.show("image.build", std::move(params), [](const json::object& result) {
        const auto& image = objectAt(result, "image");
        return "Image " + shown(textAt(image, "id"), 16) + ", " + bytesText(numberAt(image, "bytes")) +
               (flagAt(result, "built") ? ", is built.\n" : ", was there already.\n");
    });
}

int verify(Context& context, const ImageOptions& options) {
    json::object params;
    if (!options.argument.empty()) {
        params["image"] = options.argument;
    }
    auto result = context.call("image.verify", std::move(params));
    if (!result) {
        return context.failed(result.error());
    }
    if (context.format == Format::Json) {
        context.printJson(*result);
    } else {
        for (const auto& part : listAt(*result, "parts")) {
            if (part.is_object()) {
                const bool ok = flagAt(part.get_object(), "ok");
                context.print((ok ? "good  " : "BAD   ") + shown(textAt(part.get_object(), "name"), 60) +
                              (ok ? "" : ": " + shown(textAt(part.get_object(), "problem"))) + "\n");
            }
        }
    }
    if (!flagAt(*result, "ok")) {
        return context.failed(Error{ErrorCode::Conflict, "the image is not what its manifest says",
                                    "Build it again: carrel image build --force", 0, nullptr});
    }
    return context.done();
}

int import(Context& context, const ImageOptions& options) {
    json::object params;
    if (auto put = putHostPath(params, "file", options.argument); !put) {
        return context.failed(put.error());
    }
    return context.show("image.import", std::move(params), [](const json::object& result) {
        return "Image " + shown(textAt(objectAt(result, "image"), "id"), 16) + " is there.\n";
    });
}

} // namespace

void addImageVerbs(CLI::App& app, Context& context) {
    auto* image = app.add_subcommand("image", "The images that machines start from");
    image->require_subcommand(1);
    auto options = std::make_shared<ImageOptions>();

    auto* builder = image->add_subcommand("build", "Build the base image from the distribution's packages");
    builder->add_flag("--force", options->force, "Even if a good one is there");
    builder
        ->add_option("--packages", options->packages,
                     "Build from the packages in this folder; they are saved there")
        ->type_name("DIR");
    builder->callback(
        [&context, options] { context.action = [&context, options] { return build(context, *options); }; });

    image->add_subcommand("list", "List the images")->callback([&context] {
        context.action = [&context] {
            return context.show("image.list", {}, [](const json::object& result) {
                return imagesText(listAt(result, "images"));
            });
        };
    });

    auto* verifier = image->add_subcommand("verify", "Compare an image with its manifest");
    verifier->add_option("IMAGE", options->argument, "The image; without it, the default one");
    verifier->callback(
        [&context, options] { context.action = [&context, options] { return verify(context, *options); }; });

    auto* importer = image->add_subcommand("import", "Take a raw disk as a new image");
    importer->add_option("FILE", options->argument, "A raw ext4 file system; no other format is taken")
        ->required();
    importer->callback(
        [&context, options] { context.action = [&context, options] { return import(context, *options); }; });
}

} // namespace carrel::cli
