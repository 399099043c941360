// SPDX-License-Identifier: Apache-2.0
// Random work of an agent upon a small folder with few names, so that everything gets into everything's way: what a
// review shows without a conflict is applied as a whole, and is then what the agent saw; undo gives the exact start.
// Not yet for every shape: folders that move into folders that moved, several deep, can find each other in the way
// (eight or nine of 1,500 here). The apply then says so entry by entry, and undo still gives the exact start.
#include "tests/app/files/files_world.h"

#include <QTest>

#include <numeric>
#include <random>

using namespace carrel;
using namespace carrel::files;
using namespace carrel::files::test;

namespace {

// The folder as the agent has it. What came from the host knows from where.
struct Node {
    bool folder = false;
    bool edited = false;
    std::string host, content, name;
    Node* parent = nullptr;
    std::vector<std::unique_ptr<Node>> children;

    [[nodiscard]] std::string path() const {
        return parent == nullptr ? "" : parent->parent == nullptr ? name : parent->path() + "/" + name;
    }
    // Where it would be on the host, had nobody moved it.
    [[nodiscard]] std::string natural() const {
        if (parent->parent == nullptr) {
            return name;
        }
        return parent->host.empty() ? "" : parent->host + "/" + name;
    }
    [[nodiscard]] Node* child(const std::string& wanted) const {
        for (const auto& each : children) {
            if (each->name == wanted) {
                return each.get();
            }
        }
        return nullptr;
    }
    [[nodiscard]] bool isIn(const Node* other) const {
        return this == other || (parent != nullptr && parent->isIn(other));
    }
};

class Agent {
public:
    explicit Agent(unsigned seed)
        : m_random(seed) {
        m_root.folder = true;
    }

    void settle(World& w) {
        for (int i = 0; i < 14; ++i) {
            Node* parent = anyFolder();
            if (depth(parent) < 3) {
                add(parent, below(5) < 2);
            }
        }
        each(m_root, [&](Node& node) {
            node.host = node.path();
            node.edited = false;
            m_hosts[node.host] = &node;
            m_hostFolders[node.host] = node.folder;
            if (node.folder) {
                fs::create_directory(w.at(node.host));
            } else {
                writeFile(w.at(node.host), node.content);
            }
        });
    }

    void work() {
        for (int i = 0, count = 3 + below(8); i < count; ++i) {
            Node* node = anyNode();
            switch (below(8)) {
            case 0:
            case 1:
            case 2:
                move(node, anyFolder());
                break;
            case 3:
                exchange(node, anyNode());
                break;
            case 4:
                add(anyFolder(), below(2) == 0);
                break;
            case 5:
                if (node != nullptr && !node->folder) {
                    node->content = "edited " + std::to_string(++m_number);
                    node->edited = true;
                }
                break;
            default:
                if (node != nullptr && (node->children.empty() || below(2) == 0)) {
                    remove(node);
                }
                break;
            }
        }
    }

    // As guestd reports it.
    void report(World& w) {
        std::set<std::string> told;
        each(m_root, [&](Node& node) { reportNode(w, node, told); });
        for (const auto& [host, node] : m_hosts) {
            const std::string path = node == nullptr ? placeOfDeleted(host) : "";
            if (node == nullptr && !path.empty() && find(path) == nullptr && told.insert(path).second) {
                w.claim(ChangeKind::Deleted, path, m_hostFolders[host] ? EntryType::Directory : EntryType::File).base =
                    w.versionOf(host);
            }
        }
    }

    Snapshot names() {
        Snapshot out;
        each(m_root, [&](Node& node) { out[node.path()] = node.folder ? "folder" : node.content; });
        return out;
    }

private:
    int below(int bound) { return static_cast<int>(m_random() % static_cast<unsigned>(bound)); }
    static int depth(const Node* node) { return node->parent == nullptr ? 0 : 1 + depth(node->parent); }
    static void each(Node& node, const std::function<void(Node&)>& what) {
        for (const auto& child : node.children) {
            what(*child);
            each(*child, what);
        }
    }
    Node* any(const std::function<bool(const Node&)>& suits, Node* otherwise) {
        std::vector<Node*> all;
        each(m_root, [&](Node& node) {
            if (suits(node)) {
                all.push_back(&node);
            }
        });
        return all.empty() ? otherwise : all[static_cast<std::size_t>(below(static_cast<int>(all.size())))];
    }
    Node* anyNode() {
        return any([](const Node&) { return true; }, nullptr);
    }
    Node* anyFolder() {
        return below(4) == 0 ? &m_root : any([](const Node& node) { return node.folder; }, &m_root);
    }
    std::string anyName() { return std::string(1, static_cast<char>('a' + below(5))); }
    Node* find(const std::string& path) {
        Node* found = nullptr;
        each(m_root, [&](Node& node) { found = node.path() == path ? &node : found; });
        return found;
    }

    void add(Node* parent, bool folder) {
        const std::string name = anyName();
        if (parent->child(name) == nullptr) {
            auto node = std::make_unique<Node>();
            node->folder = folder;
            node->name = name;
            node->parent = parent;
            node->edited = true;
            node->content = "content " + std::to_string(++m_number);
            parent->children.push_back(std::move(node));
        }
    }
    static std::unique_ptr<Node> take(Node* node) {
        auto& siblings = node->parent->children;
        const auto at = std::find_if(siblings.begin(), siblings.end(), [&](const auto& n) { return n.get() == node; });
        auto taken = std::move(*at);
        siblings.erase(at);
        return taken;
    }
    void move(Node* node, Node* to) {
        const std::string name = anyName();
        if (node == nullptr || to->isIn(node) || to->child(name) != nullptr) {
            return;
        }
        auto taken = take(node);
        taken->name = name;
        taken->parent = to;
        to->children.push_back(std::move(taken));
    }
    static void exchange(Node* a, Node* b) {
        if (a == nullptr || a->isIn(b) || b->isIn(a)) {
            return;
        }
        Node* parentOfA = a->parent;
        Node* parentOfB = b->parent;
        auto takenA = take(a);
        auto takenB = take(b);
        std::swap(takenA->name, takenB->name);
        takenA->parent = parentOfB;
        takenB->parent = parentOfA;
        parentOfB->children.push_back(std::move(takenA));
        parentOfA->children.push_back(std::move(takenB));
    }
    void remove(Node* node) {
        const auto forget = [&](const Node& gone) {
            if (!gone.host.empty()) {
                m_hosts[gone.host] = nullptr;
            }
        };
        each(*node, forget);
        forget(*node);
        take(node);
    }

    void reportNode(World& w, Node& node, std::set<std::string>& told) {
        const std::string natural = node.natural();
        const std::string path = node.path();
        const bool isMoved = !node.host.empty() && node.host != natural;
        const auto there = natural.empty() || natural == node.host ? m_hosts.end() : m_hosts.find(natural);
        // What stood there and is deleted; what has moved away is no base.
        const bool covers = there != m_hosts.end() && there->second == nullptr;
        told.insert(path);
        if (isMoved && (node.folder || !covers)) {
            ChangeEntry& entry = w.renamed(node.host, path, node.folder ? EntryType::Directory : EntryType::File);
            if (node.edited) {
                entry.contentChanged = true;
                entry.size = node.content.size();
                w.guest.contents[path] = node.content;
            }
        } else if (isMoved) { // guestd tells no rename that covers something: a copy, and what it was is gone
            w.content(ChangeKind::Modified, path, node.content).base = w.versionOf(natural);
            m_hosts[node.host] = nullptr;
        } else if (node.host.empty() && node.folder) {
            w.claim(ChangeKind::Created, path, EntryType::Directory).base = covers ? w.versionOf(natural) : std::nullopt;
        } else if (!node.folder && (node.host.empty() || node.edited)) {
            const std::string base = node.host.empty() ? natural : node.host;
            w.content(node.host.empty() && !covers ? ChangeKind::Created : ChangeKind::Modified, path, node.content).base =
                node.host.empty() && !covers ? std::nullopt : w.versionOf(base);
        }
    }

    std::string placeOfDeleted(const std::string& host) {
        const auto slash = host.rfind('/');
        if (slash == std::string::npos) {
            return host;
        }
        const std::string above = host.substr(0, slash);
        const Node* parent = m_hosts[above];
        const std::string place = parent != nullptr ? parent->path() : placeOfDeleted(above);
        return place.empty() ? "" : place + host.substr(slash);
    }

    std::mt19937 m_random;
    Node m_root;
    std::map<std::string, Node*> m_hosts; // everything that the host has; null: deleted
    std::map<std::string, bool> m_hostFolders;
    int m_number = 0;
};

Snapshot namesOf(const World& w) {
    Snapshot out;
    for (const auto& item : fs::recursive_directory_iterator(w.share)) {
        out[item.path().string().substr(w.share.size() + 1)] = item.is_directory() ? "folder" : slurp(item.path().string());
    }
    return out;
}

std::string tell(const World& w, const FrozenSet& set) {
    std::string text;
    for (const auto& claim : w.claims) {
        text += std::string(toString(claim.kind)) + " " + (claim.from ? claim.from->text() + " -> " : "") + claim.path.text() +
                (claim.type == EntryType::Directory ? "/" : "") + (claim.base ? " (base)" : "") + "; ";
    }
    for (const auto& entry : set.entries) {
        if (entry.conflict != ConflictKind::None) {
            text += "\n  " + entry.path.text() + ": " + entry.conflictReason;
        }
    }
    return text;
}

} // namespace

class TestRandomMoves : public QObject {
    Q_OBJECT
private slots:
    void whatTheAgentSaw() {
        int whole = 0;
        int flagged = 0;
        int refused = 0;
        const int first = qEnvironmentVariableIntValue("CARREL_TEST_SEED");
        constexpr int kSeeds = 1500;
        std::vector<int> seeds(kSeeds);
        std::iota(seeds.begin(), seeds.end(), first);
        // A file goes into a folder whose coming waits for the file's own place: it went into the folder there was.
        seeds.insert(seeds.end(), {3367, 100496});
        for (const int seed : seeds) {
            World w;
            Agent agent(static_cast<unsigned>(seed));
            agent.settle(w);
            agent.work();
            agent.report(w);
            const auto before = snapshot(w.share, Times::All);
            auto review = w.review();
            auto set = w.freeze(*review);
            QVERIFY2(set, set ? "" : set.error().text().c_str());
            auto report = review->apply(w.root.get(), set->id, everything(*set));
            QVERIFY(report);
            const bool clean = std::all_of(set->entries.begin(), set->entries.end(),
                                           [](const auto& entry) { return entry.conflict == ConflictKind::None; });
            if (report->complete()) {
                ++whole;
                QVERIFY2(same(namesOf(w), agent.names()), (std::to_string(seed) + ": " + tell(w, *set)).c_str());
            } else if (clean) {
                ++refused;
                if (qEnvironmentVariableIsSet("CARREL_TEST_TELL")) {
                    qWarning("seed %d: shown without a conflict, and then: %s\n  %s", seed, describe(*report).c_str(),
                             tell(w, *set).c_str());
                }
            } else {
                ++flagged;
                if (qEnvironmentVariableIsSet("CARREL_TEST_TELL")) {
                    qWarning("seed %d: %s", seed, tell(w, *set).c_str());
                }
            }
            auto undone = review->undo(w.root.get(), report->id);
            QVERIFY2(undone && undone->complete(), (std::to_string(seed) + (undone ? describe(*undone) : undone.error().text())).c_str());
            QVERIFY2(same(snapshot(w.share, Times::All), before), (std::to_string(seed) + ": " + tell(w, *set)).c_str());
        }
        qInfo("%d as a whole, %d with a conflict in the review, %d with one only in the apply", whole, flagged, refused);
        QVERIFY(refused < kSeeds / 100);
        QVERIFY(whole > kSeeds * 3 / 4);
    }
};

QTEST_GUILESS_MAIN(TestRandomMoves)
#include "test_random_moves.moc"
