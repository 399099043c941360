// SPDX-License-Identifier: Apache-2.0
// Documents among the changes of a review: what the viewer is asked about them, and what an entry then says. No verb waits
// for the viewer unless its caller wants that: an entry says how far it is, and who asks again later finds more.
// Thread: that of the call.
#pragma once

#include "app/agents/agent.h"
#include "app/viewer/document_viewer.h"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

namespace carrel::engine {

// Both versions of a document whose bytes change; one where it is made or deleted.
struct DocumentChange {
    files::DocumentKind kind = files::DocumentKind::Pdf; // of the newer one
    std::optional<viewer::Version> before, after;
    bool plain = false; // its bytes are text, too: something to show where the viewer cannot read it
    std::string whyNot; // nobody need ask: the folder's version is not at hand
};
// None: no document by its names, or its content stays.
[[nodiscard]] std::optional<DocumentChange> documentOf(const files::FrozenEntry& entry);

class Documents {
public:
    Documents(viewer::DocumentViewer& viewer, std::shared_ptr<agents::Agent> agent);

    // Has the viewer begin with the first documents from here on, so that the text is there when somebody comes to it.
    void ask(const DocumentChange& change, viewer::DocumentViewer::When when);
    void askAhead(std::span<const agents::EntryView> views);

    struct Told {
        boost::json::object document; // common.json, document
        viewer::Reading::State state = viewer::Reading::State::Unasked;
        std::optional<std::string> diff;
        std::string whyNone;
    };
    [[nodiscard]] Told look(const DocumentChange& change) const;                      // as far as it is
    [[nodiscard]] Told lookAndCompare(const DocumentChange& change) const;            // with the diff, where there is one
    [[nodiscard]] bool waiting(const DocumentChange& change) const;
    void await(const DocumentChange& change, std::chrono::steady_clock::time_point until, const std::stop_token& stop) const; // asked before

private:
    [[nodiscard]] viewer::Reading readingOf(const DocumentChange& change, viewer::Reading& before, viewer::Reading& after) const;

    viewer::DocumentViewer& m_viewer;
    std::shared_ptr<agents::Agent> m_agent;
    std::string m_id;
};

} // namespace carrel::engine
