// SPDX-License-Identifier: Apache-2.0
// The guest's half of the file protocol: answers find their request whatever order they come in, a change of
// clerk costs a pause and no error, and what a clerk says wrongly is EIO for the request that it names.
#include "tests/guest/worktree/lower_peer.h"

#include <QTest>

#include <future>

using namespace carrel;
using namespace carrel::worktree;
using lower::Opcode;

namespace {

struct Heard final : LowerEvents {
    std::vector<std::string> told;
    void entryChanged(std::uint64_t parent, std::string_view name) override {
        told.push_back("entry " + std::to_string(parent) + " " + std::string(name));
    }
    void nodeChanged(std::uint64_t node) override { told.push_back("node " + std::to_string(node)); }
    void everythingChanged() override { told.emplace_back("everything"); }
};

struct World {
    explicit World(std::chrono::milliseconds timeout = kDoorTimeout, std::shared_ptr<ReadWindow> window = {})
        : lower(outbox.send(), timeout, std::move(window)) {}
    // A clerk is there; its INIT is taken.
    void connect() {
        begin();
        QVERIFY(outbox.next().opcode() == Opcode::Init);
    }
    void begin() { lower.onEpoch(++epoch); }
    auto read(std::uint64_t offset, std::uint32_t size) {
        return std::async(std::launch::async, [this, offset, size] { return lower.read(5, offset, size); });
    }
    auto lookup(std::string name) {
        return std::async(std::launch::async,
                          [this, name = std::move(name)] { return lower.lookup(1, name); });
    }
    void answer(const Asked& asked, ByteSpan body) { lower.onMessage(replyTo(asked.head.unique, 0, body)); }

    std::uint64_t epoch = 0;
    Outbox outbox;
    ChannelLower lower;
};

using Forgotten = std::vector<std::pair<std::uint64_t, std::uint64_t>>; // node, look-ups

// What was forgotten and not yet told of: it goes with the next request.
Forgotten forgotten(World& world) {
    auto call = std::async(std::launch::async, [&] { return world.lower.getattr(1); });
    Forgotten all;
    Asked asked = world.outbox.next();
    for (; asked.opcode() == Opcode::BatchForget; asked = world.outbox.next()) {
        const std::size_t count = asked.as<lower::BatchForgetIn>().count;
        if (asked.body.size() != sizeof(lower::BatchForgetIn) + count * sizeof(lower::ForgetOne)) {
            qFatal("a damaged message");
        }
        for (std::size_t i = 0; i < count; ++i) {
            const auto one =
                loadLe<lower::ForgetOne>(asked.body, sizeof(lower::BatchForgetIn) + i * sizeof(lower::ForgetOne));
            all.emplace_back(one.nodeid, one.nlookup);
        }
    }
    world.lower.onMessage(replyTo(asked.head.unique, -EIO));
    (void)call.get();
    return all;
}

struct Ahead {
    std::vector<std::string> told;
    AheadRead read(std::uint64_t node, std::uint32_t size) {
        return {node, size, [this, node](SysResult<Bytes> bytes) {
                    told.push_back(std::to_string(node) + " " +
                                   (bytes ? std::string(asText(*bytes)) : "error " + std::to_string(bytes.error())));
                }};
    }
};

// A page without a name for us, and without room for another. Its last cookie, `last` or more.
std::uint64_t fullOfDots(std::uint32_t size, std::uint64_t last, World& world, const Asked& asked) {
    Bytes page;
    for (std::uint64_t at = 1'000'000; page.size() + lower::kLongestDirent <= size; ++at) {
        appendName(page, ".", 0, at);
    }
    appendName(page, "..", 0, last);
    world.answer(asked, page);
    return last;
}

std::string nameIn(const Asked& asked) {
    return asked.body.empty() ? std::string()
                              : std::string(asText(asked.body).substr(0, asked.body.size() - 1));
}

Bytes entryNote(std::uint64_t parent, std::string_view name, std::uint32_t length) {
    Bytes body = bodyOf(lower::NotifyInvalEntryOut{parent, length, 0});
    const auto bytes = asBytes(name);
    body.insert(body.end(), bytes.begin(), bytes.end());
    return body;
}

} // namespace

class TestChannelLower : public QObject {
    Q_OBJECT
private slots:
    void answersFindTheirRequest() {
        World world;
        world.connect();
        auto first = world.lookup("one");
        auto second = world.lookup("two");
        const Asked a = world.outbox.next();
        const Asked b = world.outbox.next();
        QVERIFY(a.head.unique != b.head.unique && a.head.unique % 2 == 0 && a.head.nodeid == 1);
        for (const Asked& asked : {b, a}) { // the other way round
            world.answer(asked, bodyOf(entryOut(nameIn(asked) == "one" ? 11 : 22)));
        }
        QCOMPARE(first.get()->node, std::uint64_t{11});
        QCOMPARE(second.get()->node, std::uint64_t{22});
        QVERIFY(world.outbox.whole());
    }

    void aReadTakesItsBytesFromTheWindow() {
        Bytes memory(4 * 1024 * 1024);
        auto window = std::make_shared<ReadWindow>(memory);
        World world(kDoorTimeout, window);
        world.connect();
        auto call = world.read(0, 8192);
        const Asked asked = world.outbox.next();
        const auto at = asked.as<lower::ReadIn>().fh - 1;
        QVERIFY(at + 8192 <= memory.size());
        const std::string text(6000, 'w');
        std::memcpy(memory.data() + at, text.data(), text.size());
        world.lower.onMessage(replyTo(asked.head.unique, lower::kInWindow, bodyOf(lower::WindowOut{6000})));
        const auto bytes = call.get();
        QVERIFY(bytes && std::string(asText(*bytes)) == text);
        // An answer as without a window is as good.
        auto second = world.read(0, 8192);
        world.answer(world.outbox.next(), toBytes("inline"));
        QCOMPARE(std::string(asText(*second.get())), std::string("inline"));
    }

    void aLyingWindowAnswerIsAnError() {
        Bytes memory(4 * 1024 * 1024);
        World world(kDoorTimeout, std::make_shared<ReadWindow>(memory));
        world.connect();
        for (const Bytes& body :
             {bodyOf(lower::WindowOut{8193}), bodyOf(lower::WindowOut{UINT32_MAX}), Bytes(3), Bytes(8)}) {
            auto call = world.read(0, 8192);
            world.lower.onMessage(replyTo(world.outbox.next().head.unique, lower::kInWindow, body));
            QCOMPARE(call.get().error(), EIO);
        }
        auto small = world.read(0, 100); // not offered
        const Asked asked = world.outbox.next();
        QCOMPARE(asked.as<lower::ReadIn>().fh, std::uint64_t{0});
        world.lower.onMessage(replyTo(asked.head.unique, lower::kInWindow, bodyOf(lower::WindowOut{10})));
        QCOMPARE(small.get().error(), EIO);
        auto name = world.lookup("x");
        world.lower.onMessage(
            replyTo(world.outbox.next().head.unique, lower::kInWindow, bodyOf(entryOut(11))));
        QCOMPARE(name.get().error(), EIO);
    }

    // In one go, each answered for itself, in any order.
    void severalReadsAhead() {
        Bytes memory(4 * 1024 * 1024);
        World world(kDoorTimeout, std::make_shared<ReadWindow>(memory));
        world.connect();
        const int goes = world.outbox.goes();
        Ahead ahead;
        world.lower.readAhead({ahead.read(5, 10), ahead.read(6, 8192), ahead.read(7, 20)});
        QCOMPARE(world.outbox.goes(), goes + 1);
        const Asked five = world.outbox.next();
        const Asked six = world.outbox.next();
        const Asked seven = world.outbox.next();
        QVERIFY(five.opcode() == Opcode::Read && five.head.nodeid == 5 && five.as<lower::ReadIn>().size == 10);
        QCOMPARE(five.as<lower::ReadIn>().fh, std::uint64_t{0});
        const auto at = six.as<lower::ReadIn>().fh - 1;
        QVERIFY(at + 8192 <= memory.size());
        std::memset(memory.data() + at, 'w', 8192);
        world.lower.onMessage(replyTo(six.head.unique, lower::kInWindow, bodyOf(lower::WindowOut{8192})));
        world.lower.onMessage(replyTo(seven.head.unique, -ESTALE));
        world.answer(five, toBytes("five"));
        world.answer(five, toBytes("again")); // nobody waits for that
        QCOMPARE(ahead.told, (std::vector<std::string>{"6 " + std::string(8192, 'w'), "7 error 116", "5 five"}));
    }

    void readsAheadOutliveTheClerk() {
        World world;
        Ahead ahead;
        world.lower.readAhead({ahead.read(5, 10)});
        QVERIFY(world.outbox.empty()); // nobody there yet
        world.connect();
        const Asked first = world.outbox.next();
        world.connect();
        const Asked again = world.outbox.next();
        QVERIFY(again.head.unique == first.head.unique && again.head.nodeid == 5);
        QVERIFY(ahead.told.empty());
        world.lower.stop();
        world.answer(again, toBytes("late"));
        world.lower.readAhead({ahead.read(6, 10)});
        QCOMPARE(ahead.told, (std::vector<std::string>{"5 error 5", "6 error 5"})); // each told once
    }

    // It may have been under way when the clerk went: the next one must not write for it.
    void eachEpochIsAskedForItself() {
        World world;
        auto call = world.lookup("one");
        world.begin();
        (void)world.outbox.next();
        QCOMPARE(world.outbox.next().epoch, std::uint64_t{1});
        world.begin();
        (void)world.outbox.next();
        const Asked again = world.outbox.next();
        QCOMPARE(again.epoch, std::uint64_t{2});
        world.lower.onEpoch(2);
        world.lower.onEpoch(1);
        QVERIFY(world.outbox.empty());
        world.answer(again, bodyOf(entryOut(11)));
        QCOMPARE(call.get()->node, std::uint64_t{11});
    }

    void strayAnswersAreDropped() {
        World world;
        world.connect();
        auto call = world.lookup("one");
        const Asked asked = world.outbox.next();
        world.lower.onMessage(replyTo(asked.head.unique + 2, 0, bodyOf(entryOut(66)))); // of the future
        world.lower.onMessage(replyTo(2, 0, bodyOf(entryOut(66))));                     // INIT's
        world.lower.onMessage(replyTo(asked.head.unique | 1U, 0));                      // an interrupt's
        world.lower.onMessage(replyTo(UINT64_MAX, -EIO));
        world.answer(asked, bodyOf(entryOut(11)));
        world.answer(asked, bodyOf(entryOut(66))); // a second one
        world.lower.onMessage(replyTo(asked.head.unique, -EIO));
        QCOMPARE(call.get()->node, std::uint64_t{11});
        world.answer(asked, bodyOf(entryOut(66)));
        QVERIFY(world.outbox.empty());
    }

    void shortAndLyingMessagesAreDropped() {
        World world;
        world.connect();
        auto call = world.lookup("one");
        const Asked asked = world.outbox.next();
        const Bytes good = replyTo(asked.head.unique, 0, bodyOf(entryOut(11)));
        for (std::size_t size = 0; size < good.size(); ++size) {
            world.lower.onMessage(ByteSpan(good).first(size));
        }
        Bytes longer = good;
        longer.push_back(std::byte{0});
        world.lower.onMessage(longer);
        world.lower.onMessage(good);
        QCOMPARE(call.get()->node, std::uint64_t{11});
    }

    void errorsArePassedOnAsTheyAre_data() {
        QTest::addColumn<int>("said");
        QTest::addColumn<int>("error");
        QTest::newRow("ENOENT") << -ENOENT << ENOENT;
        QTest::newRow("ESTALE") << -ESTALE << ESTALE;
        QTest::newRow("a positive one") << 2 << EIO;
        QTest::newRow("none that exists") << -4096 << EIO;
        QTest::newRow("the smallest number") << INT32_MIN << EIO;
    }
    void errorsArePassedOnAsTheyAre() {
        QFETCH(int, said);
        QFETCH(int, error);
        World world;
        world.connect();
        auto call = world.lookup("one");
        world.lower.onMessage(replyTo(world.outbox.next().head.unique, said));
        QCOMPARE(call.get().error(), error);
    }

    void whoAsksBeforeAnybodyIsThereWaits() {
        World world;
        auto call = world.lookup("one");
        // Whether it asks before or after the clerk came: it is asked at least once, under one number.
        world.begin();
        QVERIFY(world.outbox.next().opcode() == Opcode::Init);
        const Asked asked = world.outbox.next();
        QCOMPARE(nameIn(asked), std::string("one"));
        world.answer(asked, bodyOf(entryOut(11)));
        QCOMPARE(call.get()->node, std::uint64_t{11});
    }

    void aNewClerkIsAskedAgain() {
        World world;
        Heard heard;
        world.lower.setEvents(&heard);
        world.connect();
        auto first = world.lookup("one");
        const Asked one = world.outbox.next();
        auto second = world.lookup("two");
        const Asked two = world.outbox.next();
        world.answer(one, bodyOf(entryOut(11)));
        QCOMPARE(first.get()->node, std::uint64_t{11});
        world.begin();
        const Asked init = world.outbox.next();
        QVERIFY(init.opcode() == Opcode::Init);
        QCOMPARE(init.as<lower::InitIn>().major, lower::kProtocolMajor);
        const Asked again = world.outbox.next();
        QCOMPARE(again.head.unique, two.head.unique);
        QVERIFY(again.body == two.body);
        QVERIFY(world.outbox.empty()); // the answered one is not asked again
        world.answer(again, bodyOf(entryOut(22)));
        world.answer(two, bodyOf(entryOut(66))); // the former clerk's answer was under way
        QCOMPARE(second.get()->node, std::uint64_t{22});
        QCOMPARE(heard.told, (std::vector<std::string>{"everything", "everything"}));
        world.lower.setEvents(nullptr);
        world.begin();
        QCOMPARE(heard.told.size(), std::size_t{2});
    }

    void nobodyAtTheDoorIsAnErrorInTheEnd() {
        World world(std::chrono::milliseconds(1));
        world.connect();
        const auto answer = world.lower.lookup(1, "one");
        QCOMPARE(answer.error(), EIO);
        const Asked asked = world.outbox.next();
        const Asked cancelled = world.outbox.next();
        QVERIFY(cancelled.opcode() == Opcode::Interrupt);
        QCOMPARE(cancelled.as<std::uint64_t>(), asked.head.unique);
        QVERIFY(cancelled.head.unique % 2 == 1);
        world.answer(asked, bodyOf(entryOut(11))); // too late: nobody waits, and nobody gets it
        world.begin();
        QVERIFY(world.outbox.next().opcode() == Opcode::Init);
        QVERIFY(world.outbox.empty()); // given up for good
        World nobody(std::chrono::milliseconds(1));
        QCOMPARE(nobody.lower.statfs().error(), EIO);
    }

    void anEndAnswersAll() {
        World world;
        world.connect();
        auto call = world.lookup("one");
        const Asked asked = world.outbox.next();
        world.lower.stop();
        QCOMPARE(call.get().error(), EIO);
        QCOMPARE(world.lower.getattr(1).error(), EIO);
        world.answer(asked, bodyOf(entryOut(11)));
        world.lower.forget(11, 1);
        while (!world.outbox.empty()) { // but for the cancelling nothing was sent
            QVERIFY(world.outbox.next().opcode() == Opcode::Interrupt);
        }
    }

    void theHostTellsWhatChanged() {
        World world;
        Heard heard;
        world.lower.setEvents(&heard);
        const auto note = [&](lower::Notify code, ByteSpan body) {
            world.lower.onMessage(replyTo(0, static_cast<std::int32_t>(code), body));
        };
        note(lower::Notify::InvalInode, bodyOf(lower::NotifyInvalInodeOut{7, 0, -1}));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("a\0", 2), 1));
        note(lower::Notify::InvalEntry, entryNote(1, "b", 1)); // without the NUL
        const std::vector<std::string> expected{"node 7", "entry 1 a", "entry 1 b"};
        QCOMPARE(heard.told, expected);
        // In a wrong form, or about what cannot be a name.
        note(lower::Notify::InvalInode, bodyOf(std::uint64_t{7}));
        note(lower::Notify::InvalInode, {});
        note(lower::Notify::InvalEntry, bodyOf(lower::NotifyInvalEntryOut{1, 0, 0}));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("abc\0", 4), 2));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("abc\0", 4), UINT32_MAX));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("\0", 1), 0));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("..\0", 3), 2));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("a/b\0", 4), 3));
        note(lower::Notify::InvalEntry, entryNote(1, std::string_view("a\0b\0", 4), 3));
        note(static_cast<lower::Notify>(1), bodyOf(std::uint64_t{7}));
        QCOMPARE(heard.told, expected);
        world.lower.setEvents(nullptr);
        note(lower::Notify::InvalInode, bodyOf(lower::NotifyInvalInodeOut{7, 0, -1}));
        QCOMPARE(heard.told, expected);
    }

    void answersOfAWrongFormAreErrors() {
        World world;
        world.connect();
        // Each pair: a call, and an answer that it must not believe.
        const auto ask = [&](auto&& call, ByteSpan body) {
            auto answer = std::async(std::launch::async, call);
            world.answer(world.outbox.next(), body);
            return answer.get();
        };
        auto& lower = world.lower;
        const auto error = [](const auto& result) { return result ? 0 : result.error(); };
        const auto look = [&] { return lower.lookup(1, "a"); };
        Bytes entry = bodyOf(entryOut(5));
        QCOMPARE(error(ask(look, entry)), 0);
        entry.push_back(std::byte{0});
        QCOMPARE(error(ask(look, entry)), EIO);
        QCOMPARE(error(ask(look, {})), EIO);
        QCOMPARE(ask(look, bodyOf(lower::EntryOut{}))->node, std::uint64_t{0}); // there is no such name

        lower::AttrOut attr{};
        attr.attr.mode = 0020666; // a device
        const auto stat = [&] { return lower.getattr(1); };
        QCOMPARE(error(ask(stat, bodyOf(attr))), EIO);
        attr.attr.mode = 0100644;
        QCOMPARE(error(ask(stat, bodyOf(attr))), 0);
        attr.attr.size = UINT64_MAX;
        QCOMPARE(error(ask(stat, bodyOf(attr))), EIO);
        attr.attr.size = 0;
        attr.attr.mtimensec = 1'000'000'000;
        QCOMPARE(error(ask(stat, bodyOf(attr))), EIO);

        const auto link = [&] { return lower.readlink(1); };
        QCOMPARE(ask(link, asBytes("../a")).value(), std::string("../a"));
        QCOMPARE(error(ask(link, {})), EIO);
        QCOMPARE(error(ask(link, asBytes(std::string_view("a\0b", 3)))), EIO);
        QCOMPARE(error(ask(link, Bytes(5000, std::byte{'x'}))), EIO);

        const auto read = [&] { return lower.read(1, 0, 100); };
        QCOMPARE(ask(read, Bytes(100))->size(), std::size_t{100});
        QCOMPARE(error(ask(read, Bytes(101))), EIO);
        QCOMPARE(error(ask([&] { return lower.statfs(); }, Bytes(79))), EIO);
    }

    // What is not handed on counts as a lookup in the clerk, and is given back.
    void anEntryOfNoKindIsForgotten() {
        World world;
        world.connect();
        auto call = world.lookup("device");
        world.answer(world.outbox.next(), bodyOf(entryOut(9, 0020666)));
        QCOMPARE(call.get().error(), EIO);
        QCOMPARE(forgotten(world), (Forgotten{{9, 1}}));
    }

    void aFolderIsListedInPages() {
        World world;
        world.connect();
        auto call = std::async(std::launch::async, [&] { return world.lower.readdirplus(1, 5); });
        Asked asked = world.outbox.next();
        QCOMPARE(asked.as<lower::ReadIn>().offset, std::uint64_t{5});
        // No name for us in it, and yet not the end: it is full.
        const std::uint64_t last = fullOfDots(asked.as<lower::ReadIn>().size, 6, world, asked);
        asked = world.outbox.next();
        QCOMPARE(asked.as<lower::ReadIn>().offset, last);
        Bytes page;
        appendName(page, "a", 11, last + 1);
        appendName(page, "b/c", 12, last + 2);
        appendName(page, "device", 13, last + 3, 0020666);
        world.answer(asked, page);
        const auto listed = call.get();
        QCOMPARE(listed->entries.size(), std::size_t{1});
        QCOMPARE(listed->entries.front().name, std::string("a"));
        QCOMPARE(listed->entries.front().cookie, last + 3); // the next page begins after what was left out
        QVERIFY(listed->last);                              // there was room for more
        QCOMPARE(forgotten(world), (Forgotten{{12, 1}, {13, 1}}));
        auto rest = std::async(std::launch::async, [&] { return world.lower.readdirplus(1, 10); });
        world.answer(world.outbox.next(), {});
        const auto nothing = rest.get();
        QVERIFY(nothing && nothing->entries.empty() && nothing->last);
    }

    void onlyAFullPageHasAnother() {
        World world;
        world.connect();
        auto call = std::async(std::launch::async, [&] { return world.lower.readdirplus(1, 0); });
        const Asked asked = world.outbox.next();
        Bytes page;
        std::uint64_t at = 0;
        while (page.size() + lower::kLongestDirent <= asked.as<lower::ReadIn>().size) {
            ++at;
            appendName(page, "name " + std::to_string(at), 10 + at, at);
        }
        world.answer(asked, page);
        const auto listed = call.get();
        QVERIFY(listed && listed->entries.size() == at && !listed->last);
    }

    void aListingWithoutEndIsAnError() {
        World world;
        world.connect();
        auto call = std::async(std::launch::async, [&] { return world.lower.readdirplus(1, 0); });
        int pages = 0;
        while (call.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            if (pages > 1000) {
                world.lower.stop(); // it would go on
            }
            if (world.outbox.empty()) {
                std::this_thread::yield();
                continue;
            }
            const Asked asked = world.outbox.next();
            ++pages;
            (void)fullOfDots(asked.as<lower::ReadIn>().size, asked.as<lower::ReadIn>().offset == 1 ? 2 : 1, world, asked);
        }
        QCOMPARE(call.get().error(), EIO);
        QVERIFY(pages < 1000);
    }

    void aDamagedListingIsAnError_data() {
        QTest::addColumn<QByteArray>("listing");
        Bytes good;
        appendName(good, "a", 11, 1);
        const auto bytes = [](const Bytes& from) {
            return QByteArray(reinterpret_cast<const char*>(from.data()),
                              static_cast<qsizetype>(from.size()));
        };
        QTest::newRow("cut in the head") << bytes(good) + bytes(good).left(100);
        QTest::newRow("cut in the name") << bytes(good) + bytes(good).left(152);
        Bytes twice = good;
        appendName(twice, "b", 12, 1);
        QTest::newRow("the same place twice") << bytes(twice);
        Bytes nameless = good;
        appendName(nameless, "", 12, 2);
        QTest::newRow("no name") << bytes(nameless);
        Bytes longName = good;
        appendName(longName, std::string(256, 'x'), 12, 2);
        QTest::newRow("a name too long") << bytes(longName);
    }
    void aDamagedListingIsAnError() {
        QFETCH(QByteArray, listing);
        World world;
        world.connect();
        auto call = std::async(std::launch::async, [&] { return world.lower.readdirplus(1, 0); });
        world.answer(world.outbox.next(),
                     asBytes({listing.constData(), static_cast<std::size_t>(listing.size())}));
        QCOMPARE(call.get().error(), EIO);
        const auto all = forgotten(world); // what stood before the damage
        QVERIFY(!all.empty() && all.front().first == 11);
    }

    void forgettingNeedsAClerk() {
        World world;
        world.lower.forget(11, 3);
        QVERIFY(world.outbox.empty());
        world.connect();
        QCOMPARE(forgotten(world), Forgotten());
        world.lower.forget(11, 3);
        QVERIFY(world.outbox.empty()); // it goes with the next request
        QCOMPARE(forgotten(world), (Forgotten{{11, 3}}));
        for (std::uint64_t node = 1; node <= 256; ++node) { // or when there are many
            world.lower.forget(node, 1);
        }
        const Asked asked = world.outbox.next();
        QVERIFY(asked.opcode() == Opcode::BatchForget && asked.head.unique == 0);
        QCOMPARE(asked.as<lower::BatchForgetIn>().count, 256U);
    }
};

QTEST_GUILESS_MAIN(TestChannelLower)
#include "test_channel_lower.moc"
