// SPDX-License-Identifier: Apache-2.0
#include "app/desktop/seal_keepers.h"

#include "app/files/durable_file.h"

namespace carrel::desktop {
namespace {

constexpr std::string_view kInKeyring = "keyring\n";
constexpr std::string_view kInFile = "file\n";
constexpr std::size_t kMaxRecord = 64;

class ChosenSealKeeper final : public policy::SealKeeper {
public:
    explicit ChosenSealKeeper(SealPlaces places)
        : m_places(std::move(places))
        , m_keyring(m_places.keyring)
        , m_file(m_places.keyFile, m_places.keyring.words.mendFile) {}

    Result<std::optional<Kept>> load() override {
        const auto choice = choose();
        if (!choice) {
            return fail(choice.error());
        }
        auto kept = choice->keeper->load();
        if (!kept) {
            return fail(withWayOut(std::move(kept).error(), *choice));
        }
        if (kept && *kept && !choice->recorded) {
            CARREL_TRY(record(*choice));
        }
        return kept;
    }

    Status keep(const Kept& kept) override {
        const auto choice = choose();
        if (!choice) {
            return fail(choice.error());
        }
        // Before the key: a keyring that is asked to keep it, and does not answer, may have it.
        if (!choice->recorded) {
            CARREL_TRY(record(*choice));
        }
        auto done = choice->keeper->keep(kept);
        return done ? done : fail(withWayOut(std::move(done).error(), *choice));
    }

private:
    struct Choice {
        SealKeeper* keeper;
        bool recorded;
    };

    Result<Choice> choose() {
        std::error_code ec;
        const auto what = std::filesystem::symlink_status(m_places.record, ec);
        if (what.type() == std::filesystem::file_type::not_found) {
            return chooseFirst();
        }
        if (what.type() != std::filesystem::file_type::regular) { // a pipe would be waited for
            return fail(brokenRecord());
        }
        const auto text = files::readWhole(m_places.record, kMaxRecord);
        if (text && *text == kInKeyring) {
            return Choice{&m_keyring, true};
        }
        if (text && *text == kInFile) {
            return Choice{&m_file, true};
        }
        return text || text.error().code == ErrorCode::LimitExceeded ? fail(brokenRecord()) : fail(text.error());
    }

    Result<Choice> chooseFirst() {
        const auto standing = m_keyring.standing();
        if (!standing) {
            return fail(standing.error());
        }
        const bool ready = *standing == SecretServiceKeeper::Standing::Ready;
        std::error_code ec;
        if (*standing == SecretServiceKeeper::Standing::Absent ||
            (ready && std::filesystem::exists(std::filesystem::symlink_status(m_places.keyFile, ec)))) {
            return Choice{&m_file, false};
        }
        return Choice{&m_keyring, false};
    }

    Status record(const Choice& choice) const {
        return files::replaceDurably(m_places.record, choice.keeper == &m_keyring ? kInKeyring : kInFile);
    }

    // A keyring that has gone for good would deny everything for ever.
    [[nodiscard]] Error withWayOut(Error error, const Choice& choice) const {
        if (choice.keeper == &m_keyring && choice.recorded && error.code == ErrorCode::Unavailable) {
            error.hint += std::string(error.hint.empty() ? "" : ". ") + "If that keyring is lost for good: take away " +
                          m_places.record.string() + ". " + m_places.keyring.words.anew;
        }
        return error;
    }

    [[nodiscard]] Error brokenRecord() const {
        return {ErrorCode::Malformed, "Where " + m_places.keyring.words.key + " is cannot be read in " + m_places.record.string(),
                "Take that file away: then Carrel looks in the keyring first. " + m_places.keyring.words.meanwhile, 0, nullptr};
    }

    const SealPlaces m_places;
    SecretServiceKeeper m_keyring;
    policy::FileSealKeeper m_file;
};

} // namespace

std::unique_ptr<policy::SealKeeper> chosenSealKeeper(SealPlaces places) {
    return std::make_unique<ChosenSealKeeper>(std::move(places));
}

} // namespace carrel::desktop
