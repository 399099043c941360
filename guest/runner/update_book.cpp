// SPDX-License-Identifier: Apache-2.0
#include "guest/runner/update_book.h"

#include "guest/protocol/plain_text.h"

#include <algorithm>

namespace carrel::runner {

using namespace talk;

namespace {

constexpr std::size_t kFrame = 64; // what an update takes beside its texts, about
// A state that is further back than this is not looked for: the newer one then stands beside it.
constexpr std::size_t kLookBack = 128;

std::size_t sizeOf(const Started& of) {
    std::size_t size = of.agent.size() + of.version.size() + of.session.size() + of.mode.size();
    for (const auto& mode : of.modes) {
        size += mode.id.size() + mode.name.size() + kFrame;
    }
    return size;
}
std::size_t sizeOf(const Text& of) { return of.text.size(); }
std::size_t sizeOf(const Thought& of) { return of.text.size(); }
std::size_t sizeOf(const Plan& of) {
    std::size_t size = 0;
    for (const auto& entry : of.entries) {
        size += entry.text.size() + kFrame;
    }
    return size;
}
std::size_t sizeOf(const Tool& of) {
    std::size_t size = of.id.size() + of.title.size() + of.input.size() + of.output.size();
    for (const auto& diff : of.diffs) {
        size += diff.path.size() + diff.after.size() + (diff.before ? diff.before->size() : 0) + kFrame;
    }
    for (const auto& path : of.paths) {
        size += path.size() + kFrame;
    }
    return size;
}
std::size_t sizeOf(const Permission& of) {
    std::size_t size = of.title.size() + of.tool.size();
    for (const auto& option : of.options) {
        size += option.id.size() + option.name.size() + kFrame;
    }
    return size;
}
std::size_t sizeOf(const PermissionOver&) { return 0; }
std::size_t sizeOf(const ModeNow& of) { return of.mode.size(); }
std::size_t sizeOf(const Other& of) { return of.name.size() + of.text.size(); }
std::size_t sizeOf(const TurnEnded& of) { return of.message.size() + of.hint.size(); }
std::size_t sizeOf(const Ended& of) { return of.how.size() + of.said.size(); }
std::size_t sizeOf(const Lost&) { return 0; }
std::size_t sizeOf(const What& what) {
    return kFrame + std::visit([](const auto& each) { return sizeOf(each); }, what);
}

bool mayBeLost(const What& what) {
    return std::holds_alternative<Text>(what) || std::holds_alternative<Thought>(what) || std::holds_alternative<Plan>(what) ||
           std::holds_alternative<Tool>(what) || std::holds_alternative<ModeNow>(what) || std::holds_alternative<Other>(what) ||
           std::holds_alternative<Lost>(what);
}

// `newer` says all there is to say of what `older` told.
bool takesThePlace(const What& newer, const What& older) {
    if (newer.index() != older.index()) {
        return false;
    }
    if (const auto* tool = std::get_if<Tool>(&newer)) {
        const auto& other = std::get<Tool>(older);
        return tool->id == other.id && tool->turn == other.turn;
    }
    const auto* plan = std::get_if<Plan>(&newer);
    return plan != nullptr && plan->turn == std::get<Plan>(older).turn;
}

} // namespace

void UpdateBook::add(What what) {
    if (const auto* text = std::get_if<Text>(&what)) {
        addText(*text);
    } else if (const auto* thought = std::get_if<Thought>(&what)) {
        addText(*thought);
    } else if (const auto* over = std::get_if<PermissionOver>(&what); over == nullptr || !isSettled(*over)) {
        what = fitted(std::move(what));
        if (!replaces(what)) {
            append(std::move(what));
        }
    }
}

template <class Piece> void UpdateBook::addText(const Piece& piece) {
    const std::string whole = plainText(piece.text, piece.text.size());
    std::string_view left = whole;
    while (!left.empty()) {
        const auto next = cutBetweenCharacters(left, kMaxPieceBytes);
        left.remove_prefix(next.size());
        What one = Piece{piece.turn, std::string(next)};
        if (!joins(one)) {
            append(std::move(one));
        }
    }
}

bool UpdateBook::joins(const What& what) {
    if (m_updates.empty() || wasHandedOut(m_updates.back())) {
        return false;
    }
    const auto join = [this](auto* last, const auto* piece) {
        if (last == nullptr || piece == nullptr || last->turn != piece->turn || last->text.size() + piece->text.size() > kMaxPieceBytes) {
            return false;
        }
        last->text += piece->text;
        m_bytes += piece->text.size();
        return true;
    };
    auto& last = m_updates.back().what;
    return join(std::get_if<Text>(&last), std::get_if<Text>(&what)) || join(std::get_if<Thought>(&last), std::get_if<Thought>(&what));
}

bool UpdateBook::replaces(What& what) {
    std::size_t looked = 0;
    for (auto at = m_updates.rbegin(); at != m_updates.rend() && !wasHandedOut(*at) && looked < kLookBack; ++at, ++looked) {
        if (takesThePlace(what, at->what)) {
            m_bytes += sizeOf(what);
            m_bytes -= sizeOf(at->what);
            at->what = std::move(what);
            return true;
        }
    }
    return false;
}

bool UpdateBook::isSettled(const PermissionOver& over) {
    const auto found = std::find_if(m_updates.begin(), m_updates.end(), [&](const Update& each) {
        const auto* asked = std::get_if<Permission>(&each.what);
        return asked != nullptr && asked->request == over.request && !wasHandedOut(each);
    });
    if (found == m_updates.end()) {
        return false;
    }
    m_bytes -= sizeOf(found->what);
    m_updates.erase(found);
    return true;
}

void UpdateBook::append(What what) {
    if (isFull() && mayBeLost(what)) {
        drop();
    }
    m_bytes += sizeOf(what);
    m_updates.push_back({m_next++, std::move(what)});
}

void UpdateBook::drop() {
    std::deque<Update> kept;
    std::size_t left = m_updates.size();
    // What the host may have heard is counted apart, so that it is not told of it as lost.
    Update heard{0, Lost{}};
    Update unheard{0, Lost{}};
    const auto isEnough = [&] { return left <= m_bounds.updates / 2 && m_bytes <= m_bounds.bytes / 2; };
    for (auto& update : m_updates) {
        const auto* earlier = std::get_if<Lost>(&update.what);
        const bool goes = mayBeLost(update.what) && !isEnough() && (earlier == nullptr || !wasHandedOut(update));
        if (!goes) {
            kept.push_back(std::move(update));
            continue;
        }
        auto& lost = wasHandedOut(update) ? heard : unheard;
        std::get<Lost>(lost.what).count += earlier != nullptr ? earlier->count : 1;
        lost.number = update.number; // in the place, and under the number, of the last one that went
        m_bytes -= sizeOf(update.what);
        --left;
    }
    for (const auto& lost : {heard, unheard}) {
        if (lost.number != 0) {
            m_bytes += sizeOf(lost.what);
            kept.push_back(lost);
        }
    }
    std::sort(kept.begin(), kept.end(), [](const Update& a, const Update& b) { return a.number < b.number; });
    m_updates = std::move(kept);
}

void UpdateBook::forget(std::uint64_t after) {
    while (!m_updates.empty() && m_updates.front().number <= after) {
        m_bytes -= sizeOf(m_updates.front().what);
        m_updates.pop_front();
    }
}

boost::json::object UpdateBook::handOut(std::uint64_t after) {
    const auto first = std::find_if(m_updates.begin(), m_updates.end(), [&](const Update& each) { return each.number > after; });
    const auto last = m_updates.end() - first > static_cast<std::ptrdiff_t>(kMaxUpdatesInAnswer) ? first + kMaxUpdatesInAnswer : m_updates.end();
    const std::vector<Update> next(first, last);
    auto answer = answerWith(next);
    const auto count = answer.at("updates").as_array().size();
    if (count > 0) {
        m_handedOut = std::max(m_handedOut, next[count - 1].number);
    }
    return answer;
}

} // namespace carrel::runner
