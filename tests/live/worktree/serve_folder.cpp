// SPDX-License-Identifier: Apache-2.0
// Mounts the union of a local folder, for trying the file system by hand inside a machine of its own:
//   serve-folder LOWER UPPER MOUNTPOINT      then, on standard input: changes | settle | discard | poke NAME
//   | quit
// The lower folder is served by the tests' stand-in for the clerk. Static, so that it runs beside nothing but
// busybox.
#include "guest/worktree/fuse_server.h"
#include "tests/guest/worktree/fake_lower.h"

#include <cstdio>
#include <iostream>

using namespace carrel;
using namespace carrel::worktree;

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: serve-folder LOWER UPPER MOUNTPOINT\n");
        return 2;
    }
    auto lower = std::make_shared<FakeLower>(argv[1]);
    auto tree = Worktree::open({argv[2], Access::Review, 0, 0}, lower);
    if (!tree) {
        std::fprintf(stderr, "%s\n", tree.error().text().c_str());
        return 1;
    }
    auto server = FuseServer::mount(**tree, argv[3]);
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().text().c_str());
        return 1;
    }
    std::puts("ready");
    std::fflush(stdout);
    std::string line;
    while (std::getline(std::cin, line) && line != "quit") {
        if (const auto flushed = (*server)->flush(); !flushed) {
            std::printf("%s\n", flushed.error().text().c_str());
        }
        const auto list = (*tree)->changes(SharePath(), 1000);
        std::vector<ChangeRef> refs;
        for (const auto& change : list->entries) {
            refs.push_back({change.path, change.generation});
            if (line == "changes") {
                std::printf("%s %s%s%s\n", std::string(toString(change.kind)).c_str(),
                            change.path.text().c_str(), change.from ? " from " : "",
                            change.from ? change.from->text().c_str() : "");
            }
        }
        if (line == "settle" || line == "discard") {
            const auto kept = line == "settle" ? (*tree)->settle(refs) : (*tree)->discard(refs);
            std::printf("kept %zu\n", kept ? kept->size() : 9999);
        }
        if (line.starts_with("poke ") && lower->events != nullptr) {
            lower->events->entryChanged(lower::kRootNode, line.substr(5));
        }
        std::puts("done");
        std::fflush(stdout);
    }
    server->reset();
    return 0;
}
