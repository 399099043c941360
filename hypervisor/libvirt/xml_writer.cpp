// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/libvirt/xml_writer.h"

namespace carrel::hypervisor {

std::string escapeXml(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&apos;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

void XmlWriter::tag(std::string_view name, Attributes attributes) {
    m_out += '<';
    m_out += name;
    for (const auto& [key, value] : attributes) {
        m_out += ' ';
        m_out += key;
        m_out += "='";
        m_out += escapeXml(value);
        m_out += '\'';
    }
}

XmlWriter& XmlWriter::open(std::string_view name, Attributes attributes) {
    tag(name, attributes);
    m_out += ">\n";
    m_open.emplace_back(name);
    return *this;
}

XmlWriter& XmlWriter::close() {
    m_out += "</" + m_open.back() + ">\n";
    m_open.pop_back();
    return *this;
}

XmlWriter& XmlWriter::leaf(std::string_view name, Attributes attributes, std::string_view text) {
    tag(name, attributes);
    if (text.empty()) {
        m_out += "/>\n";
        return *this;
    }
    m_out += '>';
    m_out += escapeXml(text);
    m_out += "</";
    m_out += name;
    m_out += ">\n";
    return *this;
}

} // namespace carrel::hypervisor
