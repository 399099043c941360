// SPDX-License-Identifier: Apache-2.0
// A node of ChangeTreeModel; of its two sources only. Thread: the window's.
#pragma once

#include "ui/changes/change_tree_model.h"

namespace carrel::ui {

// Its own change, if it is one, and what is beneath it. The numbers count changes, its own among them.
struct ChangeTreeModel::Node {
    Node* above = nullptr;
    QString name; // fit to be shown
    const ChangeEntry* entry = nullptr;
    std::string folder; // where it is no change: its path
    std::vector<std::unique_ptr<Node>> beneath;
    std::vector<Node*> shown; // of those, in their order
    int row = 0;              // in shown of the one above
    bool pending = false;     // to become a row, with all beneath it
    bool picked = false;      // its own change
    bool seen = true;         // its own change passes the filter
    std::uint32_t all = 0;
    std::uint32_t allPicked = 0;
    std::uint32_t allSeen = 0;
    std::uint32_t seenPicked = 0;
    std::uint32_t risky = 0;
    std::uint32_t conflicts = 0;

    [[nodiscard]] const std::string& path() const { return entry != nullptr ? entry->path : folder; }
    [[nodiscard]] Qt::CheckState state() const {
        return seenPicked == 0 ? Qt::Unchecked : seenPicked == allSeen ? Qt::Checked : Qt::PartiallyChecked;
    }
    // Adds the own change's pick, and says so to all above.
    void pick(bool to) {
        if (entry == nullptr || picked == to) {
            return;
        }
        picked = to;
        const std::uint32_t by = to ? 1U : ~0U; // ~0: one less
        for (auto* node = this; node != nullptr; node = node->above) {
            node->allPicked += by;
            node->seenPicked += seen ? by : 0U;
        }
    }
};

} // namespace carrel::ui
