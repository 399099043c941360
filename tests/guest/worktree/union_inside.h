// SPDX-License-Identifier: Apache-2.0
// The union from within, for what its public face does not show: hooks, and how much work something was.
#pragma once

#include "guest/worktree/worktree_impl.h"
#include "tests/guest/worktree/worktree_fixture.h"

namespace carrel::worktree {

struct UnionInside {
    QTemporaryDir dir;
    fs::path host = fs::path(dir.path().toStdString()) / "host";
    std::shared_ptr<FakeLower> lower;
    std::unique_ptr<WorktreeImpl> tree;

    UnionInside() {
        fs::create_directories(host);
        lower = std::make_shared<FakeLower>(host.string());
        const auto upper = dir.path().toStdString() + "/upper";
        tree = std::make_unique<WorktreeImpl>(Options{upper, Access::Review, 0, 0}, lower,
                                              std::move(*UpperStore::open(upper, {})));
    }
};

} // namespace carrel::worktree
