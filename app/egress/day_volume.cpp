// SPDX-License-Identifier: Apache-2.0
#include "app/egress/day_volume.h"

#include "app/egress/limits.h"
#include "app/files/durable_file.h"
#include "guest/protocol/strict_json.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <ctime>

namespace carrel::egress {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxFileBytes = 4096;
constexpr std::uint64_t kUsedUp = 2 * kMostLimit; // whatever the limit is

std::string dayOfThisComputer() {
    const auto now = std::time(nullptr);
    std::tm local{};
    std::array<char, 32> out{};
    ::localtime_r(&now, &local);
    return std::string(out.data(), std::strftime(out.data(), out.size(), "%Y-%m-%d", &local));
}

} // namespace

DayVolume::DayVolume(std::filesystem::path file, std::function<std::string()> today)
    : m_file(std::move(file))
    , m_today(today ? std::move(today) : dayOfThisComputer) {}

void DayVolume::look() {
    const auto today = m_today();
    if (!std::exchange(m_read, true)) {
        m_day = today;
        const auto text = files::readWhole(m_file, kMaxFileBytes);
        const auto object = text ? parseJsonObject(*text, {kMaxFileBytes, 2}) : fail(text.error());
        if (object) {
            JsonFields fields(*object, "volume");
            const auto schema = fields.number("schema");
            m_day = fields.string("day", 16);
            m_used = m_written = fields.number("bytes", kUsedUp);
            m_told = fields.number("told");
            if (!fields.finish() || schema != kSchema) {
                m_day = today;
                m_used = m_written = kUsedUp;
            }
        } else if (text || text.error().code != ErrorCode::NotFound) {
            m_used = m_written = kUsedUp;
        }
    }
    if (m_day != today) {
        m_day = today;
        m_used = m_written = m_told = 0;
        m_changed = true;
    }
}

Status DayVolume::write(std::uint64_t bytes) {
    if (bytes == m_written && !m_changed) {
        return {};
    }
    const json::object object{{"schema", kSchema}, {"day", m_day}, {"bytes", bytes}, {"told", m_told}};
    CARREL_TRY(files::replaceDurably(m_file, json::serialize(object)));
    m_written = bytes;
    m_changed = false;
    return {};
}

std::uint64_t DayVolume::used() {
    const std::lock_guard lock(m_mutex);
    look();
    return m_used;
}

std::string DayVolume::day() {
    const std::lock_guard lock(m_mutex);
    look();
    return m_day;
}

void DayVolume::add(std::uint64_t bytes) {
    const std::lock_guard lock(m_mutex);
    look();
    m_used = std::min(kUsedUp, m_used + std::min(bytes, kUsedUp));
}

Status DayVolume::cover(std::uint64_t ahead) {
    const std::lock_guard lock(m_mutex);
    look();
    const auto wanted = std::min(kUsedUp, m_used + std::min(ahead, kUsedUp));
    return wanted > m_written || m_changed ? write(std::max(wanted, m_written)) : Status();
}

void DayVolume::settle() {
    const std::lock_guard lock(m_mutex);
    look();
    (void)write(m_used).has_value();
}

bool DayVolume::tellOnce(std::uint64_t limit) {
    const std::lock_guard lock(m_mutex);
    look();
    if (m_told == limit) {
        return false;
    }
    m_told = limit;
    m_changed = true;
    (void)write(std::max(m_used, m_written)).has_value(); // else an engine that comes after this one tells it once more
    return true;
}

} // namespace carrel::egress
