// SPDX-License-Identifier: Apache-2.0
// The smallest XML writer that cannot be talked into markup: every text and attribute is escaped
// (XML 1.0, 2.4). Thread: value.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::hypervisor {

class XmlWriter {
public:
    using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    // Names are literals of the program; values may be anything validate() lets through.
    XmlWriter& open(std::string_view name, Attributes attributes = {});
    XmlWriter& close();
    XmlWriter& leaf(std::string_view name, Attributes attributes = {}, std::string_view text = {});
    [[nodiscard]] std::string take() { return std::move(m_out); }

private:
    void tag(std::string_view name, Attributes attributes);
    std::string m_out;
    std::vector<std::string> m_open;
};

[[nodiscard]] std::string escapeXml(std::string_view text);

} // namespace carrel::hypervisor
