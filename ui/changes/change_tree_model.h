// SPDX-License-Identifier: Apache-2.0
// A review as a tree: shares, folders, files, with a box for each by which a person picks what to apply. Made page by page, fit
// for 10^5 entries: no row costs more than its own node, and a filter walks the tree once.
//
// What is picked is picked by paths, and a path means everything beneath it. So a folder that is itself a change is picked only
// with everything in it: un-picking something in it un-picks it too. Where it leads the way to something picked (it is new, or
// renamed) the engine applies it with that; chosen() says so. What a filter hides is not touched by a box, and stays picked or
// not as it was. Thread: the window's.
#pragma once

#include "ui/changes/change_entry.h"

#include <QAbstractItemModel>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace carrel::ui {

class ChangeTreeModel : public QAbstractItemModel {
    Q_OBJECT
public:
    enum Column { Name, What, Size, Signs, Columns };
    enum class Only { Everything, HighRisk, Conflicts };

    struct Chosen {
        std::vector<std::string> paths; // for the engine: raw, none beneath another; empty: nothing is picked
        bool everything = false;        // the whole review
        // Until the model changes:
        std::vector<const ChangeEntry*> picked;    // by a person
        std::vector<const ChangeEntry*> folders;   // not picked, and applied all the same: new or renamed, on the way to what is
        std::vector<const ChangeEntry*> highRisk;  // of both
        std::vector<const ChangeEntry*> conflicts; // of both
        std::uint64_t hidden = 0;                  // of the picked: by the filter
    };

    explicit ChangeTreeModel(QObject* parent = nullptr);
    ~ChangeTreeModel() override;

    void clear(); // the filter goes, too
    // Without a filter only.
    void add(std::vector<ChangeEntry> page);
    void filter(const QString& name, Only only);
    [[nodiscard]] bool filtered() const { return m_filtered; }

    // A guest can name files so deep in folders that are not there that these would take all memory. Then no more are made up: what is
    // left stands beneath the nearest, with the rest of its path for a name, and there is nothing to pick: it is all or nothing.
    [[nodiscard]] bool flat() const { return m_flat; }
    [[nodiscard]] std::size_t entries() const { return m_entries.size(); }
    [[nodiscard]] const ChangeEntry* entryAt(const QModelIndex& index) const; // null: a folder that is no change
    [[nodiscard]] std::string pathAt(const QModelIndex& index) const;         // raw
    [[nodiscard]] QModelIndex indexOf(const std::string& path) const;         // shown only
    [[nodiscard]] Chosen chosen() const;
    [[nodiscard]] Chosen all() const; // as if everything were picked; without paths
    void chooseAll(bool chosen); // what is shown

    [[nodiscard]] QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    [[nodiscard]] QModelIndex parent(const QModelIndex& child) const override;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;

signals:
    void chosenChanged();

private:
    struct Node;
    Node* nodeAt(const QModelIndex& index) const;
    QModelIndex indexOf(const Node& node, int column) const; // of the root: none
    Node* folderFor(const std::string& path, std::vector<Node*>& fresh);
    Node* nearestFolder(const std::string& path) const;
    void count(Node& node);
    void choose(Node& node, bool chosen);
    bool sift(Node& node, const QString& name, Only only, bool within);
    void tell(Node& node);
    void tellAbove(Node* node); // itself, too
    void tellBeneath(Node& node);
    void collect(const Node& node, Chosen& out) const;
    QVariant nameData(const Node& node, int role) const;
    QVariant whatData(const Node& node, int role) const;
    QVariant signsData(const Node& node, int role) const;
    QString described(const Node& node) const;

    std::vector<std::unique_ptr<ChangeEntry>> m_entries;
    std::unique_ptr<Node> m_root;
    std::unordered_map<std::string, Node*> m_nodes; // by path
    bool m_filtered = false;
    std::size_t m_madeUp = 0; // bytes of the folders that are no changes themselves
    bool m_flat = false;
};

} // namespace carrel::ui
