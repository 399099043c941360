// SPDX-License-Identifier: Apache-2.0
#include "app/agents/review_book.h"

#include "app/files/durable_file.h"
#include "app/files/sha256.h"
#include "guest/protocol/change_report.h"
#include "guest/protocol/share_path.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace carrel::agents {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
// Against a file that is none of ours. An apply without its path takes some hundred bytes here and thousands in its
// journal, so the disk is full long before.
constexpr std::size_t kMaxReadBytes = 1024 * 1024 * 1024;
constexpr std::size_t kMaxReadItems = kMaxReadBytes; // the bytes bound them
constexpr std::size_t kMaxFirstBytes = kMaxNameBytes + 1 + kMaxPathBytes; // <share>/<path>

json::array toJson(const std::vector<ReviewPart>& parts) {
    json::array out;
    for (const auto& part : parts) {
        out.push_back({{"share", part.share}, {"set", part.set}});
    }
    return out;
}

json::array toJson(const std::vector<ApplyPart>& parts) {
    json::array out;
    for (const auto& part : parts) {
        out.push_back({{"share", part.share}, {"apply", part.apply}});
    }
    return out;
}

// One object of a list, or nothing when it is of another form.
template <class Read> Status eachObject(const json::array& items, const Read& read) {
    for (const auto& item : items) {
        if (!item.is_object()) {
            return fail(ErrorCode::Malformed, "the list of reviews is damaged");
        }
        CARREL_TRY(read(item.get_object()));
    }
    return {};
}

// As putPath() writes it; longer than any path, and only to look at.
std::string takeFirst(JsonFields& fields) {
    const auto coded = fields.optionalString("first_b64", 2 * kMaxFirstBytes);
    auto plain = fields.optionalString("first", kMaxFirstBytes);
    return coded ? fromBase64(*coded).value_or("") : std::move(plain).value_or("");
}

std::string reviewId(const std::vector<ReviewPart>& parts) {
    std::string text = "carrel-review-1\n";
    for (const auto& part : parts) {
        text += std::to_string(part.share) + " " + part.set + "\n";
    }
    return files::Sha256::of(text).hex();
}

} // namespace

Result<ReviewBook> ReviewBook::open(std::filesystem::path file, std::size_t maxBytes) {
    ReviewBook book(std::move(file), maxBytes);
    auto text = files::readWhole(book.m_file, kMaxReadBytes);
    if (!text) {
        if (text.error().code == ErrorCode::NotFound) {
            return book;
        }
        return fail(std::move(text).error());
    }
    auto object = parseJsonObject(*text, {kMaxReadBytes, 8});
    if (!object) {
        return fail(std::move(object).error());
    }
    JsonFields fields(*object, "reviews");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported, "the list of reviews was written by a later version of Carrel", "Update Carrel");
    }
    book.m_next = fields.number("next");
    CARREL_TRY(eachObject(fields.array("reviews", 10'000), [&](const json::object& item) -> Status {
        JsonFields one(item, "review");
        Review review{one.string("id", 64), {}};
        CARREL_TRY(eachObject(one.array("parts", 1000), [&](const json::object& inner) -> Status {
            JsonFields part(inner, "part");
            review.parts.push_back({static_cast<std::uint32_t>(part.number("share", UINT32_MAX)), part.string("set", 64)});
            return part.finish();
        }));
        book.m_reviews.push_back(std::move(review));
        return one.finish();
    }));
    CARREL_TRY(eachObject(fields.array("applies", kMaxReadItems), [&](const json::object& item) -> Status {
        JsonFields one(item, "apply");
        NumberedApply apply{one.number("number"), one.number("undoes"), one.string("review", 64), {}, {}};
        apply.facts.by = one.optionalString("by", 16).value_or(std::string(kByOwner));
        apply.facts.atMs = static_cast<std::int64_t>(one.optionalNumber("at_ms", INT64_MAX).value_or(0));
        apply.facts.done = one.optionalNumber("done").value_or(0);
        apply.facts.open = one.optionalNumber("open").value_or(0);
        apply.facts.first = takeFirst(one);
        CARREL_TRY(eachObject(one.array("parts", kMaxReadItems), [&](const json::object& inner) -> Status {
            JsonFields part(inner, "part");
            apply.parts.push_back(
                {static_cast<std::uint32_t>(part.number("share", UINT32_MAX)), part.string("apply", 128)});
            return part.finish();
        }));
        book.m_applies.push_back(std::move(apply));
        return one.finish();
    }));
    CARREL_TRY(fields.finish());
    return book;
}

std::string ReviewBook::text() const {
    json::array reviews;
    for (const auto& review : m_reviews) {
        reviews.push_back({{"id", review.id}, {"parts", toJson(review.parts)}});
    }
    json::array applies;
    for (const auto& apply : m_applies) {
        json::object item{{"number", apply.number},
                          {"undoes", apply.undoes},
                          {"review", apply.review},
                          {"parts", toJson(apply.parts)},
                          {"by", apply.facts.by},
                          {"at_ms", std::max<std::int64_t>(apply.facts.atMs, 0)},
                          {"done", apply.facts.done},
                          {"open", apply.facts.open}};
        putPath(item, "first", apply.facts.first);
        applies.push_back(std::move(item));
    }
    return json::serialize(json::object{
        {"schema", kSchema}, {"next", m_next}, {"reviews", std::move(reviews)}, {"applies", std::move(applies)}});
}

// By at least as many bytes, as long as there are paths: written, one takes no less than it has.
void ReviewBook::shorten(std::size_t by) {
    for (auto& apply : m_applies) { // oldest first
        if (by == 0) {
            return;
        }
        by -= std::min(by, apply.facts.first.size());
        apply.facts.first = {};
    }
}

Status ReviewBook::store() {
    std::string whole = text();
    if (whole.size() > m_maxBytes) {
        shorten(whole.size() - m_maxBytes + m_maxBytes / 8); // with some room, so that not every apply comes here again
        whole = text();
    }
    return files::replaceDurably(m_file, whole);
}

Result<Review> ReviewBook::add(std::vector<ReviewPart> parts, std::vector<Review>& dropped,
                               const std::set<std::string>& kept) {
    std::sort(parts.begin(), parts.end(),
              [](const ReviewPart& a, const ReviewPart& b) { return a.share < b.share; });
    Review review{reviewId(parts), std::move(parts)};
    std::erase_if(m_reviews, [&](const Review& old) { return old.id == review.id; });
    m_reviews.push_back(review);
    for (auto old = m_reviews.begin(); m_reviews.size() > kMaxReviews && old != std::prev(m_reviews.end());) {
        if (kept.contains(old->id)) {
            ++old;
            continue;
        }
        dropped.push_back(std::move(*old));
        old = m_reviews.erase(old);
    }
    CARREL_TRY(store());
    return review;
}

Status ReviewBook::drop(const std::string& id, std::vector<Review>& dropped) {
    const auto found = std::find_if(m_reviews.begin(), m_reviews.end(), [&](const Review& r) { return r.id == id; });
    if (found == m_reviews.end()) {
        return {};
    }
    dropped.push_back(std::move(*found));
    m_reviews.erase(found);
    return store();
}

const Review* ReviewBook::find(const std::string& id) const {
    const auto found = std::find_if(m_reviews.begin(), m_reviews.end(), [&](const Review& r) { return r.id == id; });
    return found == m_reviews.end() ? nullptr : &*found;
}

Result<std::uint64_t> ReviewBook::record(std::uint64_t undoes, std::string review, std::vector<ApplyPart> parts,
                                         ApplyFacts facts) {
    const std::uint64_t number = m_next++;
    m_applies.push_back({number, undoes, std::move(review), std::move(parts), std::move(facts)});
    CARREL_TRY(store());
    return number;
}

const NumberedApply* ReviewBook::apply(std::uint64_t number) const {
    const auto found =
        std::find_if(m_applies.begin(), m_applies.end(), [&](const NumberedApply& a) { return a.number == number; });
    return found == m_applies.end() ? nullptr : &*found;
}

bool ReviewBook::isUndone(std::uint64_t number) const {
    return undoneBy(number) != 0;
}

std::uint64_t ReviewBook::undoneBy(std::uint64_t number) const {
    const auto by = std::find_if(m_applies.begin(), m_applies.end(), [&](const NumberedApply& a) {
        return number != 0 && a.undoes == number && !isUndone(a.number);
    });
    return by == m_applies.end() ? 0 : by->number;
}

const NumberedApply* ReviewBook::lastStanding() const {
    for (auto apply = m_applies.rbegin(); apply != m_applies.rend(); ++apply) {
        if (apply->undoes == 0 && !isUndone(apply->number)) {
            return &*apply;
        }
    }
    return nullptr;
}

} // namespace carrel::agents
