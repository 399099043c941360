// SPDX-License-Identifier: Apache-2.0
// What apt has fetched in an agent's machine and Debian has signed: of each .deb in apt's cache whose SHA-256 is in an index whose
// SHA-256 is in a list that a key of Debian's archive has signed, the contents that can be run. Nothing needs to hook apt, and nothing is
// believed of what it, or dpkg, wrote down: the signed list, the index and the .deb are looked at each time, from the signature down.
//
// All of it but the keyring lies where the agent writes: opened without following a link, bounded, and what is unpacked is a copy that
// the agent cannot reach, whose SHA-256 was compared. What cannot be verified is left out, as if it were not there. A signature says
// that the content is Debian's, of whatever suite and age.
//
// Thread: one call at a time, blocking; it may take seconds, and minutes for many packages on an emulated processor.
#pragma once

#include "guest/packages/deb_archive.h"
#include "guest/packages/package_index.h"
#include "guest/packages/signed_text.h"

#include <functional>
#include <optional>
#include <set>
#include <stop_token>

namespace carrel::packages {

inline constexpr std::size_t kMaxLists = 32;  // that are signed
inline constexpr std::size_t kMaxDebs = 2000; // in apt's cache
inline constexpr std::size_t kMaxRemembered = 4 * kMaxDebs;

struct Places {
    std::string userland = "/disk/rootfs"; // the agent's root, as the machine's own root sees it
    std::string keyring = "/lib/carrel/archive-keyring.gpg";
    std::string scratch = "/disk/carrel"; // out of the agent's reach; for a file without a name
};

struct Verified {
    Package package;
    std::string sha256; // of the .deb
    std::vector<Program> programs;
};

class PackageSearch {
public:
    explicit PackageSearch(Places places);

    // Whether something in apt's folders is other than when look() last went through.
    [[nodiscard]] bool isNew() const;
    void forget() { m_done.clear(), m_seen.reset(); } // all is told again with the next look
    // Each package, once for as long as this lives: what `found` says yes to is not looked at again. NotFound: there is no keyring, so
    // nothing can be verified; Cancelled; Io.
    [[nodiscard]] Status look(const std::function<bool(Verified&&)>& found, std::stop_token stop = {});

private:
    struct Stamp { // of a file, to save the work of looking at it again; what it says proves nothing
        std::uint64_t inode = 0, bytes = 0;
        std::int64_t changedNs = 0;
        auto operator<=>(const Stamp&) const = default;
    };
    struct Deb {
        std::string name;
        Stamp stamp;
        std::string sha256;
    };
    struct Folders {
        Stamp lists, cache;
        auto operator<=>(const Folders&) const = default;
    };
    [[nodiscard]] Folders foldersNow() const;
    [[nodiscard]] Result<std::vector<Deb>> newDebs(const std::stop_token& stop);
    [[nodiscard]] std::map<std::string, Package> signedOnes(const std::vector<PublicKey>& keys, const std::set<std::string, std::less<>>& wanted,
                                                            const std::stop_token& stop) const;
    [[nodiscard]] Result<std::vector<Program>> unpack(const Deb& deb) const;

    Places m_places;
    std::optional<Folders> m_seen;
    std::set<Stamp> m_done; // .debs that were told of
};

} // namespace carrel::packages
