// SPDX-License-Identifier: Apache-2.0
#include "app/egress/canaries/canary_book.h"

#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>

namespace carrel::egress {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFile = 1024 * 1024;

std::int64_t systemNow() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool meet(const Canary& a, const Canary& b) {
    return a.agents.empty() || b.agents.empty() || std::any_of(a.agents.begin(), a.agents.end(), [&](const auto& each) { return isFor(b, each); });
}

bool holds(std::string_view outer, std::string_view inner) {
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b)); };
    return std::search(outer.begin(), outer.end(), inner.begin(), inner.end(), same) != outer.end();
}

// Its name, and what is said of where it is, are in the agents' logs.
Status refuseTold(const Canary& of) {
    return holds(of.name, of.text) || holds(of.planted, of.text) || holds(of.variable.value_or(""), of.text)
               ? fail(ErrorCode::InvalidArgument, "The canary's text stands in its name, or in what is said of where it is, which the timeline tells",
                      "Say it in other words")
               : Status();
}

Result<Canary*> findIn(std::vector<Canary>& all, const std::string& name) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const Canary& each) { return each.name == name; });
    return at == all.end() ? Result<Canary*>(fail(ErrorCode::NotFound, "There is no canary of that name", "See: carrel canary list")) : &*at;
}

} // namespace

CanaryBook::CanaryBook(std::filesystem::path file, std::function<std::int64_t()> nowMs)
    : m_file(std::move(file))
    , m_nowMs(nowMs ? std::move(nowMs) : systemNow) {}

Result<CanaryBook::Canaries> CanaryBook::read() {
    if (m_all) {
        return *m_all;
    }
    const auto text = files::readWhole(m_file, kMaxFile);
    if (!text) {
        if (text.error().sysErrno == ENOENT) {
            m_all.emplace();
            return *m_all;
        }
        return fail(text.error());
    }
    const auto damaged = [&](const Error& why) {
        return fail(why.wrap("The list of canaries, " + m_file.string() + ", cannot be read", "Put it right or take it away; until then none is looked for"));
    };
    const auto object = parseJsonObject(*text, {kMaxFile, 6});
    if (!object) {
        return damaged(object.error());
    }
    JsonFields fields(*object, "canaries");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported, "The list of canaries was written by a later version of Carrel", "Update Carrel");
    }
    Canaries all;
    for (const auto& each : fields.array("canaries", kMaxCanaries)) {
        auto one = each.is_object() ? canaryFrom(each.get_object()) : Result<Canary>(fail(ErrorCode::Malformed, "it lists something that is no canary"));
        if (!one) {
            return damaged(one.error());
        }
        all.push_back(std::move(*one));
    }
    if (auto done = fields.finish(); !done) {
        return damaged(done.error());
    }
    m_all = all;
    return all;
}

Result<std::vector<Canary>> CanaryBook::list() {
    const std::lock_guard lock(m_mutex);
    return read();
}

Result<std::vector<Canary>> CanaryBook::of(std::string_view agent) {
    auto all = list();
    if (all) {
        std::erase_if(*all, [&](const Canary& each) { return !isFor(each, agent); });
    }
    return all;
}

Result<Canary> CanaryBook::change(const std::function<Result<Canary>(Canaries&)>& change, const Before& before) {
    Result<Canary> out = fail(ErrorCode::Internal, "");
    {
        const std::lock_guard lock(m_mutex);
        auto all = read();
        if (!all) {
            return fail(std::move(all).error());
        }
        out = change(*all);
        if (!out) {
            return out;
        }
        if (before) {
            CARREL_TRY(before(*out));
        }
        json::array list;
        for (const auto& each : *all) {
            list.push_back(toJson(each));
        }
        CARREL_TRY(files::replaceDurably(m_file, json::serialize(json::object{{"schema", kSchema}, {"canaries", std::move(list)}})));
        m_all = std::move(*all);
    }
    if (m_changed) {
        m_changed();
    }
    return out;
}

Result<Canary> CanaryBook::add(Canary wanted, const Before& before) {
    CARREL_TRY(check(wanted));
    CARREL_TRY(refuseTold(wanted));
    return change([&](Canaries& all) -> Result<Canary> {
        if (all.size() >= kMaxCanaries) {
            return fail(ErrorCode::LimitExceeded, "There are " + std::to_string(kMaxCanaries) + " canaries already", "Remove some of them");
        }
        for (const auto& each : all) {
            if (each.name == wanted.name || each.text == wanted.text) {
                return fail(ErrorCode::AlreadyExists, each.name == wanted.name ? "There is a canary of that name already" : "The canary " + each.name + " is that text already",
                            "Choose another one, or remove it first: carrel canary remove " + each.name);
            }
        }
        wanted.createdMs = m_nowMs();
        all.push_back(wanted);
        return wanted;
    }, before);
}

Result<Canary> CanaryBook::plant(const std::string& name, const Planting& where, const Before& before) {
    return change([&](Canaries& all) -> Result<Canary> {
        const auto found = findIn(all, name);
        if (!found) {
            return fail(found.error());
        }
        auto& one = **found;
        one.planted = where.planted.value_or(one.planted);
        one.variable = where.variable ? where.variable : one.variable;
        CARREL_TRY(check(one));
        CARREL_TRY(refuseTold(one));
        for (const auto& each : all) {
            if (one.variable && each.name != one.name && each.variable == one.variable && meet(each, one)) {
                return fail(ErrorCode::AlreadyExists, "The canary " + each.name + " has the variable " + *one.variable + " already", "Choose another one");
            }
        }
        return one;
    }, before);
}

Result<Canary> CanaryBook::remove(const std::string& name, const Before& before) {
    return change([&](Canaries& all) -> Result<Canary> {
        const auto found = findIn(all, name);
        if (!found) {
            return fail(found.error());
        }
        const Canary gone = **found;
        std::erase_if(all, [&](const Canary& each) { return each.name == name; });
        return gone;
    }, before);
}

} // namespace carrel::egress
