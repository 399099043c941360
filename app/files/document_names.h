// SPDX-License-Identifier: Apache-2.0
// Which files are documents whose text can be shown though their bytes are none: by the ending of their name alone, since
// nothing on the host looks into them. A name that lies is found out where the document is read (app/viewer).
// Thread: pure functions.
#pragma once

#include <optional>
#include <string_view>

namespace carrel::files {

enum class DocumentKind { Docx, Xlsx, Odt, Ods, Pdf };
[[nodiscard]] std::string_view toString(DocumentKind kind); // "docx", …

// In either case of letters. With their templates and their kinds that may hold macros: report.docm is a docx.
[[nodiscard]] std::optional<DocumentKind> documentKindOf(std::string_view path);

} // namespace carrel::files
