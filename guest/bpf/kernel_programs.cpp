// SPDX-License-Identifier: Apache-2.0
#include "guest/bpf/kernel_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace carrel::bpf {

namespace {

constexpr std::size_t kMaxWords = 2000; // of a verifier's log, which may be millions long: its end says why

thread_local std::string tWords; // what libbpf said since the last forgetWords()

void forgetWords() {
    tWords.clear();
}

int keepWords(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG) {
        return 0;
    }
    char line[8192];
    const int length = std::vsnprintf(line, sizeof line, format, arguments);
    tWords += line;
    if (tWords.size() > kMaxWords) {
        tWords.erase(0, tWords.size() - kMaxWords);
    }
    return length;
}

tl::unexpected<Error> failWith(const std::string& doing, int number) {
    Error error = errnoError(doing, number);
    if (!tWords.empty()) {
        error.message += ": " + tWords;
    }
    return fail(std::move(error));
}

struct CloseObject {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using OpenObject = std::unique_ptr<bpf_object, CloseObject>;

Result<OpenObject> openObject(const Object& object) {
    static const auto previous = libbpf_set_print(keepWords);
    static_cast<void>(previous);
    forgetWords();
    bpf_object_open_opts options{};
    options.sz = sizeof options;
    options.object_name = object.name.c_str();
    OpenObject open(bpf_object__open_mem(object.bytes.data(), object.bytes.size(), &options));
    if (!open) {
        return failWith("reading the kernel program " + object.name, errno);
    }
    return open;
}

std::vector<std::string> namesIn(const std::string& folder) {
    std::vector<std::string> names;
    if (DIR* list = ::opendir(folder.c_str())) {
        while (const dirent* entry = ::readdir(list)) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") {
                names.push_back(name);
            }
        }
        ::closedir(list);
    }
    return names;
}

// With the last pin of a link its program is out of force: for what a start left half done.
void removePins(const std::string& folder) {
    for (const auto& name : namesIn(folder)) {
        ::unlink((folder + "/" + name).c_str());
    }
    ::rmdir(folder.c_str());
}

} // namespace

Result<KernelPrograms> KernelPrograms::bringIntoForce(const Object& object, const std::string& pins, const Lent& lent) {
    if (::mkdir(pins.c_str(), 0700) != 0 && errno != EEXIST) {
        return failErrno("making " + pins);
    }
    KernelPrograms programs;
    const std::string folder = pins + "/" + object.name;
    if (::access(folder.c_str(), F_OK) == 0) {
        programs.m_origin = Origin::Found;
        CARREL_TRY(programs.takeUp(folder));
        return programs;
    }
    const std::string begun = folder + "_begun";
    removePins(begun);
    if (::mkdir(begun.c_str(), 0700) != 0) {
        return failErrno("making " + begun);
    }
    auto done = programs.load(object, begun, lent);
    if (done && ::rename(begun.c_str(), folder.c_str()) != 0) { // from here on a start finds all of it
        done = failErrno("naming " + folder);
    }
    if (!done) {
        removePins(begun);
        return fail(done.error());
    }
    return programs;
}

Status KernelPrograms::load(const Object& object, const std::string& folder, const Lent& lent) {
    auto open = openObject(object);
    if (!open) {
        return fail(open.error());
    }
    forgetWords();
    for (const auto& [name, descriptor] : lent) {
        bpf_map* map = bpf_object__find_map_by_name(open->get(), name.c_str());
        if (map == nullptr || bpf_map__reuse_fd(map, descriptor) != 0) {
            return failWith("lending the map " + name + " to " + object.name, map == nullptr ? ENOENT : errno);
        }
    }
    if (const int answer = bpf_object__load(open->get()); answer != 0) {
        return failWith("loading the kernel program " + object.name, -answer);
    }
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, open->get()) {
        const std::string name = bpf_map__name(map);
        if (name.find('.') != std::string::npos) {
            continue; // constants and the like: of the programs alone
        }
        if (const int answer = bpf_map__pin(map, (folder + "/" + name).c_str()); answer != 0) {
            return failWith("pinning the map " + name, -answer);
        }
        UniqueFd own(::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3));
        if (!own) {
            return failErrno("keeping the map " + name);
        }
        m_maps.emplace(name, std::move(own));
    }
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, open->get()) {
        const std::string name = bpf_program__name(program);
        bpf_link* link = bpf_program__attach(program);
        if (link == nullptr) {
            return failWith("attaching the kernel program " + name, errno);
        }
        const int answer = bpf_link__pin(link, (folder + "/link_" + name).c_str());
        bpf_link__destroy(link); // the pin holds it
        if (answer != 0) {
            return failWith("pinning the kernel program " + name, -answer);
        }
    }
    return {};
}

Status KernelPrograms::takeUp(const std::string& folder) {
    for (const auto& name : namesIn(folder)) {
        if (name.starts_with("link_")) {
            continue;
        }
        UniqueFd map(bpf_obj_get((folder + "/" + name).c_str()));
        if (!map) {
            return failErrno("taking up the map " + name);
        }
        m_maps.emplace(name, std::move(map));
    }
    return {};
}

Result<int> KernelPrograms::map(const std::string& name) const {
    const auto at = m_maps.find(name);
    if (at == m_maps.end()) {
        return fail(ErrorCode::NotFound, "the kernel programs have no map " + name);
    }
    return at->second.get();
}

Result<std::map<std::string, std::string>> sectionsByProgram(const Object& object) {
    auto open = openObject(object);
    if (!open) {
        return fail(open.error());
    }
    std::map<std::string, std::string> sections;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, open->get()) {
        sections.emplace(bpf_program__name(program), bpf_program__section_name(program));
    }
    return sections;
}

} // namespace carrel::bpf
