// SPDX-License-Identifier: Apache-2.0
#include "app/cli/render.h"

#include "app/api/display_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace carrel::cli {

namespace json = boost::json;
using api::DisplayText;

std::string shown(std::string_view foreign, std::size_t columns) {
    return DisplayText::line(foreign, columns).text();
}

std::string bytesText(std::uint64_t bytes) {
    static constexpr std::array kUnits{"KB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        return std::to_string(bytes) + " B";
    }
    double value = static_cast<double>(bytes) / 1000;
    std::size_t unit = 0;
    while (value >= 999.95 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    std::array<char, 32> out{};
    std::snprintf(out.data(), out.size(), "%.1f %s", value, kUnits[unit]);
    return out.data();
}

std::string countText(std::uint64_t count, std::string_view one, std::string_view many) {
    return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

std::optional<std::int64_t> momentOf(std::string_view rfc3339) {
    std::tm parts{};
    const std::string text(rfc3339.substr(0, 64));
    if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                    &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 6) {
        return std::nullopt;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return std::int64_t{::timegm(&parts)};
}

std::string timeText(std::string_view rfc3339) {
    const auto seconds = momentOf(rfc3339);
    if (!seconds) {
        return shown(rfc3339, 40);
    }
    const std::time_t moment = *seconds;
    std::tm local{};
    ::localtime_r(&moment, &local);
    std::array<char, 32> out{};
    std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M:%S", &local);
    return out.data();
}

std::string errorLine(const Error& error) {
    std::string text = error.text();
    while (!text.empty() && text.back() == '.') {
        text.pop_back();
    }
    text += '.';
    if (!error.hint.empty()) {
        text += " " + error.hint;
    }
    return "carrel: " + shown(text, 1000) + "\n";
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : m_rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], DisplayText::line(row[i], 1000).columns());
        }
    }
    std::string out;
    for (const auto& row : m_rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size()) {
                out.append(widths[i] - DisplayText::line(row[i], 1000).columns() + 2, ' ');
            }
        }
        out += '\n';
    }
    return out;
}

std::string doctorText(const json::object& result) {
    std::string out;
    const auto accelerator = textAt(result, "accelerator");
    if (accelerator.empty()) {
        out += "No machine can run on this computer.\n";
    } else {
        out += "Machines run here with " +
               (accelerator == "hardware" ? std::string("hardware virtualization")
                                          : std::string("software emulation")) +
               ": " + shown(textAt(result, "reason")) + ".\n";
        if (accelerator != "hardware") {
            out += "Software emulation is slower, and a weaker wall than hardware virtualization.\n";
        }
    }
    for (const auto& value : listAt(result, "findings")) {
        if (!value.is_object()) {
            continue;
        }
        const auto& finding = value.get_object();
        out +=
            "\n" + shown(textAt(finding, "severity"), 20) + ": " + shown(textAt(finding, "what"), 400) + "\n";
        if (const auto why = textAt(finding, "why"); !why.empty()) {
            out += "  why:        " + shown(why, 400) + "\n";
        }
        if (const auto remedy = textAt(finding, "remedy"); !remedy.empty()) {
            out += "  what to do: " + shown(remedy, 400) + "\n";
        }
        if (const auto command = textAt(finding, "command"); !command.empty()) {
            out += "  command:    " + shown(command, 400) + "\n";
        }
    }
    out += "\n" + shown(textAt(result, "hypervisor")) + ", Carrel " + shown(textAt(result, "version"), 40) +
           ", data in " + shown(textAt(result, "home"), 400) +
           (flagAt(result, "from_cache") ? " (remembered answer; --fresh probes again)" : "") + "\n";
    return out;
}

std::string agentsText(const json::array& agents) {
    if (agents.empty()) {
        return "No agents yet. Make one with: carrel create NAME --share FOLDER\n";
    }
    Table table({"NAME", "STATE", "MEMORY", "CPUS", "NETWORK", "SHARES"});
    for (const auto& value : agents) {
        if (!value.is_object()) {
            continue;
        }
        const auto& agent = value.get_object();
        std::string shares;
        for (const auto& share : listAt(agent, "shares")) {
            if (share.is_object()) {
                shares += (shares.empty() ? "" : ", ") + shown(textAt(share.get_object(), "name"), 40);
                shares += textAt(share.get_object(), "mode") == "read-only" ? " (read-only)" : "";
            }
        }
        std::string state = shown(textAt(agent, "state"), 20);
        if (const auto reason = textAt(agent, "reason"); !reason.empty()) {
            state += ": " + shown(reason, 100);
        }
        table.add({shown(textAt(agent, "name"), 40), state,
                   std::to_string(numberAt(agent, "memory_mib")) + " MiB",
                   std::to_string(numberAt(agent, "cpus")), shown(textAt(agent, "network"), 20), shares});
    }
    return table.text();
}

std::string startText(const json::object& result) {
    const auto& agent = objectAt(result, "agent");
    const auto name = shown(textAt(agent, "name"), 40);
    if (!flagAt(result, "started")) {
        return "Agent " + name + " runs already.\n";
    }
    const auto milliseconds = numberAt(result, "took_ms");
    return "Agent " + name + " is " + shown(textAt(agent, "state"), 20) + " (" +
           std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds % 1000 / 100) + " s, " +
           (textAt(agent, "accelerator") == "hardware" ? "hardware virtualization" : "software emulation") +
           ").\n";
}

std::string chosenText(const json::object& share) {
    std::string out;
    for (const auto& value : listAt(share, "placeholders")) {
        if (value.is_object()) {
            const auto program = shown(textAt(value.get_object(), "program"), 40);
            out += std::string(flagAt(share, "looked_in_part") ? "  At least " : "  ") +
                   countText(numberAt(value.get_object(), "files"), "file in it only stands for what ",
                             "files in it only stand for what ") +
                   program + " keeps elsewhere. The agent cannot read that,\n  and no change of it is applied. Make available "
                   "offline in " + program + " what the agent shall work on.\n";
        }
    }
    if (flagAt(share, "unreported")) {
        out += "  It is on a network or removable drive that does not report changes: the agent looks again every second.\n";
    }
    return out;
}

std::string sharesText(const json::array& shares) {
    if (shares.empty()) {
        return "No folders are shared.\n";
    }
    Table table({"NAME", "MODE", "IN THE MACHINE", "FOLDER"});
    for (const auto& value : shares) {
        if (value.is_object()) {
            const auto& share = value.get_object();
            table.add({shown(textAt(share, "name"), 60), shown(textAt(share, "mode"), 20) + (flagAt(share, "revoked") ? " (revoked)" : ""),
                       shown(textAt(share, "guest_path"), 100), shown(pathAt(share, "dir"), 400)});
        }
    }
    std::string out = table.text();
    for (const auto& value : shares) {
        if (value.is_object() && value.get_object().contains("trouble")) {
            out += "The agent's machine does not have " + shown(textAt(value.get_object(), "name"), 60) +
                   " as it should, and is asked again. It says: " + shown(textAt(value.get_object(), "trouble"), 400) + "\n";
        }
    }
    return out;
}

std::string imagesText(const json::array& images) {
    if (images.empty()) {
        return "No images yet. Build one with: carrel image build\n";
    }
    Table table({"IMAGE", "ORIGIN", "CREATED", "SIZE", "PACKAGES", ""});
    for (const auto& value : images) {
        if (value.is_object()) {
            const auto& image = value.get_object();
            table.add({shown(textAt(image, "id"), 16), shown(textAt(image, "origin"), 20),
                       timeText(textAt(image, "created")), bytesText(numberAt(image, "bytes")),
                       std::to_string(numberAt(image, "packages")),
                       flagAt(image, "default") ? "default" : ""});
        }
    }
    return table.text();
}

} // namespace carrel::cli
