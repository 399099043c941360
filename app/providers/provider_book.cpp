// SPDX-License-Identifier: Apache-2.0
#include "app/providers/provider_book.h"

#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>

namespace carrel::providers {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFile = 1024 * 1024;

std::int64_t systemNow() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

auto at(std::vector<Provider>& all, const std::string& name) {
    return std::find_if(all.begin(), all.end(), [&](const Provider& each) { return each.name == name; });
}

tl::unexpected<Error> noSuch(const std::string& name) {
    return fail(ErrorCode::NotFound, "There is no model provider \"" + name + "\"", "See: carrel provider list");
}

} // namespace

ProviderBook::ProviderBook(std::filesystem::path file, std::function<std::int64_t()> nowMs)
    : m_file(std::move(file))
    , m_nowMs(nowMs ? std::move(nowMs) : systemNow) {}

Status ProviderBook::read() {
    if (m_read) {
        return {};
    }
    const auto text = files::readWhole(m_file, kMaxFile);
    if (!text) {
        if (text.error().sysErrno == ENOENT) {
            m_read = true;
            return {};
        }
        return fail(text.error());
    }
    const auto damaged = [&](const Error& why) {
        return fail(why.wrap("The list of model providers, " + m_file.string() + ", cannot be read",
                             "Put it right or take it away; until then no provider is used, and none is added"));
    };
    const auto object = parseJsonObject(*text, {kMaxFile, 4});
    if (!object) {
        return damaged(object.error());
    }
    JsonFields fields(*object, "providers");
    if (fields.number("schema") != kSchema) {
        return fail(ErrorCode::Unsupported, "The list of model providers was written by a later version of Carrel", "Update Carrel");
    }
    std::vector<Provider> all;
    for (const auto& each : fields.array("providers", kMaxProviders)) {
        auto one = each.is_object() ? providerFrom(each.get_object()) : Result<Provider>(fail(ErrorCode::Malformed, "it lists something that is no provider"));
        if (one && at(all, one->name) != all.end()) {
            one = fail(ErrorCode::Malformed, "it lists " + one->name + " twice");
        }
        if (!one) {
            return damaged(one.error());
        }
        all.push_back(std::move(*one));
    }
    if (auto done = fields.finish(); !done) {
        return damaged(done.error());
    }
    std::sort(all.begin(), all.end(), [](const Provider& a, const Provider& b) { return a.name < b.name; });
    m_all = std::move(all);
    m_read = true;
    return {};
}

Status ProviderBook::write(const std::vector<Provider>& all) const {
    json::array list;
    for (const auto& each : all) {
        list.push_back(toJson(each));
    }
    return files::replaceDurably(m_file, json::serialize(json::object{{"schema", kSchema}, {"providers", std::move(list)}}));
}

Result<std::vector<Provider>> ProviderBook::list() {
    const std::lock_guard lock(m_mutex);
    CARREL_TRY(read());
    return m_all;
}

Result<Provider> ProviderBook::find(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    CARREL_TRY(read());
    const auto found = at(m_all, name);
    return found == m_all.end() ? Result<Provider>(noSuch(name)) : *found;
}

Result<Provider> ProviderBook::add(Provider wanted) {
    CARREL_TRY(check(wanted));
    const std::lock_guard changing(m_changing);
    auto all = list();
    if (!all) {
        return fail(std::move(all).error());
    }
    if (at(*all, wanted.name) != all->end()) {
        return fail(ErrorCode::AlreadyExists, "There is a model provider of that name already",
                    "Choose another name, or remove it first: carrel provider remove " + wanted.name);
    }
    if (all->size() >= kMaxProviders) {
        return fail(ErrorCode::LimitExceeded, "There are " + std::to_string(kMaxProviders) + " model providers already", "Remove some of them");
    }
    wanted.createdMs = m_nowMs();
    all->insert(std::find_if(all->begin(), all->end(), [&](const Provider& each) { return each.name > wanted.name; }), wanted);
    CARREL_TRY(write(*all));
    const std::lock_guard lock(m_mutex);
    m_all = std::move(*all);
    return wanted;
}

Result<Provider> ProviderBook::remove(const std::string& name) {
    const std::lock_guard changing(m_changing);
    auto all = list();
    if (!all) {
        return fail(std::move(all).error());
    }
    const auto found = at(*all, name);
    if (found == all->end()) {
        return noSuch(name);
    }
    auto gone = std::move(*found);
    all->erase(found);
    CARREL_TRY(write(*all));
    const std::lock_guard lock(m_mutex);
    m_all = std::move(*all);
    return gone;
}

} // namespace carrel::providers
