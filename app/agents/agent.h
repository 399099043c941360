// SPDX-License-Identifier: Apache-2.0
// One agent: its record, its machine while it runs, the clerk at its door, its reviews and its activity log. The verbs of
// app/api, with authority. Writes down before it does (I5): every decision is in the log, on the disk, before its effect.
//
// States: created → starting → ready → stopping → stopped; failed (with a reason) from starting or ready, and ready again
// where its machine goes on and answers after all. While a machine is paused, whatever it was doing, the state is paused; it goes
// back to what it was. What is paused can be resumed, stopped and deleted, and folders can be taken from it; whatever needs its
// guest is refused at once.
// Ownership: shared by the engine's table and by calls under way. Thread: any; verbs that change something queue up on one
// lock, exec and the observers do not wait for them.
#pragma once

#include "app/activity/activity_log.h"
#include "app/agents/agent_record.h"
#include "app/agents/agent_words.h"
#include "app/agents/auto_rules.h"
#include "app/agents/door.h"
#include "app/agents/folder_look.h"
#include "app/agents/own_files.h"
#include "app/agents/recorder_process.h"
#include "app/agents/programs_told.h"
#include "app/agents/review_book.h"
#include "app/agents/services.h"
#include "app/agents/start_watch.h"
#include "app/files/file_review.h"
#include "guest/protocol/agent_talk.h"

#include <boost/json/object.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

namespace carrel::agents {

class Agent : public std::enable_shared_from_this<Agent> {
public:
    [[nodiscard]] static Result<std::shared_ptr<Agent>> create(const Services& services, const NewAgent& wanted);
    // Reads what is in the folder, finishes what a crash left of an apply.
    [[nodiscard]] static Result<std::shared_ptr<Agent>> load(const Services& services, std::filesystem::path folder);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string id() const;
    [[nodiscard]] AgentState state() const;
    [[nodiscard]] std::string image() const;
    [[nodiscard]] std::string pausedWhy() const; // by Carrel: the reason. Empty: by its owner, or it is not paused
    // Chosen: to whom has just chosen the folders, with what a look through them found.
    enum class Tell { Known, Chosen };
    [[nodiscard]] boost::json::object describe(Tell what = Tell::Known) const; // common.json, agent
    [[nodiscard]] boost::json::array describeShares(Tell what = Tell::Known) const;
    [[nodiscard]] activity::ActivityLog& log() { return *m_log; }

    // agent_start.cpp, agent_life.cpp
    [[nodiscard]] Result<bool> start(const Progress& progress, std::stop_token stop); // false: it ran already
    [[nodiscard]] Result<bool> stop(const Progress& progress);
    // A machine of ours that goes on from before the engine's restart; none: it ended meanwhile. One that does not answer in
    // time goes on, in the state failed, until it answers after all (ready) or is stopped. One that was paused stays so.
    void takeOver(std::unique_ptr<hypervisor::Machine> machine);
    // Lets go of the machine, which goes on: the engine ends.
    void leave();
    enum class Staged { Refuse, Discard };
    [[nodiscard]] Status remove(Staged staged, const Progress& progress);

    // agent_pause.cpp. pause() is a brake: it writes down who paused the agent, stops the machine's processors through
    // the hypervisor, and waits for nothing else; not for the guest, nor for a verb under way. Where that verb waits for the guest
    // it ends. Commands under way stay, and go on with resume(). A start under way lets its machine run no further, and ends
    // with an error that says so; a start that still waits for its turn is none yet. Refused: the agent is being stopped.
    // Unavailable, Io: the hypervisor's; the machine may run on.
    enum class PauseOutcome { Paused, WasPaused, NotRunning };
    // `why`: where it is not the owner who pauses it, for describe(). WasPaused: who paused it, and why, stays as it was; but for a
    // canary, whose word goes before the owner's and a budget's, in the log, too: whoever resumes for their sake is not to miss it.
    [[nodiscard]] Result<PauseOutcome> pause(Pauser who = Pauser::Owner, const std::string& why = {});
    // The clock is the first thing that its guest hears. Returns when the guest has answered, or not in time: that is no error,
    // and describe() tells. What was paused while it started goes on with that, and is waited for as by start(): an error, or
    // `stop`, leaves its machine alone.
    enum class ResumeOutcome { Resumed, NotPaused };
    [[nodiscard]] Result<ResumeOutcome> resume(const Progress& progress, std::stop_token stop);

    // agent_network.cpp. Written down before it counts where it gives, and at once where it takes away. Waits for no turn: the
    // owner's word about the network is a brake like pause().
    [[nodiscard]] Status setNetwork(egress::NetMode mode);
    [[nodiscard]] egress::NetMode network() const;
    // None: as it is. InvalidArgument: no limit that there can be.
    [[nodiscard]] Status setLimits(std::optional<std::uint64_t> rate, std::optional<std::uint64_t> day);
    struct LimitsNow {
        egress::Limits limits;
        std::uint64_t used = 0; // today
    };
    [[nodiscard]] LimitsNow limitsNow();
    // Whose model it uses, by name; empty: none. What it needs to reach it is the caller's to give (app/providers/access.h).
    [[nodiscard]] Status setProvider(const std::string& provider);
    [[nodiscard]] std::string provider() const;
    // agent_exec.cpp. Which programs run in its machine (app/exec). In force when this returns, where the machine answers; else an error, and kept.
    [[nodiscard]] Status setProgramSettings(const exec::Settings& settings);
    [[nodiscard]] exec::Settings programSettings() const;
    void programsChanged(); // what Services::programOrders says, perhaps: the machine is told soon
    [[nodiscard]] Status tellPrograms(std::stop_token stop = {}); // now
    [[nodiscard]] bool programsTold() const; // it runs, and nothing is owed to it
    // agent_installed.cpp. What guestd found in packages that Debian has signed: in the log and kept when this returns, and, of the last
    // question, told to the machine.
    [[nodiscard]] Status takeInstalled(const ask::Installed& told);
    [[nodiscard]] Result<exec::InstalledBook> installedPackages() const;
    static constexpr std::string_view kInstalledFile = "installed.tsv"; // in its folder
    [[nodiscard]] std::shared_ptr<egress::AgentCredentials> credentials(); // none: there are none in this home
    struct NetworkNow {
        std::vector<egress::LiveConnection> live;
        std::size_t waiting = 0; // not connected yet
    };
    // Of its machine's processors, as the hypervisor counts it; a new machine begins anew. None: it has none now.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> processorTime() const;
    [[nodiscard]] NetworkNow networkNow() const; // of a machine that does not run: nothing
    // One of networkNow(), at once. NotFound: it is over already.
    [[nodiscard]] Result<egress::LiveConnection> cutConnection(std::uint64_t number);
    // What its machine serves, shown on this computer. Of the session that runs; Unavailable: none does. Whoever says offline ends
    // all of it, too.
    [[nodiscard]] Result<std::shared_ptr<egress::Egress>> running() const;

    // agent_session.cpp: a connected socket for the caller, and the session's number. A client's command is ended with
    // its token, wherever its socket has got to.
    [[nodiscard]] Result<std::uint32_t> exec(const boost::json::object& params, UniqueFd& callerEnd, const By& by = {});
    // agent_programs.cpp. A command that installs an agent program, as exec() is one; the log says of it which. When it has ended well, by
    // the guest's word, the machine has the program: from then on it is among programs().
    [[nodiscard]] Result<std::uint32_t> install(const std::string& program, const std::string& version, const boost::json::object& params, UniqueFd& callerEnd);
    [[nodiscard]] std::map<std::string, std::string> programs() const; // and their versions
    [[nodiscard]] std::uint64_t memoryMib() const;
    // agent_talk.cpp: a call to the agent program in its machine, and, of agent.updates, what it told. Waits for the guest's answer, not
    // for long (Patience::talking). Refused: the machine does not run, or is paused; Cancelled: `stop`, or it was paused or stopped
    // meanwhile; NotFound, Conflict: as guest/protocol/agent_talk.h has them; Unavailable, Expired (no answer came): ask again.
    [[nodiscard]] Result<std::vector<talk::Update>> talk(const talk::Call& call, std::stop_token stop);
    // What the environment of each of its programs holds of Carrel's: canaries, and what stands for credentials.
    [[nodiscard]] Result<std::map<std::string, std::string>> ownEnvironment();
    [[nodiscard]] std::string workFolder() const; // in its machine, where its programs begin
    // agent_attachments.cpp: copies of these files lie in a folder of the machine's from here on, to be read, and so they stay until the
    // agent is deleted. Where, in the same order. InvalidArgument, Refused, NotFound, LimitExceeded: which of them, and why; none is there then.
    [[nodiscard]] Result<std::vector<std::string>> attach(std::uint64_t task, const std::vector<std::filesystem::path>& files);
    [[nodiscard]] std::filesystem::path tasksFolder() const { return file("tasks"); }
    // Changes that wait: asked of the machine, or what it said last.
    [[nodiscard]] std::uint64_t countStaged(std::stop_token stop);
    // TaskAdded and the like; the number of the event. Of what the agent program did by its own word: Guest.
    [[nodiscard]] Result<std::uint64_t> noteTask(activity::EventKind kind, std::string subject, boost::json::object detail,
                                                 activity::Provenance provenance = activity::Provenance::Host);
    // ClientAllowed, ClientEnded: who else than the owner may work here. What ends is written down later where it cannot
    // be now.
    [[nodiscard]] Status noteClient(activity::EventKind kind, const std::string& client, boost::json::object detail);
    // RuleAdded, RuleRemoved, RuleReplaced: what concerns this agent. `words`: the rule in plain words.
    [[nodiscard]] Status noteRule(activity::EventKind kind, std::string words, boost::json::object detail);
    // The same of what only takes something away: it goes ahead, and is written down later where it cannot be now.
    void noteRuleOwing(activity::EventKind kind, std::string words, boost::json::object detail);
    // CredentialAdded; CredentialRemoved, which goes ahead likewise.
    [[nodiscard]] Status noteCredential(activity::EventKind kind, const std::string& name, boost::json::object detail);
    void noteCredentialOwing(activity::EventKind kind, const std::string& name, boost::json::object detail);
    // CanaryAdded, CanaryPlanted, CanaryRemoved. The latter waits for the log, too: an agent that is looked at less gets more.
    [[nodiscard]] Status noteCanary(activity::EventKind kind, const std::string& name, boost::json::object detail);
    // BudgetSet.
    [[nodiscard]] Status noteBudget(const std::string& words, boost::json::object detail);

    // agent_shares.cpp. `approval`: the request that allowed it, written down with it; 0: none.
    [[nodiscard]] Result<boost::json::object> addShare(const NewShare& wanted, std::uint64_t approval = 0);
    // Whether it could be added: the folder as it would be shared, with its links resolved.
    [[nodiscard]] Result<std::string> mayAddShare(const NewShare& wanted);
    // Refused to read-only while changes are staged.
    [[nodiscard]] Result<boost::json::object> setShareMode(const std::string& name, ShareMode mode);
    // The agent sees nothing of the folder from here on; what is staged can still be reviewed and applied.
    [[nodiscard]] Result<boost::json::object> revokeShare(const std::string& name);
    [[nodiscard]] Status removeShare(const std::string& name, Staged staged);

    // agent_review.cpp
    // Decide: for a person, who goes on to decide; auto mode then leaves the folders alone for a while. Watch: the list of
    // somebody who watches, which makes room for the next one. Ask: the agent asks for it to be applied.
    enum class Look { Decide, Watch, Ask };
    // A client's look is written down whichever it is. `only`: these, with the folders that they need.
    [[nodiscard]] Result<OpenedReview> freeze(const Progress& progress, std::stop_token stop, Look look = Look::Decide,
                                              const By& by = {}, const ReviewSelection& only = {});
    [[nodiscard]] Result<OpenedReview> openReview(const std::string& id, Look look = Look::Decide);
    [[nodiscard]] Result<files::TextDiff> diff(const files::FrozenEntry& entry);
    // What a review froze, or found in the folder, to be read.
    [[nodiscard]] Result<UniqueFd> openFrozen(const files::Sha256& content);

    // agent_three_way.cpp: yours, the agent's, and what both began with, of a text that both changed. The bytes of the last
    // are there when Carrel saw them at that path: in a review kept since, or in an apply of its own. Which of them it was
    // only the agent's machine can say.
    struct ThreeWayView {
        bool baseKnown = false;
        std::string whyNot;  // when not
        std::string listing; // guest text, unescaped: three_way.h; without the base line_diff.h, - yours, + the agent's
        std::uint64_t both = 0;
    };
    using ClaimedBases = std::map<std::pair<std::uint32_t, SharePath>, ChangeEntry>; // by share
    [[nodiscard]] ClaimedBases claimedBases(const OpenedReview& review, std::stop_token stop);
    // None: it is no text that both changed.
    [[nodiscard]] Result<std::optional<ThreeWayView>> threeWay(const EntryView& view, const ClaimedBases& bases);

    // agent_approved.cpp: what the queue of approvals needs to know.
    [[nodiscard]] std::string session() const; // AgentRecord::session
    // A review that somebody is asked about makes no room for others. Neither waits for the agent's turn, which may be in the
    // hand of its guest for long.
    void keepReview(const std::string& id);
    void letGoOfReview(const std::string& id);
    // What became of the apply that this request allowed, found in the log and the journals of its folders. Partly: not in each
    // of its folders, not to its end, or without making one change. Unavailable: it was interrupted and is not settled yet.
    enum class ApplyStood { NeverBegan, Finished, Partly };
    [[nodiscard]] Result<ApplyStood> appliedBy(std::uint64_t approval);
    // The name of the share that this request allowed; none: none was added, or it is gone.
    [[nodiscard]] Result<std::optional<std::string>> givenBy(std::uint64_t approval);
    [[nodiscard]] std::optional<std::string> shareName(std::uint32_t id) const;

    // agent_staged.cpp: waits until what is staged is not as `known` says it (empty: answers at once), or until stop.
    struct StagedState {
        std::string mark;     // changes with what is staged; means nothing by itself
        bool running = false; // the machine runs, and is not paused, so that it can be listed
    };
    [[nodiscard]] Result<StagedState> waitStaged(const std::string& known, std::stop_token stop);

    // agent_recordings.cpp: a terminal is being recorded under that number.
    [[nodiscard]] bool records(std::uint64_t recording);

    // agent_auto.cpp: shares of mode auto where something waits for room within the bounds, and until when (ms since 1970).
    struct AutoFull {
        std::string share;
        std::int64_t untilMs = 0;
    };
    [[nodiscard]] std::vector<AutoFull> autoFull() const;

    // agent_decide.cpp
    // KeepBoth: where the file in the folder and the agent's differ from what both began with, yours stays and the agent's
    // is put beside it under a new name.
    enum class IfBoth { Conflict, KeepBoth };
    [[nodiscard]] Result<ActionReport> apply(const std::string& review, const ReviewSelection& selection,
                                             const Progress& progress, IfBoth ifBoth = IfBoth::Conflict,
                                             const Warrant& warrant = {});
    [[nodiscard]] Result<ActionReport> discard(const std::string& review, const ReviewSelection& selection,
                                               const Progress& progress);
    [[nodiscard]] Result<ActionReport> undo(std::optional<std::uint64_t> number, const Progress& progress);
    // Applies and undos, newest first, those below `before`.
    struct PastApply {
        NumberedApply apply;
        std::uint64_t undoneBy = 0;       // the undo that stands; 0: it stands itself
        std::vector<std::string> shares;  // by name
    };
    [[nodiscard]] std::vector<PastApply> history(std::optional<std::uint64_t> before, std::size_t limit);

private:
    Agent(const Services& services, std::filesystem::path folder, AgentRecord record);
    [[nodiscard]] Status openStores();
    void closeForwardsLeft(); // in the log; agent_network.cpp
    void recoverApplies();
    [[nodiscard]] Status numberApplies();
    // What an interruption left in these folders is settled, and has its number before anything new gets one. Where that fails
    // the apply or undo that wants it says why.
    void settleLeft(const std::vector<ShareRecord>& shares);
    [[nodiscard]] Status refuseUnsettled(const ShareRecord& share) const;
    [[nodiscard]] static activity::Event eventOf(activity::EventKind kind, std::string subject, boost::json::object detail,
                                                 activity::Provenance provenance);
    [[nodiscard]] Status note(activity::EventKind kind, std::string subject, boost::json::object detail = {},
                              activity::Provenance provenance = activity::Provenance::Host);
    // For what has happened already: a log that fails then is told to the engine's own log.
    void noteAfter(activity::EventKind kind, std::string subject, boost::json::object detail = {},
                   activity::Provenance provenance = activity::Provenance::Host);
    // For what only takes away: it goes ahead although it cannot be written down. The owner is told, and it is written as soon
    // as there is room, with its time. False: not yet.
    bool noteOwing(activity::EventKind kind, std::string subject, boost::json::object detail = {});
    void payOwed();
    void tellRefusedReads();
    [[nodiscard]] Status saveRecord(const AgentRecord& record);
    [[nodiscard]] Status saveRecordOwing(const AgentRecord& record);
    [[nodiscard]] AgentRecord record() const;
    void setState(AgentState state, std::string reason = {});
    [[nodiscard]] std::filesystem::path file(std::string_view name) const { return m_folder / name; }

    // Life. Came: what a machine that was waited for has come to.
    enum class Came { Ready, Paused };
    [[nodiscard]] Result<Came> bringUp(const Progress& progress, std::stop_token stop);
    [[nodiscard]] Result<Came> waitReady(const Progress& progress, std::stop_token stop);
    [[nodiscard]] Result<Came> awaken(const Progress& progress, std::stop_token stop);
    [[nodiscard]] Result<Came> settleTakeOver(Result<Came> taken);
    [[nodiscard]] bool runs() const;
    void superviseFromNow();

    // Pause. A machine whose guest has not greeted yet, and that nobody waits for, is in the state starting, and paused.
    struct PausedBy {
        Pauser who = Pauser::Owner;
        std::string why;
    };
    [[nodiscard]] AgentState stateNow() const; // m_mutex is held
    [[nodiscard]] bool isPaused() const;
    [[nodiscard]] Status refusePaused() const;
    void holdTheBrake(hypervisor::Machine& machine); // the supervisor's
    [[nodiscard]] Result<bool> letRun();   // false: it was paused before it did
    [[nodiscard]] Result<bool> letGoOn(); // false: it was not paused
    [[nodiscard]] Status runOn(hypervisor::Machine& machine, Door* door);
    [[nodiscard]] Status awaitStart(const Progress& progress, std::stop_token stop);
    [[nodiscard]] bool takeOverPaused();
    struct Brake { // as a stop found it
        AgentState state = AgentState::Ready;
        bool paused = false;
        bool booting = false;
    };
    [[nodiscard]] Brake takeBrake();
    void putBack(const Brake& brake);
    [[nodiscard]] static std::string newSession();
    void tellSessionEnded(const std::string& session);
    enum class IfPaused { LetRun, Cut };
    [[nodiscard]] Result<bool> stopInTurn(const Progress& progress, IfPaused ifPaused = IfPaused::LetRun);
    void greetLate(Door& door);
    [[nodiscard]] Status tellProgramsAtStart(std::stop_token stop);
    void tendPrograms();
    void tellChanged() const;
    [[nodiscard]] Status replaceClerk();
    [[nodiscard]] Status renewClerk();
    void letGuestNotice();
    [[nodiscard]] Status putClerk();
    void noteSilence(const std::string& what, const StartWatch::Stall& silence);
    [[nodiscard]] Error explainStop(std::string_view step);
    void makeDoor();
    enum class Gives { More, Less };
    [[nodiscard]] Status take(const AgentRecord& next, Gives gives, activity::Event event, const std::function<void(egress::Egress&)>& tell);
    [[nodiscard]] std::shared_ptr<egress::DayVolume> volume();
    [[nodiscard]] std::shared_ptr<egress::Egress> openNetwork();
    // A canary left, or was about to: that is in the log, and then the agent is paused.
    void canaryLeft(std::optional<activity::Event> event, const std::string& why);
    [[nodiscard]] std::map<std::string, std::string> canaryVariables() const; // for its programs
    void alarm(Alarm what) const;
    void alarmOver(); // if there was one
    [[nodiscard]] std::optional<AuthorityCertificate> certificate(); // that its machine is to trust
    void settleNetwork();
    void silenceNetwork(); // until it is settled
    void told(const std::string& method, const boost::json::object& params);
    void sharesFailed(const boost::json::array& shares);
    void watchPrograms(), watchNoMore(); // agent_watched.cpp
    // Why the machine does not have that share as it should, if so.
    [[nodiscard]] std::optional<std::string> failureOf(std::uint32_t share) const;
    [[nodiscard]] Status recordReads(const boost::json::object& params);
    void asked(const ask::Question& question, AnswerAsk answer);
    [[nodiscard]] bool mayTell(std::string_view method);
    void superviseUntil(std::stop_token stop);
    void superviseOnce();
    [[nodiscard]] bool mayReplaceClerk();
    void machineEnded();
    void dropMachine(); // machine, door and supervisor go; the lock is held
    [[nodiscard]] std::filesystem::path runtimeFolder() const; // of its machine
    void clearRuntime();
    [[nodiscard]] std::vector<ServedShare> openShares(std::vector<std::string>& missing);
    [[nodiscard]] Result<ShareRecord> newShare(const NewShare& wanted) const; // m_operation is held
    [[nodiscard]] Result<ShareRecord> findShare(const std::string& name) const;
    [[nodiscard]] Result<boost::json::object> changeShare(const ShareRecord& to);
    [[nodiscard]] Result<boost::json::object> revokeInTurn(const std::string& name, std::optional<std::uint32_t> cutAlready);
    [[nodiscard]] Status removeShareInTurn(const std::string& name, Staged staged);
    void cut(std::uint32_t share);
    void cutInFull();
    void recordCuts();
    [[nodiscard]] Result<UniqueFd> emptyFolder() const;
    [[nodiscard]] Result<UniqueFd> openShareRoot(const ShareRecord& share) const;
    void learnBirths();
    [[nodiscard]] std::set<std::string> keptReviews() const;
    struct DecidedApply;
    [[nodiscard]] Result<std::optional<DecidedApply>> decidedApply(std::uint64_t approval);
    void tellOwnerDecided(const std::string& review);
    // Into `of`, which must live as long.
    [[nodiscard]] Result<const ShareRecord*> shareOf(const AgentRecord& of, std::uint32_t id, const std::string& apply) const;
    [[nodiscard]] std::map<std::string, ShareRecord> sharedAnew();
    [[nodiscard]] std::shared_ptr<Door> door() const;
    [[nodiscard]] Result<std::shared_ptr<Door>> readyDoor() const;
    // The same with a clerk that lives and a guest that has greeted it. m_operation is held: nobody else replaces a
    // clerk meanwhile.
    [[nodiscard]] Result<std::shared_ptr<Door>> workingDoor(std::stop_token stop = {});
    // `logged`: what the log says of it; empty: the command.
    [[nodiscard]] Result<std::uint32_t> run(const boost::json::object& params, UniqueFd& callerEnd, const By& by, std::string logged);
    void installEnded(const boost::json::object& outcome);
    [[nodiscard]] Result<recording::SecretMarks> secretMarks();
    // What the caller gets in place of the clerk's other end: between both stands a recorder from here on.
    [[nodiscard]] Result<UniqueFd> recordTerminal(const std::string& kind, const std::string& title, const boost::json::object& tty, UniqueFd clerk);
    void endRecordings();
    [[nodiscard]] Result<std::uint32_t> execAtDoor(Door& at, const boost::json::object& start, int socket, const By& by);

    // Review.
    [[nodiscard]] static std::string markOf(const std::vector<ChangeEntry>& entries);
    [[nodiscard]] std::optional<StagedState> lookStaged(std::stop_token stop);
    [[nodiscard]] Result<Review> remember(std::vector<ReviewPart> parts, Look look);
    void forgetUnused(const std::vector<Review>& dropped);
    void collectUnused();
    void forgetSets(const std::vector<Review>& dropped); // without collecting their content, which looks at everything
    // `all`: of the review, whatever was named.
    [[nodiscard]] Result<ActionReport> applyInTurn(const std::string& review, const ReviewSelection& selection,
                                                   const Progress& progress, IfBoth ifBoth, const Warrant& warrant, bool& all);
    [[nodiscard]] Result<ActionReport> discardInTurn(const std::string& review, const ReviewSelection& selection,
                                                     const Progress& progress, bool& all);
    [[nodiscard]] Result<ActionReport> applyChosen(const OpenedReview& opened, const std::vector<EntryView>& chosen,
                                                   std::string_view by, const Progress& progress,
                                                   IfBoth ifBoth = IfBoth::Conflict);
    [[nodiscard]] static bool bothChanged(const files::FrozenEntry& entry);
    [[nodiscard]] std::optional<ApplyPart> keepBeside(const EntryView& view, ActionReport& report);
    [[nodiscard]] std::optional<files::Sha256> baseSeen(std::uint32_t share, const ChangeEntry& claim);

    // Auto mode. All by m_operation, but for what autoFull() reads.
    struct AutoShare {
        std::string seen; // what was staged at the last look, and since when
        std::chrono::steady_clock::time_point since, nextLook, held, retry;
        std::string handled; // nothing more to do with what was staged then, until `retry`
        std::optional<std::int64_t> fullUntilMs; // by m_mutex
    };
    void holdAuto(const std::vector<ShareRecord>& shares);
    void endHold(const std::vector<ShareRecord>& shares);
    void tendAuto(Door& door);
    void tendAutoShare(Door& door, const ShareRecord& share, AutoShare& state);
    [[nodiscard]] std::chrono::milliseconds lookForAuto(Door& door, const ShareRecord& share, AutoShare& state);
    [[nodiscard]] Status settleByRule(Door& door, const ShareRecord& share, AutoShare& state,
                                      const std::vector<ChangeEntry>& claims);
    [[nodiscard]] std::vector<const files::FrozenEntry*> leftByRules(const ShareRecord& share, AutoShare& state,
                                                                     std::vector<const files::FrozenEntry*> covered) const;
    [[nodiscard]] Result<AutoUse> autoUse(std::uint32_t share);
    void tellFull(const ShareRecord& share, AutoShare& state, const AutoUse& use, std::size_t waiting);
    enum class IfBetween { Wait, GiveUp }; // between two clerks, until the guest has greeted the new one
    [[nodiscard]] Result<std::vector<ChangeEntry>> listChanges(Door& door, const ShareRecord& share,
                                                               std::stop_token stop,
                                                               std::chrono::seconds patience = kAnswerPatience,
                                                               IfBetween ifBetween = IfBetween::Wait);
    struct Decided {
        SharePath path;
        std::uint64_t generation = 0;
        std::optional<Left> left = {}; // changes.settle
    };
    [[nodiscard]] Result<std::vector<std::string>> tellGuest(Door& door, std::string_view method, std::uint32_t share,
                                                             const std::vector<Decided>& entries,
                                                             std::chrono::seconds patience = kAnswerPatience);
    [[nodiscard]] Result<std::vector<ApplyPart>> standingParts(const std::vector<ApplyPart>& parts);
    [[nodiscard]] std::vector<ApplyPart> undoParts(const std::vector<ApplyPart>& wanted, const Progress& progress,
                                                   ActionReport& report, std::optional<Error>& failure);
    [[nodiscard]] Result<files::ApplyReport> undoPart(const ShareRecord& share, const std::string& apply,
                                                      const Progress& progress);
    [[nodiscard]] Result<files::FrozenSet> freezeShare(Door& door, const ShareRecord& share, const ReviewSelection& only,
                                                       const Progress& progress, std::stop_token stop);
    [[nodiscard]] static files::FreezeLimits freezeLimits();
    [[nodiscard]] Result<files::FrozenSet> freezeClaims(Door& door, const ShareRecord& share,
                                                        const std::vector<ChangeEntry>& claims, const Progress& progress,
                                                        std::stop_token stop, std::chrono::seconds patience);
    void settleSameAsHost(Door& door, const ShareRecord& share, const files::FrozenSet& set,
                          std::chrono::seconds patience);
    void rememberStaged(std::uint32_t share, std::uint64_t staged);
    // What the guest says is staged when nothing runs there any more. False: not of each share.
    [[nodiscard]] bool rememberLast(const boost::json::object& answer);
    // What is staged now. m_operation is held, and the machine goes on: closeForWork().
    [[nodiscard]] Status refuseStaged(std::optional<std::uint32_t> share, Staged staged);
    // Nothing is staged in that share, and nothing more can be: the machine has it read-only, and it was counted after that. A
    // failure leaves it as it was; else it stays so until the record says what it is, or reopen().
    [[nodiscard]] Status closeForWork(const ShareRecord& share);
    void reopen();

    // A verb's turn: m_operation. Who insists lets no other wait for the guest until its turn has come, since a guest that
    // does not answer must not keep the agent from being stopped, or a folder from being taken from it. A start goes on all
    // the same, and gives up only for who ends the machine.
    class Turn {
    public:
        enum class Manner { Patient, Insisting, Ending };
        Turn(Agent& agent, Manner manner);
        ~Turn();
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

    private:
        Agent& m_agent;
        std::unique_lock<std::mutex> m_operation;
        Manner m_manner;
    };

    const Services& m_services;
    std::filesystem::path m_folder;
    std::unique_ptr<activity::ActivityLog> m_log;
    RecordingRoom m_recordingRoom;
    std::mutex m_recordersMutex; // guards the next
    std::vector<std::unique_ptr<TerminalRecorder>> m_recorders; // they write to the log
    std::unique_ptr<files::FileReview> m_review;
    std::optional<ReviewBook> m_book;
    std::optional<OwnFiles> m_own;

    std::vector<std::chrono::steady_clock::time_point> m_clerksReplaced; // the start's, then the supervisor's

    std::future<ClerkProcess::Answer> m_lateGreeting; // by m_operation

    bool m_applyLeft = false; // an apply or undo was interrupted and may not be settled yet; by m_operation
    std::string m_watchReview; // the last one that was frozen for a watcher; by m_operation
    std::string m_notedReview; // in the log already; by m_operation
    std::string m_notedForClient; // the same of a client's last look: its name and the review
    std::map<std::uint32_t, AutoShare> m_auto; // by share

    std::mutex m_operation; // one changing verb at a time; taken before the others
    // Who lets the machine's processors run, or stops them: held across the log and the hypervisor's call, and never while a guest
    // is waited for. Taken before m_mutex.
    std::mutex m_brake;
    struct PausedUse { // of the machine's process, as it was looked at last
        std::chrono::steady_clock::time_point at;
        std::chrono::nanoseconds used;
    };
    std::optional<PausedUse> m_pausedUse; // the supervisor's, as is the next
    int m_ranOn = 0;

    std::mutex m_recordMutex; // one who writes agent.json at a time, so that none puts back what another has changed; before m_mutex
    ProgramsTold m_programs;
    mutable std::mutex m_mutex; // guards everything below
    AgentRecord m_record;
    unsigned m_insisting = 0; // verbs that wait for their turn and insist on it
    unsigned m_ending = 0;    // of these, those that end the machine
    std::optional<std::uint32_t> m_closed; // a share that is served read-only until it is decided on
    std::set<std::uint32_t> m_cut; // shares that no clerk may serve, though the record may not say so yet
    bool m_cutSince = false;       // since the clerk at the door was chosen its folders
    std::map<std::uint32_t, FolderLook> m_looks; // by share: of those chosen since this object was made
    AgentState m_state = AgentState::Created;
    std::string m_failure;
    std::shared_ptr<hypervisor::Machine> m_machine;
    bool m_paused = false;  // or is to be, as soon as there is a machine
    PausedBy m_pausedBy; // the last pause; a canary's until the owner let it go on, or its machine ended, also where it could not be paused
    bool m_mayRun = false;  // its start has come so far that it may run
    bool m_booting = false; // it has not been ready since it was made: nobody has worked in it yet
    std::shared_ptr<Door> m_door;
    std::shared_ptr<egress::Egress> m_network; // while there is a door
    std::shared_ptr<egress::AgentCredentials> m_credentials; // once they were asked for
    std::shared_ptr<egress::DayVolume> m_volume;             // likewise
    std::optional<StartWatch> m_watch;
    std::set<std::string> m_stagesTold; // of this machine; bounded
    std::map<std::uint32_t, std::pair<std::string, std::string>> m_installing; // by session: program, version
    std::string m_guestFailure; // what the guest said of a failed start
    Progress m_startProgress;
    std::uint32_t m_sessionNumber = 0;
    std::chrono::steady_clock::time_point m_toldSince;
    unsigned m_toldCount = 0;
    ReadBudget m_readBudget;
    std::vector<activity::Event> m_owedEvents;
    bool m_owesRecord = false; // agent.json is older than m_record
    std::uint64_t m_touched = 0; // times that the guest said that something was staged
    std::set<std::string> m_keptReviews; // somebody is asked about them
    std::chrono::milliseconds m_listTook{0}; // the last freeze, listing and copying
    bool m_clerkGone = false;
    std::map<std::uint32_t, std::string> m_sharesFailed; // as the clerk tells it: the machine's own word of why
    bool m_tendDoor = false;
    std::condition_variable m_wake;
    std::jthread m_supervisor;
    std::unique_ptr<Watcher> m_watcher;
};

} // namespace carrel::agents
