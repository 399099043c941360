// SPDX-License-Identifier: Apache-2.0
#include "app/engine/engine.h"
#include "app/engine/task_world.h"

#include "app/egress/own_computer.h"
#include "app/images/initrd.h"
#include "app/images/kernel_options.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>

namespace carrel::engine {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

Status makeFolder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (!error) {
        fs::permissions(folder, fs::perms::owner_all, error);
    }
    return error ? Status(failErrno("making the folder " + folder.string(), error.value())) : Status{};
}

} // namespace

Result<std::unique_ptr<Engine>> Engine::create(api::Home home, Installation installation,
                                               std::unique_ptr<hypervisor::Backend> backend, Session session,
                                               const viewer::ViewerPatience& viewing) {
    auto id = hypervisor::HomeId::parse(home.id);
    if (!id) {
        return fail(std::move(id).error());
    }
    std::unique_ptr<Engine> engine(
        new Engine(std::move(home), std::move(installation), std::move(backend), std::move(*id)));
    CARREL_TRY(makeFolder(engine->m_services.agentsFolder));
    CARREL_TRY(makeFolder(engine->m_home.folder / "images"));
    CARREL_TRY(makeFolder(engine->m_home.folder / "boot"));
    auto socket = api::socketPath(engine->m_home);
    if (!socket) {
        return fail(std::move(socket).error());
    }
    engine->m_services.runtimeFolder = socket->parent_path();
    engine->m_clients = std::make_unique<Clients>(engine->m_home.folder / "tokens.json", engine->m_services.complain);
    if (!session.keeper) {
        session.keeper = std::make_unique<policy::FileSealKeeper>(engine->m_home.folder / "rules.key");
    }
    if (!session.logKey) {
        session.logKey = std::make_unique<policy::FileSealKeeper>(engine->m_home.folder / "log.key", "Take it away: Carrel then makes a new key");
    }
    LogKeeper::Setup logs{std::move(session.logKey), {}, engine->m_services.complain};
    logs.logs = [raw = engine.get()] {
        std::vector<LogKeeper::Kept> out;
        for (const auto& agent : raw->allAgents()) {
            out.push_back(raw->keptLog(agent));
        }
        return out;
    };
    engine->m_logKeeper = std::make_unique<LogKeeper>(std::move(logs));
    engine->m_approvals = std::make_unique<Approvals>(
        Approvals::Setup{engine->m_home.folder, std::move(session.keeper),
                         [raw = engine.get()](std::string_view wanted) { return raw->agentById(wanted); }, engine->m_services.complain, nullptr,
                         [raw = engine.get()] {
                             for (const auto& agent : raw->allAgents()) {
                                 agent->programsChanged();
                             }
                         }});
    engine->m_approvals->rules().setRecorder([raw = engine.get()](policy::RuleBook::Change change, const policy::Rule& rule) {
        return recordRule(*raw, change, rule);
    });
    engine->m_approvals->addListener(engine->m_approvalNews);
    auto& approvals = *engine->m_approvals;
    engine->m_canaries = std::make_unique<egress::CanaryBook>(engine->m_home.folder / "canaries.json");
    engine->m_services.canaries = engine->m_canaries.get();
    engine->m_services.alarm = std::move(session.alarm);
    engine->m_providers = std::make_unique<providers::ProviderBook>(engine->m_home.folder / "providers.json");
    engine->countModels();
    egress::Networks::Setup networks{
        approvals.queue(), approvals.rules(), approvals.grants(), session.proxies ? std::move(*session.proxies) : egress::ProxySettings(), nullptr, std::move(session.resolver), nullptr, std::move(session.roots),
        engine->m_canaries.get()};
    networks.modelApi = [raw = engine.get()](const std::string& agent, const egress::Destination& to) {
        const auto provider = raw->providerAt(agent, to);
        return provider ? std::optional(provider->api) : std::nullopt;
    };
    networks.plainHttp = [raw = engine.get()](const std::string& agent, const egress::Destination& to) {
        const auto provider = raw->providerAt(agent, to);
        return provider && provider->url.scheme() == providers::ModelUrl::Scheme::Http;
    };
    engine->m_networks = std::make_unique<egress::Networks>(std::move(networks));
    engine->m_canaries->onChange([networks = engine->m_networks.get()] { networks->canariesChanged(); });
    engine->m_services.networks = engine->m_networks.get();
    const auto sealed = engine->m_home.folder / "credentials.sealed";
    engine->m_credentials = std::make_unique<egress::CredentialBook>(egress::CredentialBook::Setup{
        engine->m_home.folder / "credentials.json", std::move(session.keyring),
        session.sealing ? std::make_unique<egress::SealedFile>(sealed, *session.sealing) : std::make_unique<egress::SealedFile>(sealed), {}});
    engine->m_credentials->onChange([networks = engine->m_networks.get(), &news = engine->m_approvalNews] {
        networks->credentialsChanged();
        news.credentialsChanged();
    });
    engine->m_services.credentials = engine->m_credentials.get();
    approvals.addListener(*engine->m_networks);
    for (auto* listener : session.listeners) {
        engine->m_approvals->addListener(*listener);
    }
    engine->m_agentAsks = std::make_unique<AgentAsks>(
        AgentAsks::Setup{*engine->m_approvals, [raw = engine.get()](std::string_view wanted) { return raw->agentById(wanted); },
                         engine->m_services.complain});
    engine->m_viewer = std::make_unique<viewer::DocumentViewer>(
        viewer::MachineSetup{engine->m_backend.get(), engine->m_services.home, engine->m_services.runtimeFolder / "view",
                             engine->m_services.clerkProgram, [raw = engine.get()] { return raw->viewerBoot(); }},
        viewing, engine->m_services.complain);
    auto attention = std::move(session.attention);
    if (!attention) {
        attention = [](const std::string&, std::uint64_t, tasks::Attention) {};
    }
    engine->m_tasks = std::make_unique<tasks::TaskDesk>(taskWorld(*engine, std::move(attention)), [raw = engine.get()] { raw->m_taskNews.changed(); });
    engine->m_taskWaker = std::jthread([raw = engine.get()](const std::stop_token& stop) {
        auto mark = raw->m_agentNews.mark();
        for (;;) {
            raw->m_tasks->wake();
            const auto news = raw->m_agentNews.waitOther(mark, stop);
            if (!news) {
                return;
            }
            mark = *news;
        }
    });
    return engine;
}

Engine::Engine(api::Home home, Installation installation, std::unique_ptr<hypervisor::Backend> backend,
               hypervisor::HomeId id)
    : m_home(std::move(home))
    , m_installation(std::move(installation))
    , m_backend(std::move(backend))
    , m_images(m_home.folder / "images")
    , m_services{m_backend.get(), std::move(id)} {
    fillServices();
}

Engine::~Engine() {
    if (m_taskWaker.joinable()) {
        m_taskWaker.request_stop();
        m_taskWaker.join();
    }
    if (m_tasks) {
        m_tasks->stop(); // what goes on goes on in the machines
    }
    if (m_viewer) {
        m_viewer->stop();
    }
    if (m_agentAsks) {
        m_agentAsks->callOff(); // while there are clerks to tell it to
    }
    for (const auto& agent : allAgents()) {
        agent->leave();
    }
    if (m_agentAsks) {
        m_agentAsks->stop();
    }
    // Only what is empty: the machines that run on have theirs in there.
    std::error_code ignored;
    for (const char* each : {"client", "probe", "view", ""}) {
        std::filesystem::remove(m_services.runtimeFolder / each, ignored);
    }
}

void Engine::fillServices() {
    m_services.agentsFolder = m_home.folder / "agents";
    m_services.clerkProgram = m_installation.clerk.string();
    m_services.recorderProgram = m_installation.recorder.string();
    m_services.bootFiles = [this](const std::string& image, const std::function<void(std::string_view)>&) {
        return bootFiles(image);
    };
    m_services.accelerator =
        [this](const std::function<void(std::string_view)>& progress) -> Result<hypervisor::Accelerator> {
        auto report = checkHost(Probe::Remembered, progress, {});
        if (!report) {
            return fail(std::move(report).error());
        }
        if (report->accelerator) {
            return *report->accelerator;
        }
        for (const auto& finding : report->findings) {
            if (finding.severity == hypervisor::Severity::Blocker) {
                return fail(ErrorCode::Unsupported, finding.what + ": " + finding.why,
                            finding.remedy + (finding.command.empty() ? "" : ": " + finding.command));
            }
        }
        return fail(ErrorCode::Unsupported, "no machine can run on this computer", "See: carrel doctor");
    };
    m_services.sessionEnded = [this](const std::string& agent, const std::string& session) {
        m_approvals->sessionEnded(agent, session);
        if (const auto ended = agentById(agent)) {
            if (auto head = m_logKeeper->sign(ended->log(), "session"); !head) { // it is signed when it can be
                m_services.complain(head.error().wrap("the log of an agent could not be signed at the end of its session").text());
            }
        }
    };
    m_services.asked = [this](const std::string& agent, const ask::Question& question, agents::AnswerAsk answer) {
        m_agentAsks->asked(agent, question, std::move(answer));
    };
    m_services.maySettle = [this](const std::string& agent, const std::string& session, const agents::ShareRecord& share,
                                  const files::FrozenEntry& entry) {
        return m_approvals->maySettle(agent, session, share, entry);
    };
    m_services.ownerDecided = [this](const std::string& agent, const std::string& review) {
        m_approvals->ownerDecided(agent, review);
    };
    m_services.programOrders = [this](const agents::AgentRecord& of) { return programOrders(of); };
    m_services.changed = [this] { m_agentNews.changed(); };
    m_services.mayShare = [this](const fs::path& dir) { return mayShare(dir); };
    m_services.complain = [](std::string_view line) { spdlog::warn("{}", line); };
}

// While the list of providers cannot be read nothing is known of a model there: the connection is judged by the rules like any other, and
// the verbs of providers say what is wrong.
std::optional<providers::Provider> Engine::providerAt(const std::string& agentId, const egress::Destination& to) const {
    const auto agent = agentById(agentId);
    const auto name = agent ? agent->provider() : std::string();
    auto provider = name.empty() ? Result<providers::Provider>(fail(ErrorCode::NotFound, "it uses none")) : m_providers->find(name);
    return provider && provider->url.destination() == to ? std::optional(std::move(*provider)) : std::nullopt;
}

void Engine::countModels() {
    m_usage = std::make_unique<providers::UsageBook>(providers::UsageBook::Setup{
        .file = [this](const std::string& agent) { return m_services.agentsFolder / agent / "usage.json"; },
        .cpuTime = [this](const std::string& id) {
            const auto agent = agentById(id);
            return agent ? agent->processorTime() : std::nullopt;
        }});
    m_services.modelUsed = [this](const std::string& agent, const egress::Destination& to, const relay::ModelUse& use) {
        const auto paid = to.hostText() == egress::kOwnComputer ? providers::Paid::Nothing : providers::Paid::ByTable;
        if (auto counted = m_usage->count(agent, use, paid); !counted) {
            m_services.complain(counted.error().wrap("what an agent used of a model could not be written down").text());
        }
    };
    m_services.mayAskModel = [this](const std::string& agent) { return m_usage->whyNotAsk(agent); };
}

LogKeeper::Kept Engine::keptLog(const std::shared_ptr<agents::Agent>& agent) const {
    return {m_services.agentsFolder / agent->id(), std::shared_ptr<activity::ActivityLog>(agent, &agent->log())};
}

Status Engine::mayShare(const fs::path& dir) const {
    const auto within = [](const fs::path& outer, const fs::path& inner) {
        return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
    };
    if (dir == dir.root_path()) {
        return fail(ErrorCode::Refused, "the root of the file system cannot be shared", "Choose a folder of your own");
    }
    if (within(m_home.folder, dir) || within(dir, m_home.folder)) {
        return fail(ErrorCode::Refused, "a folder that holds Carrel's own data, or lies in it, cannot be shared",
                    "Choose a folder beneath it, e.g. your documents");
    }
    for (const char* system : {"/proc", "/sys", "/dev", "/run", "/boot"}) {
        if (within(system, dir)) {
            return fail(ErrorCode::Refused, "a folder of the system cannot be shared", "Choose a folder of your own");
        }
    }
    return {};
}

Result<agents::BootFiles> Engine::bootFiles(const std::string& image) {
    auto id = image.empty() ? m_images.defaultImage() : m_images.find(image);
    if (!id) {
        return fail(std::move(id).error());
    }
    auto parts = m_images.bootFiles(*id);
    if (!parts) {
        return fail(std::move(parts).error());
    }
    agents::BootFiles out;
    out.kernel = parts->kernel;
    out.base = parts->base;
    out.initrd = m_home.folder / "boot" / (id->shortText() + ".initrd");
    out.commandLine = std::string(images::kKernelOptions);
    images::InitrdInputs inputs;
    inputs.modules = parts->modules;
    inputs.carrelInit = m_installation.init;
    inputs.carrelGuestd = m_installation.guestd;
    inputs.carrelAsk = m_installation.ask;
    inputs.carrelAgent = m_installation.agent;
    auto initrd = images::composeInitrd(inputs, out.initrd);
    if (!initrd) {
        return fail(initrd.error().wrap("The machine's first programs could not be put together"));
    }
    return out;
}

Result<std::optional<std::vector<exec::Listed>>> Engine::programsOf(const std::string& image) {
    const auto id = image.empty() ? m_images.defaultImage() : m_images.find(image);
    if (!id) {
        return fail(id.error());
    }
    const auto text = m_images.programs(*id);
    if (!text) {
        return fail(text.error());
    }
    if (!*text) {
        return std::nullopt;
    }
    auto list = exec::listFrom(**text);
    return list ? Result<std::optional<std::vector<exec::Listed>>>(std::move(*list)) : fail(list.error());
}

Result<exec::Orders> Engine::programOrders(const agents::AgentRecord& of) {
    exec::Known known;
    known.settings = of.programSettings;
    known.agent = of.id;
    known.session = of.session;
    if (known.settings.mode == exec::Mode::Observe) {
        return exec::ordersFor(known);
    }
    const auto rules = m_approvals->rules().rules();
    if (!rules) {
        return fail(rules.error());
    }
    known.rules = rules->rules;
    known.nowMs = policy::SystemClock().now().wallMs;
    known.once = m_approvals->allowedOnce(of.id, of.session);
    std::optional<std::vector<exec::Listed>> image;
    if (known.settings.mode == exec::Mode::Allow) {
        auto list = programsOf(of.image);
        if (!list) {
            return fail(list.error());
        }
        image = std::move(*list);
        known.image = image ? &*image : nullptr;
    }
    exec::InstalledBook installed;
    if (known.settings.mode == exec::Mode::Allow) {
        auto book = exec::loadInstalled(m_services.agentsFolder / of.id / agents::Agent::kInstalledFile);
        if (!book) {
            return fail(book.error());
        }
        installed = std::move(*book);
        known.installed = &installed;
    }
    return exec::ordersFor(known);
}

// Of the image that new agents get, never of an agent's own disk.
Result<viewer::ViewerBoot> Engine::viewerBoot() {
    auto boot = bootFiles("");
    if (!boot) {
        return fail(std::move(boot).error());
    }
    auto accelerator = m_services.accelerator([](std::string_view) {});
    if (!accelerator) {
        return fail(std::move(accelerator).error());
    }
    return viewer::ViewerBoot{boot->kernel, boot->initrd, boot->base, boot->commandLine, *accelerator};
}

Result<hypervisor::HostProbe> Engine::probeKit() {
    auto id = m_images.defaultImage();
    if (!id) {
        return fail(std::move(id).error());
    }
    auto parts = m_images.bootFiles(*id);
    if (!parts) {
        return fail(std::move(parts).error());
    }
    hypervisor::HostProbe probe{parts->kernel, m_home.folder / "boot" / "probe.initrd",
                                hypervisor::AcceleratorChoice::Automatic, m_services.runtimeFolder / "probe",
                                m_home.folder, m_home.folder / "probe.json", m_services.home};
    images::InitrdInputs inputs;
    inputs.carrelInit = m_installation.init;
    auto initrd = images::composeInitrd(inputs, probe.initrd);
    if (!initrd) {
        return fail(std::move(initrd).error());
    }
    return probe;
}

Result<hypervisor::HostReport> Engine::checkHost(Probe probe, const hypervisor::Backend::Progress& progress,
                                                 std::stop_token stop) {
    const std::lock_guard lock(m_checkMutex);
    auto kit = probeKit();
    if (!kit) {
        return fail(std::move(kit).error());
    }
    if (probe == Probe::Fresh) {
        std::error_code ignored;
        fs::remove(kit->cacheFile, ignored);
    }
    return m_backend->checkHost(*kit, progress, std::move(stop));
}

Status Engine::open() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(m_services.agentsFolder, error)) {
        if (!fs::exists(entry.path() / "agent.json")) {
            continue; // a creation or a deletion that was interrupted
        }
        auto agent = agents::Agent::load(m_services, entry.path());
        if (!agent) {
            // One agent's trouble is not the others'.
            spdlog::error("{}: {}", entry.path().string(), agent.error().text());
            continue;
        }
        m_agents.emplace((*agent)->name(), *agent);
    }
    m_approvals->recover(allAgents());
    std::map<std::string, std::unique_ptr<hypervisor::Machine>> machines;
    if (auto found = m_backend->adopt(m_services.home)) {
        for (auto& machine : *found) {
            machines.emplace(machine->id().agent.text(), std::move(machine));
        }
    } else {
        spdlog::warn("running machines could not be looked for: {}", found.error().text());
        return {};
    }
    std::vector<std::future<void>> taking;
    for (const auto& [name, agent] : m_agents) {
        auto machine = machines.extract(agent->id());
        taking.push_back(std::async(
            std::launch::async, [agent = agent, one = machine ? std::move(machine.mapped()) : nullptr]() mutable {
                agent->takeOver(std::move(one));
            }));
    }
    for (auto& [id, machine] : machines) {
        spdlog::warn("the machine {} belongs to no agent of this home any more; it is ended", machine->id().name());
        if (auto ended = machine->stop(); !ended) {
            spdlog::warn("{}", ended.error().text());
        }
    }
    m_viewer->clearFolders();
    for (auto& each : taking) {
        each.wait();
    }
    for (const auto& agent : allAgents()) {
        if (auto lane = m_tasks->of(agent->id()); !lane) {
            spdlog::error("{}: its tasks cannot go on: {}", agent->name(), lane.error().text());
        }
    }
    return {};
}

Result<std::shared_ptr<agents::Agent>> Engine::agent(std::string_view name) const {
    const std::shared_lock lock(m_agentsMutex);
    const auto found = m_agents.find(name);
    if (found == m_agents.end()) {
        return fail(ErrorCode::NotFound, "there is no agent of that name", "See: carrel list");
    }
    return found->second;
}

Result<std::shared_ptr<agents::Agent>> Engine::agentFor(const api::Call& call, std::string_view name) const {
    auto found = agent(name);
    if (found && !call.caller().mayReach((*found)->id())) {
        return agent(""); // no agent has that name: the same words
    }
    return found;
}

std::vector<std::shared_ptr<agents::Agent>> Engine::agentsFor(const api::Call& call) const {
    auto all = allAgents();
    std::erase_if(all, [&](const auto& agent) { return !call.caller().mayReach(agent->id()); });
    return all;
}

std::vector<std::shared_ptr<agents::Agent>> Engine::allAgents() const {
    const std::shared_lock lock(m_agentsMutex);
    std::vector<std::shared_ptr<agents::Agent>> out;
    for (const auto& [name, agent] : m_agents) {
        out.push_back(agent);
    }
    return out;
}

std::shared_ptr<agents::Agent> Engine::agentById(std::string_view id) const {
    const std::shared_lock lock(m_agentsMutex);
    const auto found = std::find_if(m_agents.begin(), m_agents.end(), [&](const auto& each) { return each.second->id() == id; });
    return found == m_agents.end() ? nullptr : found->second;
}

// Nothing else waits for the look through its folders.
Result<std::shared_ptr<agents::Agent>> Engine::createAgent(const agents::NewAgent& wanted) {
    const std::lock_guard creating(m_createMutex);
    if (agent(wanted.name)) {
        return fail(ErrorCode::AlreadyExists, "there is an agent of that name already", "Choose another name");
    }
    agents::NewAgent full = wanted;
    auto image = full.image.empty() ? m_images.defaultImage() : m_images.find(full.image);
    if (!image) {
        return fail(std::move(image).error());
    }
    full.image = image->text();
    auto made = agents::Agent::create(m_services, full);
    if (made) {
        {
            const std::unique_lock lock(m_agentsMutex);
            m_agents.emplace(full.name, *made);
        }
        m_agentNews.changed();
    }
    return made;
}

Status Engine::deleteAgent(std::string_view name, agents::Agent::Staged staged, const agents::Progress& progress) {
    auto found = agent(name);
    if (!found) {
        return fail(std::move(found).error());
    }
    // Its tasks stop before their folder goes, and no one begins them anew while the agent is still in the list.
    const tasks::TaskDesk::Closed noTasks(*m_tasks, (*found)->id());
    CARREL_TRY((*found)->remove(staged, progress));
    {
        const std::unique_lock lock(m_agentsMutex);
        // Another call may have deleted it meanwhile, and a third made a new one of that name.
        if (const auto at = m_agents.find(name); at != m_agents.end() && at->second == *found) {
            m_agents.erase(at);
        }
    }
    m_approvals->forget((*found)->id());
    m_viewer->forget((*found)->id());
    m_usage->forget((*found)->id());
    m_agentNews.changed();
    return {};
}

api::Handlers Engine::handlers(std::function<void()> stopServer) {
    api::Handlers all;
    addAgentVerbs(*this, all);
    addPauseVerbs(*this, all);
    addReviewVerbs(*this, all);
    addHostVerbs(*this, all);
    addTimelineVerb(*this, all);
    addLogVerbs(*this, all);
    addRecordingVerbs(*this, all);
    addTokenVerbs(*this, all);
    addApprovalVerbs(*this, all);
    addRuleVerbs(*this, all);
    addNetworkVerbs(*this, all);
    addForwardVerbs(*this, all);
    addExecVerbs(*this, all);
    addCredentialVerbs(*this, all);
    addCanaryVerbs(*this, all);
    addProviderVerbs(*this, all);
    addTaskVerbs(*this, all);
    addProgramVerbs(*this, all);
    addBudgetVerbs(*this, all);
    all["engine.stop"] = [stopServer = std::move(stopServer)](api::Call& call) -> Result<json::value> {
        call.afterAnswer(stopServer);
        return json::object{{"stopping", true}};
    };
    return all;
}

std::function<std::string(const std::string& id)> namesOf(Engine& engine) {
    return [&engine](const std::string& id) { return engine.approvals().nameOf(id); };
}

agents::Progress progressOf(api::Call& call) {
    return [&call](std::string_view step, std::string_view text) { call.progress(step, text); };
}

agents::By byOf(const api::Call& call) {
    return {call.caller().client, call.caller().ends};
}

} // namespace carrel::engine
