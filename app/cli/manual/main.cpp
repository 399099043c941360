// SPDX-License-Identifier: Apache-2.0
// carrel-write-manual < PAGE.in > PAGE: a manual page with the lists of verbs in the place of @VERBS@. Part of the build, not of an
// installation.
#include "app/cli/context.h"
#include "app/cli/manual/man_page.h"

#include <iostream>
#include <iterator>

int main() {
    constexpr std::string_view kPlace = "@VERBS@\n";
    std::string page{std::istreambuf_iterator<char>(std::cin), {}};
    const auto at = page.find(kPlace);
    if (at == std::string::npos) {
        std::cerr << "carrel-write-manual: the page has no place for the verbs: a line @VERBS@\n";
        return 1;
    }
    carrel::cli::Context context;
    CLI::App app{"", "carrel"};
    try {
        carrel::cli::addEverything(app, context, {});
    } catch (const CLI::Error& error) {
        std::cerr << "carrel-write-manual: " << error.what() << "\n";
        return 1;
    }
    page.replace(at, kPlace.size(), carrel::cli::roffVerbs(app));
    std::cout << page << std::flush;
    return std::cout.good() ? 0 : 1;
}
