<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en_US" sourcelanguage="en_US">
<context>
    <name>CredentialForms</name>
    <message numerus="yes">
        <source>At most %n host(s).</source>
        <translation>
            <numerusform>At most %n host.</numerusform>
            <numerusform>At most %n hosts.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>At most %n path(s).</source>
        <translation>
            <numerusform>At most %n path.</numerusform>
            <numerusform>At most %n paths.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>NetWords</name>
    <message numerus="yes">
        <source>%1, %n time(s)</source>
        <translation>
            <numerusform>%1, once</numerusform>
            <numerusform>%1, %n times</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n connection(s) begun</source>
        <translation>
            <numerusform>%n connection begun</numerusform>
            <numerusform>%n connections begun</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>, %n ended</source>
        <translation>
            <numerusform>, %n ended</numerusform>
            <numerusform>, %n ended</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>; %n turned away</source>
        <translation>
            <numerusform>; %n turned away</numerusform>
            <numerusform>; %n turned away</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ShareWords</name>
    <message numerus="yes">
        <source>%1: %n file(s) are not really there, %2 only keeps a place for them. The agent cannot read them, and no change of them is applied.</source>
        <translation>
            <numerusform>%1: %n file is not really there, %2 only keeps a place for it. The agent cannot read it, and no change of it is applied.</numerusform>
            <numerusform>%1: %n files are not really there, %2 only keeps a place for them. The agent cannot read them, and no change of them is applied.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>StoryWords</name>
    <message numerus="yes">
        <source>With %n file(s)</source>
        <translation>
            <numerusform>With %n file</numerusform>
            <numerusform>With %n files</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>TaskWords</name>
    <message numerus="yes">
        <source>every %n day(s)</source>
        <translation>
            <numerusform>every day</numerusform>
            <numerusform>every %n days</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>every %n hour(s)</source>
        <translation>
            <numerusform>every hour</numerusform>
            <numerusform>every %n hours</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>every %n minute(s)</source>
        <translation>
            <numerusform>every minute</numerusform>
            <numerusform>every %n minutes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>every %n second(s)</source>
        <translation>
            <numerusform>every second</numerusform>
            <numerusform>every %n seconds</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::AddCredentialDialog</name>
    <message numerus="yes">
        <source>A credential is for at most %n agent(s).</source>
        <translation>
            <numerusform>A credential is for at most %n agent.</numerusform>
            <numerusform>A credential is for at most %n agents.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::AgentPage</name>
    <message numerus="yes">
        <source>%n change(s) that wait for you are forgotten.</source>
        <translation>
            <numerusform>%n change that waits for you is forgotten.</numerusform>
            <numerusform>%n changes that wait for you are forgotten.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::AgentsModel</name>
    <message numerus="yes">
        <source>%1, %n change(s) to review</source>
        <translation>
            <numerusform>%1, %n change to review</numerusform>
            <numerusform>%1, %n changes to review</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::ApprovalStore</name>
    <message numerus="yes">
        <source>The agent %1 asks too much, too soon: %n more request(s) were cancelled without asking you.</source>
        <translation>
            <numerusform>The agent %1 asks too much, too soon: %n more request was cancelled without asking you.</numerusform>
            <numerusform>The agent %1 asks too much, too soon: %n more requests were cancelled without asking you.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::Attachments</name>
    <message numerus="yes">
        <source>At most %n file(s) go with one text.</source>
        <translation>
            <numerusform>At most %n file goes with one text.</numerusform>
            <numerusform>At most %n files go with one text.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::ChangeDetails</name>
    <message numerus="yes">
        <source>%n place(s) differ</source>
        <translation>
            <numerusform>%n place differs</numerusform>
            <numerusform>%n places differ</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n line(s) added</source>
        <translation>
            <numerusform>%n line added</numerusform>
            <numerusform>%n lines added</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n removed</source>
        <translation>
            <numerusform>%n removed</numerusform>
            <numerusform>%n removed</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::ChangeTreeModel</name>
    <message numerus="yes">
        <source>%n high risk</source>
        <translation>
            <numerusform>%n high risk</numerusform>
            <numerusform>%n high risk</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n conflict(s)</source>
        <translation>
            <numerusform>%n conflict</numerusform>
            <numerusform>%n conflicts</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>folder with %n change(s)</source>
        <translation>
            <numerusform>folder with %n change</numerusform>
            <numerusform>folder with %n changes</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::ChangesPage</name>
    <message numerus="yes">
        <source>%n change(s) applied.</source>
        <translation>
            <numerusform>%n change applied.</numerusform>
            <numerusform>%n changes applied.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n version(s) of the agent&apos;s put beside yours.</source>
        <translation>
            <numerusform>%n version of the agent&apos;s put beside yours.</numerusform>
            <numerusform>%n versions of the agent&apos;s put beside yours.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s) discarded.</source>
        <translation>
            <numerusform>%n change discarded.</numerusform>
            <numerusform>%n changes discarded.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s) taken back.</source>
        <translation>
            <numerusform>%n change taken back.</numerusform>
            <numerusform>%n changes taken back.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n could not be done; nothing of yours was overwritten.</source>
        <translation>
            <numerusform>%n could not be done; nothing of yours was overwritten.</numerusform>
            <numerusform>%n could not be done; nothing of yours was overwritten.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n were worked on since you looked, and are still staged.</source>
        <translation>
            <numerusform>%n was worked on since you looked, and is still staged.</numerusform>
            <numerusform>%n were worked on since you looked, and are still staged.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s) wait for you in its machine.</source>
        <translation>
            <numerusform>%n change waits for you in its machine.</numerusform>
            <numerusform>%n changes wait for you in its machine.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n thing(s) are not in this review. They stay in the machine until they can be.</source>
        <translation>
            <numerusform>%n thing is not in this review. It stays in the machine until it can be.</numerusform>
            <numerusform>%n things are not in this review. They stay in the machine until they can be.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Show all %n…</source>
        <translation>
            <numerusform>Show all %n…</numerusform>
            <numerusform>Show all %n…</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::CreateDialog</name>
    <message numerus="yes">
        <source>An agent has at most %n folder(s).</source>
        <translation>
            <numerusform>An agent has at most %n folder.</numerusform>
            <numerusform>An agent has at most %n folders.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::CredentialsPage</name>
    <message numerus="yes">
        <source>%1 and %n more</source>
        <translation>
            <numerusform>%1 and %n more</numerusform>
            <numerusform>%1 and %n more</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>These are the first %n of them.</source>
        <translation>
            <numerusform>This is the first of them.</numerusform>
            <numerusform>These are the first %n of them.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::DiffView</name>
    <message numerus="yes">
        <source>%n more line(s) differ. They are too many for this view: look at the files themselves before you decide.</source>
        <translation>
            <numerusform>%n more line differs. There is more than fits this view: look at the files themselves before you decide.</numerusform>
            <numerusform>%n more lines differ. They are too many for this view: look at the files themselves before you decide.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::EvidenceView</name>
    <message numerus="yes">
        <source>These are not all: there are %n, so it cannot be allowed here.</source>
        <translation>
            <numerusform>These are not all: there is %n, so it cannot be allowed here.</numerusform>
            <numerusform>These are not all: there are %n, so it cannot be allowed here.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::FoldersPage</name>
    <message numerus="yes">
        <source>%n change(s) of the agent&apos;s wait in it, and are forgotten with it. The folder itself stays as it is.</source>
        <translation>
            <numerusform>%n change of the agent&apos;s waits in it, and is forgotten with it. The folder itself stays as it is.</numerusform>
            <numerusform>%n changes of the agent&apos;s wait in it, and are forgotten with it. The folder itself stays as it is.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::ForwardsSection</name>
    <message numerus="yes">
        <source>Shown in your browser: %n server(s)</source>
        <translation>
            <numerusform>Shown in your browser: %n server</numerusform>
            <numerusform>Shown in your browser: %n servers</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::HistoryModel</name>
    <message numerus="yes">
        <source>%n not done</source>
        <translation>
            <numerusform>%n not done</numerusform>
            <numerusform>%n not done</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s)</source>
        <translation>
            <numerusform>%n change</numerusform>
            <numerusform>%n changes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%1 and %n more</source>
        <translation>
            <numerusform>%1 and %n more</numerusform>
            <numerusform>%1 and %n more</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::HistoryView</name>
    <message numerus="yes">
        <source>It made %n change(s), on %1. A file that was changed since stays as it is. This can be taken back, too.</source>
        <translation>
            <numerusform>It made %n change, on %1. A file that was changed since stays as it is. This can be taken back, too.</numerusform>
            <numerusform>It made %n changes, on %1. A file that was changed since stays as it is. This can be taken back, too.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::MainWindow</name>
    <message numerus="yes">
        <source>Approvals (%n)</source>
        <translation>
            <numerusform>Approvals (%n)</numerusform>
            <numerusform>Approvals (%n)</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n request(s) wait for your answer (Ctrl+I)</source>
        <translation>
            <numerusform>%n request waits for your answer (Ctrl+I)</numerusform>
            <numerusform>%n requests wait for your answer (Ctrl+I)</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::NetworkPage</name>
    <message numerus="yes">
        <source>%n connection(s) now</source>
        <translation>
            <numerusform>%n connection now</numerusform>
            <numerusform>%n connections now</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>, %n wait(s) for an answer or for the other side</source>
        <translation>
            <numerusform>, %n waits for an answer or for the other side</numerusform>
            <numerusform>, %n wait for an answer or for the other side</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n rule(s) that speak of it</source>
        <translation>
            <numerusform>%n rule speaks of this agent&apos;s network</numerusform>
            <numerusform>%n rules speak of this agent&apos;s network</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n connection(s) of this agent go on by it, and are cut at once.</source>
        <translation>
            <numerusform>%n connection of this agent goes on by it, and is cut at once.</numerusform>
            <numerusform>%n connections of this agent go on by it, and are cut at once.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n rule(s) kept. They count from now on.</source>
        <translation>
            <numerusform>%n rule is kept, and counts from now on.</numerusform>
            <numerusform>%n rules are kept, and count from now on.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>and %n more</source>
        <translation>
            <numerusform>and %n more</numerusform>
            <numerusform>and %n more</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n credential(s) that it can use, and does not see</source>
        <translation>
            <numerusform>%n credential that it can use, and does not see</numerusform>
            <numerusform>%n credentials that it can use, and does not see</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::OutcomeList</name>
    <message numerus="yes">
        <source>Not everything was done. The first %n of them:</source>
        <translation>
            <numerusform>Not everything was done. The first %n of them:</numerusform>
            <numerusform>Not everything was done. The first %n of them:</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::PlanView</name>
    <message numerus="yes">
        <source>The agent&apos;s plan: %1 of %n step(s) done</source>
        <translation>
            <numerusform>The agent&apos;s plan: %1 of %n step done</numerusform>
            <numerusform>The agent&apos;s plan: %1 of %n steps done</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::PresetDialog</name>
    <message numerus="yes">
        <source>%n rule(s) of the set are there already.</source>
        <translation>
            <numerusform>%n rule of the set is there already; the others would be kept.</numerusform>
            <numerusform>%n rules of the set are there already; the others would be kept.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::RequestView</name>
    <message numerus="yes">
        <source>Asked %n time(s)</source>
        <translation>
            <numerusform>Asked %n time</numerusform>
            <numerusform>Asked %n times</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s) applied.</source>
        <translation>
            <numerusform>%n change applied.</numerusform>
            <numerusform>%n changes applied.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s) not: look at them in the agent&apos;s changes.</source>
        <translation>
            <numerusform>%n change not: look at them in the agent&apos;s changes.</numerusform>
            <numerusform>%n changes not: look at them in the agent&apos;s changes.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>It is the first of %n destination(s), which are listed below.</source>
        <translation>
            <numerusform>It is the first of %n destination, which is listed below.</numerusform>
            <numerusform>It is the first of %n destinations, which are listed below.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::ReviewPanel</name>
    <message numerus="yes">
        <source>%n change(s) of high risk would go into your folders.</source>
        <translation>
            <numerusform>%n change of high risk would go into your folders.</numerusform>
            <numerusform>%n changes of high risk would go into your folders.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>In all, %n change(s) would be applied.</source>
        <translation>
            <numerusform>In all, %n change would be applied.</numerusform>
            <numerusform>In all, %n changes would be applied.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n conflict(s) are left out.</source>
        <translation>
            <numerusform>%n conflict is left out.</numerusform>
            <numerusform>%n conflicts are left out.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>&amp;Apply %n change(s)</source>
        <translation>
            <numerusform>&amp;Apply %n change</numerusform>
            <numerusform>&amp;Apply %n changes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Forget %n change(s) for good?</source>
        <translation>
            <numerusform>Forget %n change for good?</numerusform>
            <numerusform>Forget %n changes for good?</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>&amp;Discard %n change(s)</source>
        <translation>
            <numerusform>&amp;Discard %n change</numerusform>
            <numerusform>&amp;Discard %n changes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n change(s)</source>
        <translation>
            <numerusform>%n change</numerusform>
            <numerusform>%n changes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n of high risk</source>
        <translation>
            <numerusform>%n of high risk</numerusform>
            <numerusform>%n of high risk</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n conflict(s)</source>
        <translation>
            <numerusform>%n conflict</numerusform>
            <numerusform>%n conflicts</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n of %1 changes chosen</source>
        <translation>
            <numerusform>%n of %1 changes chosen</numerusform>
            <numerusform>%n of %1 changes chosen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n of them not shown by the filter</source>
        <translation>
            <numerusform>%n of them not shown by the filter</numerusform>
            <numerusform>%n of them not shown by the filter</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>with %n folder(s) that they are in</source>
        <translation>
            <numerusform>with %n folder that they are in</numerusform>
            <numerusform>with %n folders that they are in</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n conflict(s) left out</source>
        <translation>
            <numerusform>%n conflict left out</numerusform>
            <numerusform>%n conflicts left out</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>&amp;Apply all %n</source>
        <translation>
            <numerusform>&amp;Apply all %n</numerusform>
            <numerusform>&amp;Apply all %n</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>&amp;Apply %n</source>
        <translation>
            <numerusform>&amp;Apply %n</numerusform>
            <numerusform>&amp;Apply %n</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Put %n change(s) into your folders</source>
        <translation>
            <numerusform>Put %n change into your folders</numerusform>
            <numerusform>Put %n changes into your folders</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::StartSteps</name>
    <message numerus="yes">
        <source>The machine starts: %n second(s)</source>
        <translation>
            <numerusform>The machine starts: %n second</numerusform>
            <numerusform>The machine starts: %n seconds</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::TaskBox</name>
    <message numerus="yes">
        <source>A follow-up, after %n that wait(s): %1</source>
        <translation>
            <numerusform>A follow-up, after %n that waits: %1</numerusform>
            <numerusform>A follow-up, after %n that wait: %1</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::TaskHeader</name>
    <message numerus="yes">
        <source>Re&amp;view %n change(s)</source>
        <translation>
            <numerusform>Re&amp;view %n change</numerusform>
            <numerusform>Re&amp;view %n changes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>It left %n change(s) for your review. Nothing of yours is other than it was before you apply them.</source>
        <translation>
            <numerusform>It left %n change for your review. Nothing of yours is other than it was before you apply it.</numerusform>
            <numerusform>It left %n changes for your review. Nothing of yours is other than it was before you apply them.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>carrel::ui::TimelinePage</name>
    <message numerus="yes">
        <source>%1 of %n event(s)</source>
        <translation>
            <numerusform>%1 of %n event</numerusform>
            <numerusform>%1 of %n events</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n event(s)</source>
        <translation>
            <numerusform>%n event</numerusform>
            <numerusform>%n events</numerusform>
        </translation>
    </message>
</context>
</TS>
