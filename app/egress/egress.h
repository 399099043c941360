// SPDX-License-Identifier: Apache-2.0
// The network of one agent, for one session of its machine: who may be connected to, by whose word, and what goes on now. The
// clerk tells what the machine asks for (app/clerk/link.h, net.*) and is believed nothing but that somebody asks; here the
// destination is judged (mode, rules, a person), its name resolved, its address judged, and the connection made, whose socket the
// clerk then relays for. The engine reads no byte of it.
//
//   deciding → waiting (for a person) → looking (for addresses) → deciding, where an address needs a word of its own
//                                                               → connecting → open → gone
//
// Whose requests are read (Treat::Terminate, and Treat::Http): those of a host that a credential is bound to for this agent, on every
// port, and of one that rules with methods or paths speak of. There each request is decided on, too, before a byte of it goes on
// (egress_request.cpp): by those rules, and where it holds a placeholder by what that credential is bound to and by the rules of its use.
// A use is in the log before the clerk gets the value. A placeholder at a host that it is not for is refused, and an alert. So is a canary
// that the clerk finds in a request (egress_canary.cpp): the connection is cut, and the agent is paused.
//
// Order (I5): the decision is in the agent's log before a name is looked up. A destination that a rule has allowed once in this
// session is not written down again while the same rule stands; so rules do not make a log grow with each connection, and what
// cannot be written down does not happen. What happened is written down in sums (traffic_book.h).
// What all connections may carry (limits.h) is the clerk's to hold to, by an allowance that it is given in pieces, and is counted by the
// kernel here (egress_limits.cpp): beyond it nothing is connected, and what is, is cut, with the outcome limit.
//
// Ending what was allowed: each open connection is a grant (app/policy/grants.h). The engine keeps a descriptor of each socket and
// shuts it down itself; telling the clerk is a courtesy. Between a cut and its effect nobody is waited for.
//
// Bounds: kMaxStreams at once, of which kMaxWaiting not open yet, and kMaxNewDecisions in a minute; beyond: outcome limit. A clerk
// that breaks the form, or asks faster than it is answered, is to be ended (told()).
//
// Owner: the agent; the door and what is under way share it. Thread: any; one of its own decides and speaks to the clerk, so a
// clerk that does not read, or a disk that is slow, holds up this agent alone. stop() waits for that thread.
#pragma once

#include "app/activity/event.h"
#include "app/egress/address_policy.h"
#include "app/egress/canaries/canary_book.h"
#include "app/egress/clerk_words.h"
#include "app/egress/connector.h"
#include "app/egress/credentials/agent_credentials.h"
#include "app/egress/day_volume.h"
#include "app/egress/limits.h"
#include "app/egress/outcome.h"
#include "app/egress/resolver.h"
#include "app/egress/traffic_book.h"
#include "app/policy/approval_queue.h"
#include "app/policy/grants.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace carrel::egress {

class Forwards;

inline constexpr std::size_t kMaxStreams = 1024;
inline constexpr std::size_t kMaxWaiting = 256;       // of them: not open yet
inline constexpr std::size_t kMaxInLine = 64;         // of those: for the owner to be asked about them
inline constexpr std::size_t kMaxNewDecisions = 600;  // rows of what rules allow, in a minute
inline constexpr std::size_t kMaxKnownDecisions = 4096;
inline constexpr std::size_t kMaxUses = 600;          // of credentials, in a minute: each is a row
inline constexpr std::size_t kMaxAlerts = 200;        // of one kind, in one session: then they are counted with what was refused
inline constexpr std::size_t kMaxOwed = 4096;         // pieces of work for its thread
inline constexpr std::size_t kMaxOutcomeText = 300;

// To one clerk. Thread: any, after attach() those of the Egress and of its forwards.
class ClerkLine {
public:
    virtual ~ClerkLine() = default;
    // May wait until the clerk reads. The descriptor stays the caller's; -1: none.
    virtual void say(std::string_view method, boost::json::object params, int descriptor) = 0;
};

struct LiveConnection {
    std::uint64_t number = 0; // as the owner is shown it: never another's while the engine runs
    Destination to;
    std::optional<Endpoint> at; // none: a proxy knows
    Treat treat = Treat::Raw;
    std::uint64_t rule = 0, approval = 0; // by which it goes on
    SocketCounts bytes;
    std::chrono::milliseconds age{0};
};

class Egress : public std::enable_shared_from_this<Egress> {
public:
    struct Setup { // what is pointed at outlives it
        std::string agent, session;
        NetMode mode = NetMode::Offline;
        policy::ApprovalQueue* queue = nullptr;
        policy::Rules* rules = nullptr;
        policy::Grants* grants = nullptr;
        Connector* connector = nullptr;
        std::shared_ptr<Resolver> resolver;
        Result<ProxySettings> proxies; // an error: nothing is connected to, and it is told why
        std::function<Result<OwnNetworks>()> ownNetworks;
        std::function<void(activity::Event event)> record; // of what has happened
        std::function<Status(activity::Event event)> decided = {}; // durable before it answers; none: nothing that needs it happens
        std::shared_ptr<AgentCredentials> credentials = {};        // none: no request of TLS is read
        std::function<Result<UniqueFd>()> roots = openHostRoots;   // what the clerk verifies hosts by
        CanaryBook* canaries = nullptr;                            // none: none is looked for
        // Writes the alert down, if there is one more to be written, and then pauses the agent; why, in words. None: there is nobody.
        std::function<void(std::optional<activity::Event> event, const std::string& why)> alarm = {};
        Limits limits = {};
        std::shared_ptr<DayVolume> volume = {}; // none: with a limit of a day nothing is connected
        std::shared_ptr<std::atomic<std::uint64_t>> numbers = std::make_shared<std::atomic<std::uint64_t>>(0); // the last one shown
    };
    [[nodiscard]] static std::shared_ptr<Egress> make(Setup setup);
    ~Egress();
    Egress(const Egress&) = delete;
    Egress& operator=(const Egress&) = delete;

    // A clerk is at the door, and none before it any more. Answers what told() and detach() know it by. It is told the mode,
    // first of all, before this returns.
    [[nodiscard]] std::uint64_t attach(std::shared_ptr<ClerkLine> line);
    void detach(std::uint64_t clerk); // its connections are gone with it
    // What clerk_words.h has. An error: the clerk is broken, and is to be ended.
    [[nodiscard]] Status told(std::uint64_t clerk, const std::string& method, const boost::json::object& params);

    // Offline cuts everything; allowlist what no rule allows.
    void setMode(NetMode mode);
    void setLimits(const Limits& limits);
    // Bytes, counted up to now; 0 where nobody counts.
    [[nodiscard]] std::uint64_t usedToday();
    void approvalChanged(const policy::Approval& approval); // ApprovalListener
    void rulesChanged();
    // Some came or went: the clerk is told what stands for them now, and what was connected otherwise is cut.
    void credentialsChanged();
    void canariesChanged();
    [[nodiscard]] std::vector<LiveConnection> live() const;
    // One of live(), by the owner's word; answers what it was. NotFound: it is over already.
    [[nodiscard]] Result<LiveConnection> cut(std::uint64_t number);
    [[nodiscard]] std::size_t waiting() const; // not open yet
    // The other way round: what its machine serves, shown on this computer. Whatever the mode is.
    [[nodiscard]] Forwards& forwards() { return *m_forwards; }
    // Cuts everything, writes down the last of it, and lets go of the clerk.
    void stop();

private:
    enum class Phase { Deciding, Waiting, Looking, Connecting, Open };
    // One thing that has to be allowed before it is connected: the destination, then perhaps its address.
    struct Need {
        policy::Request item;
        std::string riskReason;
        bool permitted = false;
        std::uint64_t rule = 0, approval = 0; // by which
        std::optional<std::int64_t> untilMs;
        std::uint64_t effectOf = 0; // a request whose effect this connection is
    };
    // A request on a connection that is read, until it is answered.
    struct Asked {
        std::uint64_t number = 0; // of its connection
        std::string method, path;
        std::vector<std::string> placeholders, ownKeys;
        bool looked = false; // its thread's, as what follows but waitsFor
        std::vector<Need> needs;
        std::optional<Credential> credential;
        bool bound = false; // some credential is, to this host
        unsigned turns = 0;
        std::uint64_t waitsFor = 0; // m_mutex, as inLine
        bool inLine = false;        // until there is room for its question
    };
    using AskedPtr = std::shared_ptr<Asked>;
    struct Tally { // of one clerk, in bytes; m_mutex
        std::uint64_t ended = 0, told = 0, counted = 0; // of connections that have; as it says; in the volume by now
        std::string day; // m_counting: of the last count
    };
    struct Stream { // its thread's while it is not open, but for what m_mutex is named for
        std::uint64_t clerk = 0, number = 0; // the latter as that clerk has it
        Destination to;
        std::uint64_t shown = 0; // the number that the owner knows
        Phase phase = Phase::Deciding; // m_mutex, as unchecked and grants
        std::vector<Need> needs;       // m_mutex, but while it is deciding or waiting
        unsigned turns = 0; // that a decision came, and did not reach
        std::uint64_t waitsFor = 0;
        std::stop_source stop;
        std::vector<Endpoint> candidates; // judged
        bool looked = false;
        bool unchecked = false;
        UniqueFd socket; // open: kept to cut it
        SocketCounts before;
        std::shared_ptr<Tally> tally; // its clerk's
        std::chrono::steady_clock::time_point since;
        std::optional<Endpoint> at;
        Treat treat = Treat::Raw;          // m_mutex once it is open
        bool treated = false;              // it is known which
        bool byRequest = false;            // rules speak of its requests
        AskedPtr asked;                    // m_mutex
        std::string uses;                  // m_mutex: the credential of its last request
        bool canary = false;               // m_mutex: the clerk has told of one
        std::vector<std::uint64_t> grants, requestGrants; // the latter of its last request
    };
    using StreamPtr = std::shared_ptr<Stream>;
    struct No {
        Outcome outcome;
        std::string text;
    };

    explicit Egress(Setup setup);
    void run(const std::stop_token& stop);
    void post(std::function<void()> work);
    void writeTraffic(TrafficBook::Which which);

    // egress_told.cpp: what clerks say, and how connections end.
    [[nodiscard]] Status opened(std::uint64_t clerk, const OpenWord& word);
    [[nodiscard]] Status closed(std::uint64_t clerk, const ClosedWord& word);
    void refuse(const StreamPtr& stream, No no);
    bool cut(const StreamPtr& stream, const std::string& why); // false: another has ended it
    [[nodiscard]] bool take(const StreamPtr& stream); // out of the list; false: another has done that
    void ended(const StreamPtr& stream, std::optional<SocketCounts> told);
    [[nodiscard]] LiveConnection describe(const Stream& stream) const; // an open one; m_mutex is held
    void letGo(const StreamPtr& stream); // of its grants
    void tellEffect(std::vector<Need>& needs, policy::EffectState state, const std::string& words); // on its own thread
    void sayMode(std::uint64_t clerk);
    void say(std::uint64_t clerk, std::string_view method, boost::json::object params, int descriptor = -1);
    // What it is to look for, all of it; an error, and it looks for nothing, `trouble` goes into the log. None: where it was told of some.
    struct NamedText {
        std::string name, text;
    };
    enum class IfNone { Say, SayNothing };
    void tellTexts(std::uint64_t clerk, std::string_view method, const Result<std::vector<NamedText>>& all, IfNone ifNone, const char* trouble);
    // On its own thread: with the clerk that is there by then.
    void postWithClerk(std::function<void(std::uint64_t clerk)> work);
    // Of a connection whose requests it reads; m_mutex is held. Null: it was cut at the same time. Malformed: `what`, where it cannot be.
    [[nodiscard]] Result<StreamPtr> readBy(std::uint64_t clerk, std::uint64_t number, const char* what) const;
    [[nodiscard]] bool isThere(const StreamPtr& stream) const; // m_mutex is held

    // egress_decide.cpp: on its own thread.
    void decide(const StreamPtr& stream);
    enum class Permit { Yes, Waits };
    // `asked`: the request of that connection that waits for it; null: the connection.
    [[nodiscard]] tl::expected<Permit, No> permit(const StreamPtr& stream, const AskedPtr& asked, Need& need);
    [[nodiscard]] tl::expected<Permit, No> submitted(const StreamPtr& stream, const AskedPtr& asked, Need& need);
    // Of an open question about the very same.
    [[nodiscard]] std::optional<std::string> reasonAskedFor(const policy::Request& item) const;
    // Until there is room in the queue for its question.
    [[nodiscard]] tl::expected<Permit, No> standInLine(const StreamPtr& stream, const AskedPtr& asked);
    [[nodiscard]] static bool isInLine(const Stream& stream) {
        return (stream.phase == Phase::Waiting && stream.waitsFor == 0) || (stream.asked && stream.asked->inLine);
    }
    void nextInLine();
    void chooseTreat(const StreamPtr& stream);
    [[nodiscard]] bool mayDecideAnew();
    [[nodiscard]] policy::Request requestFor(const Address& address, std::uint16_t port, policy::Risk risk) const;
    void settle(std::uint64_t approval);
    void settled(const StreamPtr& stream, const AskedPtr& asked, const policy::Approval& approval);

    // egress_connect.cpp: likewise.
    void lookUp(const StreamPtr& stream);
    void found(const StreamPtr& stream, Addresses addresses);
    void connect(const StreamPtr& stream, Wanted wanted);
    void connected(const StreamPtr& stream, Result<Made> made);
    // `to`: where it leads, if that is to be judged for as long as it goes on.
    [[nodiscard]] Status grant(const StreamPtr& stream, const std::vector<Need>& needs, std::vector<std::uint64_t> Stream::*into,
                               const std::optional<Endpoint>& to = {});

    // egress_request.cpp: likewise, but for asked().
    [[nodiscard]] Status asked(std::uint64_t clerk, RequestWord word);
    void judge(const StreamPtr& stream, const AskedPtr& asked);
    [[nodiscard]] std::optional<No> look(const StreamPtr& stream, Asked& asked);
    void allowRequest(const StreamPtr& stream, const AskedPtr& asked);
    void endRequestGrants(const StreamPtr& stream);
    [[nodiscard]] Status recordUse(const StreamPtr& stream, const Asked& asked);
    void refuseRequest(const StreamPtr& stream, const AskedPtr& asked, No no);
    [[nodiscard]] bool takeAsked(const StreamPtr& stream, const AskedPtr& asked); // false: it is over
    void alert(const StreamPtr& stream, const std::string& credential, const std::string& why);
    [[nodiscard]] Status tellTrust(std::uint64_t clerk); // once, before the first connection that is read
    void tellPlaceholders(std::uint64_t clerk, IfNone ifNone);
    void cutWhatIsOtherNow();

    // egress_canary.cpp: likewise, but for canaryTold().
    [[nodiscard]] Status canaryTold(std::uint64_t clerk, const CanaryWord& word);
    void canaryLeft(const StreamPtr& stream, const std::string& name, relay::CanaryPlace where, relay::CanaryForm form);
    void tellCanaries(std::uint64_t clerk, IfNone ifNone);

    // egress_limits.cpp: likewise, but for usedTold() and count().
    struct Given { // to a clerk
        std::uint64_t clerk = 0;
        Limits limits;
        std::optional<std::uint64_t> most;
    };
    [[nodiscard]] Status usedTold(std::uint64_t clerk, const UsedWord& word);
    // Counts, and gives the clerk what it may use next; where that is nothing any more, all that there is has been ended, and why.
    [[nodiscard]] std::optional<No> meter();
    [[nodiscard]] std::optional<No> limitNow();
    void meterIfDue();
    void tellLimits(std::uint64_t clerk, const Limits& limits, std::optional<std::uint64_t> most);
    No endAll(No no);
    [[nodiscard]] std::uint64_t countAnew(Tally& tally, bool anotherDay); // what came since the last time; m_mutex is held
    [[nodiscard]] bool isMetered() const;                                 // likewise
    struct Used {
        std::uint64_t today = 0, byClerk = 0; // the latter since that clerk came
    };
    Used count(Tally& tally); // into the volume

    const Setup m_to;
    const std::shared_ptr<Forwards> m_forwards;
    std::mutex m_counting; // before m_mutex: what was counted is in the volume before anybody counts again
    mutable std::mutex m_mutex; // guards what follows; nothing is called with it held
    std::condition_variable_any m_news;
    std::deque<std::function<void()>> m_work;
    NetMode m_mode;
    bool m_stopped = false;
    std::shared_ptr<ClerkLine> m_line;
    std::uint64_t m_clerk = 0;
    std::map<std::uint64_t, StreamPtr> m_streams; // of that clerk, by its number
    TrafficBook m_traffic;
    Limits m_limits;
    std::shared_ptr<Tally> m_tally = std::make_shared<Tally>(); // of that clerk
    // Its thread's own.
    std::set<std::pair<std::string, std::uint64_t>> m_known; // destinations, with the rule that allows them
    std::chrono::steady_clock::time_point m_minute;
    std::size_t m_newDecisions = 0;
    std::chrono::steady_clock::time_point m_usesMinute;
    std::size_t m_uses = 0;
    std::uint64_t m_trusting = 0;         // the clerk that was told whom to trust
    std::set<std::string> m_alerted;      // what was one already
    std::size_t m_canaries = 0;           // that were written down as having left
    std::optional<Given> m_given;         // the last of it
    std::chrono::steady_clock::time_point m_metered, m_settled;
    std::jthread m_thread; // last: uses the rest
};

} // namespace carrel::egress
