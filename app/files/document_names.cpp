// SPDX-License-Identifier: Apache-2.0
#include "app/files/document_names.h"

#include <algorithm>
#include <array>
#include <string>

namespace carrel::files {

std::string_view toString(DocumentKind kind) {
    switch (kind) {
    case DocumentKind::Docx:
        return "docx";
    case DocumentKind::Xlsx:
        return "xlsx";
    case DocumentKind::Odt:
        return "odt";
    case DocumentKind::Ods:
        return "ods";
    case DocumentKind::Pdf:
        return "pdf";
    }
    return "";
}

std::optional<DocumentKind> documentKindOf(std::string_view path) {
    constexpr std::array<std::pair<std::string_view, DocumentKind>, 11> kEndings{{{"docx", DocumentKind::Docx},
                                                                                  {"docm", DocumentKind::Docx},
                                                                                  {"dotx", DocumentKind::Docx},
                                                                                  {"dotm", DocumentKind::Docx},
                                                                                  {"xlsx", DocumentKind::Xlsx},
                                                                                  {"xlsm", DocumentKind::Xlsx},
                                                                                  {"xltx", DocumentKind::Xlsx},
                                                                                  {"xltm", DocumentKind::Xlsx},
                                                                                  {"odt", DocumentKind::Odt},
                                                                                  {"ods", DocumentKind::Ods},
                                                                                  {"pdf", DocumentKind::Pdf}}};
    const auto name = path.substr(path.rfind('/') + 1); // npos + 1 is 0
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) {
        return std::nullopt;
    }
    std::string ending(name.substr(dot + 1));
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const auto& [known, kind] : kEndings) {
        if (ending == known) {
            return kind;
        }
    }
    return std::nullopt;
}

} // namespace carrel::files
