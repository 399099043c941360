// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/change_tree_model.h"

#include "ui/changes/change_tree_node.h"
#include "ui/text/plain.h"

namespace carrel::ui {

ChangeTreeModel::ChangeTreeModel(QObject* parent)
    : QAbstractItemModel(parent)
    , m_root(std::make_unique<Node>()) {}

ChangeTreeModel::~ChangeTreeModel() = default;

void ChangeTreeModel::clear() {
    beginResetModel();
    m_nodes.clear();
    m_madeUp = 0;
    m_flat = false;
    m_root = std::make_unique<Node>();
    m_entries.clear();
    m_filtered = false;
    endResetModel();
    emit chosenChanged();
}

namespace {
constexpr std::size_t kMostMadeUp = 64 * 1024 * 1024;

std::string_view lastOf(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}
std::string aboveOf(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}
} // namespace

// From the top, as far as there are nodes.
ChangeTreeModel::Node* ChangeTreeModel::nearestFolder(const std::string& path) const {
    Node* nearest = m_root.get();
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const auto found = m_nodes.find(path.substr(0, slash));
        if (found == m_nodes.end()) {
            break;
        }
        nearest = found->second;
    }
    return nearest;
}

// The folder's node, made with all that is missing above it; those are in `fresh`, the topmost first.
ChangeTreeModel::Node* ChangeTreeModel::folderFor(const std::string& path, std::vector<Node*>& fresh) {
    if (path.empty()) {
        return m_root.get();
    }
    if (const auto found = m_nodes.find(path); found != m_nodes.end()) {
        return found->second;
    }
    if (m_flat) {
        return nearestFolder(path);
    }
    auto* const above = folderFor(aboveOf(path), fresh);
    m_madeUp += 2 * path.size() + sizeof(Node);
    m_flat = m_flat || m_madeUp > kMostMadeUp;
    if (m_flat) {
        return above;
    }
    auto node = std::make_unique<Node>();
    node->above = above;
    node->folder = path;
    node->name = lineOf(lastOf(path), kWholeColumns);
    auto* const made = node.get();
    m_nodes[path] = made;
    fresh.push_back(made);
    above->beneath.push_back(std::move(node));
    return made;
}

void ChangeTreeModel::count(Node& node) {
    for (auto* at = &node; at != nullptr; at = at->above) {
        at->pick(false); // picked with everything in it, of which there is more now
        ++at->all;
        ++at->allSeen;
        at->risky += node.entry->highRisk ? 1U : 0U;
        at->conflicts += node.entry->conflict.empty() ? 0U : 1U;
    }
}

// New nodes become rows in as few steps as can be: those that follow each other in one folder together, with all beneath them.
void ChangeTreeModel::add(std::vector<ChangeEntry> page) {
    std::vector<Node*> tops; // new nodes beneath one that is a row already
    const auto flush = [&] {
        if (tops.empty()) {
            return;
        }
        auto* const above = tops.front()->above;
        const auto first = static_cast<int>(above->shown.size());
        beginInsertRows(above == m_root.get() ? QModelIndex() : indexOf(*above, 0), first, first + static_cast<int>(tops.size()) - 1);
        for (auto* node : tops) {
            node->pending = false;
            node->row = static_cast<int>(above->shown.size());
            above->shown.push_back(node);
        }
        endInsertRows();
        tops.clear();
        tellAbove(above);
    };
    // What is beneath a node that is not yet told of is told of with it.
    const auto isRow = [&](const Node* node) {
        while (node != m_root.get() && !node->pending) {
            node = node->above;
        }
        return node == m_root.get();
    };
    for (auto& change : page) {
        m_entries.push_back(std::make_unique<ChangeEntry>(std::move(change)));
        const auto* const entry = m_entries.back().get();
        std::vector<Node*> fresh;
        Node* node = nullptr;
        if (const auto found = m_nodes.find(entry->path); found != m_nodes.end()) {
            node = found->second; // a folder that something in it made known before
            if (node->entry != nullptr) {
                continue; // twice the same path: the engine never does that
            }
            node->entry = entry;
            count(*node);
            if (isRow(node)) {
                tellAbove(node);
            }
            continue;
        }
        auto* const above = folderFor(aboveOf(entry->path), fresh);
        auto made = std::make_unique<Node>();
        node = made.get();
        node->above = above;
        node->entry = entry;
        const auto& folder = above->path();
        node->name = lineOf(m_flat && !folder.empty() ? std::string_view(entry->path).substr(folder.size() + 1)
                            : m_flat                  ? std::string_view(entry->path)
                                                      : lastOf(entry->path),
                            kWholeColumns);
        m_nodes[entry->path] = node;
        above->beneath.push_back(std::move(made));
        fresh.push_back(node);
        count(*node);
        for (std::size_t i = 1; i < fresh.size(); ++i) { // each is the only one in the one before, so far
            fresh[i]->row = static_cast<int>(fresh[i]->above->shown.size());
            fresh[i]->above->shown.push_back(fresh[i]);
        }
        auto* const top = fresh.front();
        if (isRow(top->above)) {
            if (!tops.empty() && tops.front()->above != top->above) {
                flush();
            }
            top->pending = true;
            tops.push_back(top);
        } else {
            top->row = static_cast<int>(top->above->shown.size());
            top->above->shown.push_back(top);
        }
    }
    flush();
    emit chosenChanged();
}

// Whether any of it is shown.
bool ChangeTreeModel::sift(Node& node, const QString& name, Only only, bool within) {
    within = within || name.isEmpty() || node.name.contains(name, Qt::CaseInsensitive);
    const auto* const entry = node.entry;
    node.seen = within && (only == Only::Everything ||
                           (entry != nullptr && (only == Only::HighRisk ? entry->highRisk : !entry->conflict.empty())));
    node.allSeen = node.seen && entry != nullptr ? 1 : 0;
    node.seenPicked = node.allSeen != 0 && node.picked ? 1 : 0;
    node.shown.clear();
    for (const auto& each : node.beneath) {
        if (sift(*each, name, only, within)) {
            each->row = static_cast<int>(node.shown.size());
            node.shown.push_back(each.get());
            node.allSeen += each->allSeen;
            node.seenPicked += each->seenPicked;
        }
    }
    return node.allSeen > 0;
}

void ChangeTreeModel::filter(const QString& name, Only only) {
    beginResetModel();
    m_filtered = !name.isEmpty() || only != Only::Everything;
    (void)sift(*m_root, name, only, false);
    endResetModel();
    emit chosenChanged();
}

void ChangeTreeModel::choose(Node& node, bool chosen) {
    for (auto* const each : node.shown) {
        choose(*each, chosen);
    }
    if (node.seen) {
        // With everything in it, or not at all.
        node.pick(chosen && node.allPicked - (node.picked ? 1 : 0) == node.all - (node.entry != nullptr ? 1 : 0));
    }
    // Where something hidden in it is not picked.
    if (!chosen && !node.seen && node.picked && node.allPicked < node.all) {
        node.pick(false);
    }
}

void ChangeTreeModel::chooseAll(bool chosen) {
    if (m_flat) {
        return;
    }
    choose(*m_root, chosen);
    for (auto* const share : m_root->shown) {
        tell(*share);
        tellBeneath(*share);
    }
    emit chosenChanged();
}

void ChangeTreeModel::tell(Node& node) {
    emit dataChanged(indexOf(node, 0), indexOf(node, Columns - 1));
}

// Their numbers and boxes.
void ChangeTreeModel::tellAbove(Node* node) {
    for (; node != m_root.get(); node = node->above) {
        tell(*node);
    }
}

// One signal for the rows of each folder.
void ChangeTreeModel::tellBeneath(Node& node) {
    if (node.shown.empty()) {
        return;
    }
    emit dataChanged(indexOf(*node.shown.front(), Name), indexOf(*node.shown.back(), Name), {Qt::CheckStateRole});
    for (auto* const each : node.shown) {
        tellBeneath(*each);
    }
}

bool ChangeTreeModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid) || role != Qt::CheckStateRole || index.column() != Name) {
        return false;
    }
    auto* const node = nodeAt(index);
    const bool chosen = value.toInt() != Qt::Unchecked;
    choose(*node, chosen);
    for (auto* above = node->above; !chosen && above != m_root.get(); above = above->above) {
        above->pick(false);
    }
    tellAbove(node);
    tellBeneath(*node);
    emit chosenChanged();
    return true;
}

namespace {
void note(const ChangeEntry& entry, ChangeTreeModel::Chosen& out) {
    if (entry.highRisk) {
        out.highRisk.push_back(&entry);
    }
    if (!entry.conflict.empty()) {
        out.conflicts.push_back(&entry);
    }
}
} // namespace

void ChangeTreeModel::collect(const Node& node, Chosen& out) const {
    if (node.allPicked == 0) {
        return;
    }
    const bool whole = node.allPicked == node.all && &node != m_root.get();
    const bool already = whole && node.above != m_root.get() && node.above->allPicked == node.above->all;
    if (whole && !already) {
        out.paths.push_back(node.path());
    }
    if (node.entry != nullptr && node.picked) {
        out.picked.push_back(node.entry);
        out.hidden += node.seen ? 0 : 1;
        note(*node.entry, out);
    } else if (node.entry != nullptr && node.entry->leadsTheWay()) {
        out.folders.push_back(node.entry);
        note(*node.entry, out);
    }
    for (const auto& each : node.beneath) {
        collect(*each, out);
    }
}

ChangeTreeModel::Chosen ChangeTreeModel::chosen() const {
    Chosen out;
    collect(*m_root, out);
    out.everything = m_root->all > 0 && m_root->allPicked == m_root->all;
    return out;
}

ChangeTreeModel::Chosen ChangeTreeModel::all() const {
    Chosen out;
    for (const auto& entry : m_entries) {
        out.picked.push_back(entry.get());
        note(*entry, out);
    }
    out.everything = !m_entries.empty();
    return out;
}

const ChangeEntry* ChangeTreeModel::entryAt(const QModelIndex& index) const {
    return index.isValid() ? nodeAt(index)->entry : nullptr;
}

std::string ChangeTreeModel::pathAt(const QModelIndex& index) const {
    return index.isValid() ? nodeAt(index)->path() : std::string();
}

QModelIndex ChangeTreeModel::indexOf(const std::string& path) const {
    const auto found = m_nodes.find(path);
    if (found == m_nodes.end()) {
        return {};
    }
    for (const auto* node = found->second; node != m_root.get(); node = node->above) {
        const auto& rows = node->above->shown;
        if (node->row >= static_cast<int>(rows.size()) || rows[static_cast<std::size_t>(node->row)] != node) {
            return {}; // the filter hides it
        }
    }
    return indexOf(*found->second, 0);
}

} // namespace carrel::ui
