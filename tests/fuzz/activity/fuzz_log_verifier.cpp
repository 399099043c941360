// SPDX-License-Identifier: Apache-2.0
// A log's file in the hands of somebody without the key. First byte: whether the rest is the file itself, places of it that are changed,
// or changes of its rows, with the chain made anew if wanted. Whatever comes of it: what holds by the public key and by the head that
// was handed out tells, in each way of asking, what the log told before. And the log is never opened to harm.
#include "app/activity/verifier.h"
#include "tests/fuzz/activity/sample_log.h"

using namespace carrel;
using namespace carrel::activity;
using namespace carrel::activity::fuzz;

namespace {

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size)
        : m_rest(reinterpret_cast<const char*>(data), size) {}
    std::uint8_t byte() {
        const auto taken = take(1);
        return taken.empty() ? 0 : static_cast<std::uint8_t>(taken[0]);
    }
    std::size_t number() { // of three bytes
        std::size_t out = byte();
        out = out << 8U | byte();
        return out << 8U | byte();
    }
    std::string_view take(std::size_t count) {
        const auto out = m_rest.substr(0, count);
        m_rest.remove_prefix(out.size());
        return out;
    }
    [[nodiscard]] bool empty() const { return m_rest.empty(); }
    [[nodiscard]] std::string_view rest() const { return m_rest; }

private:
    std::string_view m_rest;
};

void write(const std::string& file, std::string_view bytes) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    expect(out.flush().good());
}

std::string patched(std::string bytes, Input& input) {
    for (int patches = 0; !input.empty() && patches < 16; ++patches) {
        const auto at = input.number();
        if (at == 0xffffff) {
            bytes.resize(std::max<std::size_t>(1, input.number() % bytes.size())); // shorter
            continue;
        }
        const auto with = input.take(std::size_t{1} + input.byte() % 16);
        for (std::size_t i = 0; i < with.size(); ++i) {
            bytes[(at + i) % bytes.size()] = with[i];
        }
    }
    return bytes;
}

// Text of SQL, from the input's bytes.
std::string quoted(std::string_view bytes) {
    std::string out = "CAST(x'";
    for (const char each : bytes) {
        const auto byte = static_cast<unsigned char>(each);
        out += {"0123456789abcdef"[byte >> 4U], "0123456789abcdef"[byte & 15U]};
    }
    return out + "' AS TEXT)";
}

void changeRows(const std::string& file, Input& input) {
    auto opened = Database::open(file);
    expect(opened.has_value());
    auto& database = *opened;
    run(database, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; PRAGMA writable_schema=ON; PRAGMA ignore_check_constraints=ON");
    for (int changes = 0; !input.empty() && changes < 12; ++changes) {
        const auto what = input.byte() % 16;
        const auto a = std::to_string(input.byte() % 24);
        const auto b = std::to_string(input.byte() % 24);
        const auto text = quoted(input.take(input.byte() % 8));
        static constexpr std::array kText{"subject", "detail", "kind", "provenance"};
        static constexpr std::array kTables{"event", "signed_head", "cut", "log", "recording", "recording_chunk"};
        const std::string table = kTables[static_cast<std::size_t>(input.byte()) % kTables.size()];
        std::string sql;
        switch (what) {
        case 0: sql = "UPDATE event SET " + std::string(kText[static_cast<std::size_t>(input.byte()) % 4]) + " = " + text + " WHERE seq = " + a; break;
        case 1: sql = "UPDATE event SET time_ns = " + b + " WHERE seq = " + a; break;
        case 2: sql = "DELETE FROM " + table + " WHERE rowid = " + a; break;
        case 3: sql = "DELETE FROM " + table + " WHERE rowid > " + a; break;
        case 4: sql = "DELETE FROM " + table + " WHERE rowid <= " + a; break;
        case 5: sql = "UPDATE OR REPLACE " + table + " SET rowid = " + b + " WHERE rowid = " + a; break;
        case 6: sql = "INSERT OR REPLACE INTO event SELECT " + b + ", time_ns, kind, provenance, subject, detail, hash FROM event WHERE seq = " + a; break;
        case 7: sql = "INSERT OR REPLACE INTO signed_head SELECT " + b + ", hash, time_ns, reason, key, signature FROM signed_head WHERE seq = " + a; break;
        case 8: sql = "INSERT OR REPLACE INTO cut SELECT seq, hash, time_ns, key, signature FROM signed_head WHERE seq = " + a; break;
        case 9: sql = "UPDATE cut SET seq = " + a + ", hash = (SELECT hash FROM event WHERE seq = " + a + ")"; break;
        case 10: sql = "UPDATE signed_head SET hash = (SELECT hash FROM event WHERE seq = " + a + ") WHERE seq = " + b; break;
        case 11: sql = "UPDATE recording_chunk SET data = " + text + ", first_us = " + a + " WHERE number = " + b; break;
        case 12: sql = "UPDATE OR REPLACE recording_chunk SET number = " + a + " WHERE number = " + b; break;
        case 13: sql = "UPDATE recording SET title = " + text + ", started_ns = " + a + ", ended_ns = " + b; break;
        case 14: sql = "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema LIMIT 1 OFFSET " + a + ") WHERE rowid = " + b; break;
        default: chainAnew(database, std::strtoull(a.c_str(), nullptr, 10)); break;
        }
        if (!sql.empty()) {
            (void)database.run(sql).has_value(); // what SQLite itself refuses, it refuses
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Sample sample;
    static const std::string told = [] {
        write(sample.file, sample.bytes);
        const auto verdict = verifyLog(sample.file, {sample.kept.key, sample.kept});
        expect(verdict && !verdict->wrong && verdict->last.seq == 20 && verdict->recorded == 2 && verdict->first == 4);
        return toldBy(sample.file, 20);
    }();
    if (size == 0) {
        return 0;
    }
    Input input(data, size);
    switch (input.byte() % 3) {
    case 0:
        write(sample.file, input.rest());
        break;
    case 1:
        write(sample.file, patched(sample.bytes, input));
        break;
    default:
        write(sample.file, sample.bytes);
        changeRows(sample.file, input);
        break;
    }
    const auto alone = verifyLog(sample.file);
    const auto verdict = verifyLog(sample.file, {sample.kept.key, sample.kept});
    if (!verdict) {
        expect(!alone);
        return 0;
    }
    expect(!verdict->wrong || verdict->wrong->seq == 0 || verdict->wrong->seq > verdict->last.seq);
    expect(verdict->wrong || verdict->last.seq >= 20);
    expect(verdict->wrong || (alone && !alone->wrong)); // with more to go by, no less is found
    expect(verdict->wrong || toldBy(sample.file, 20) == told);
    return 0;
}
