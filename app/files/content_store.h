// SPDX-License-Identifier: Apache-2.0
// Bytes by their SHA-256: what a review has frozen, and what an apply has replaced. An object is written to a
// file without other readers, hashed while it is copied, flushed, made read-only and only then given its
// name, so a name in the store always stands for complete content; every read hashes again and a damaged
// object is an error.
//
// Who may change an object: nobody but this account's own processes. Content of a guest comes through a file
// that the clerk holds open for writing, and it may go on writing to it for ever. Therefore adopt() never
// keeps that file: it copies it into a file of its own and hashes exactly the bytes it copies. Whatever the
// clerk writes later reaches a file that nobody reads, or the next content that the same clerk is to fill.
//
// Flushing is most of what storing a small file costs, and a hundred files flushed together cost little more than one. So
// adoptLater() leaves an object without its name until flush(), which flushes many at once: a name still stands for
// complete content only, and until then reads find the object here.
//
// Owner: the engine, one per agent, in a folder of its own (made 0700; objects 0400). Thread: any; calls
// block on disk and are safe side by side (objects are immutable, names appear by rename). collect() must not
// run while a freeze or an apply of the same store is under way: FileReview sees to that. Errors: Io (message
// names the step; a full disk is said so and leaves nothing behind), NotFound, LimitExceeded, Malformed
// (damaged object).
#pragma once

#include "app/files/sha256.h"
#include "app/files/step_hook.h"
#include "guest/protocol/result.h"
#include "guest/protocol/unique_fd.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace carrel::files {

struct StoredContent {
    Sha256 sha256;
    std::uint64_t size = 0;
};

class ContentStore {
public:
    // Makes the folder where it is missing and removes half-written files of an earlier run.
    [[nodiscard]] static Result<ContentStore> open(const std::string& dir, StepHook* hook = nullptr);
    ContentStore(ContentStore&&) noexcept;
    ContentStore& operator=(ContentStore&&) noexcept;
    ~ContentStore();

    // A fresh, empty file without a name, readable and writable; its space is given back when the last
    // descriptor closes. Hand a duplicate to whoever fills it, then adopt(). `used`: an earlier one that was adopted, to be
    // emptied and taken again, since making and removing a file is much of what a small one costs. Only where the same
    // agent fills both, and filled the earlier one to its end: who broke off may still write.
    [[nodiscard]] Result<UniqueFd> newIncoming(UniqueFd used = {}) const;
    // Copies all of `from` (from offset 0, by position) into the store; more than `maxBytes` is
    // LimitExceeded.
    [[nodiscard]] Result<StoredContent> adopt(int from, std::uint64_t maxBytes);
    [[nodiscard]] Result<StoredContent> put(ByteSpan content);
    // Like adopt(), but a crash may lose it until flush(). Many of them are flushed unasked.
    [[nodiscard]] Result<StoredContent> adoptLater(int from, std::uint64_t maxBytes);
    // After an error all that was put off since the last flush() is gone.
    [[nodiscard]] Status flush();
    void forgetUnflushed();

    // Whether a crash would leave it.
    [[nodiscard]] bool has(const Sha256& id) const;
    // Copies an object to `to`, a fresh and empty file, and verifies while copying. Zeros become holes, as in the objects
    // themselves (hole_writer.h). After an error the bytes written to `to` are worthless.
    [[nodiscard]] Status copyTo(const Sha256& id, int to) const;
    // The whole object, verified; bigger than `maxBytes` is LimitExceeded.
    [[nodiscard]] Result<std::string> read(const Sha256& id, std::uint64_t maxBytes) const;
    // An open object for handing on, verified once now. It is read-only, and no program of ours writes to it.
    [[nodiscard]] Result<UniqueFd> openVerified(const Sha256& id) const;

    // Removes every object that is not in `keep`; answers with the bytes given back.
    [[nodiscard]] Result<std::uint64_t> collect(const std::set<Sha256>& keep);

private:
    struct Unflushed; // objects without their names
    ContentStore(UniqueFd fd, StepHook* hook);
    [[nodiscard]] Result<UniqueFd> openObject(const Sha256& id) const;
    using Sink = std::function<Status(ByteSpan)>;
    [[nodiscard]] Result<StoredContent> store(const std::function<Result<StoredContent>(const Sink&)>& fill);
    UniqueFd m_fd;
    StepHook* m_hook;
    std::unique_ptr<Unflushed> m_unflushed;
};

// Makes a folder where it is missing, so that it is there after a power cut, too: what is flushed into a folder is lost with
// the folder's own name.
[[nodiscard]] Status makeFolder(const std::string& dir);

// SHA-256 and size of a whole open file, by position, up to `maxBytes`.
[[nodiscard]] Result<StoredContent> hashFile(int fd, std::uint64_t maxBytes);

} // namespace carrel::files
