//! The protocol as a model: every interleaving of two replicas, a revoker and a database that fails
//! over, with the replicas' clocks at the slow end of the drift and the revoker's at the fast one.
//!
//! The rules are those of the program ([`Tenure`], [`Standing`], [`Terms`], and the order of
//! [`Lease::guard`]); the model adds the steps between them. Any step may come late or never, so pauses
//! and partitions need no steps of their own. Time is unbounded: a state keeps the distances of all
//! times from now.
//!
//! The replicas are alike, so one of them is watched and takes every step apart. The other one has
//! those that a revoker can see: it acknowledges, or does not.
//!
//! [`Lease::guard`]: crate::lease::Lease::guard

use std::time::Duration;

use stateright::{Checker, HasDiscoveries, Model, Path, Property};
use uuid::Uuid;

use crate::lease::{
    BootTime, Generation, LeaseChange, LeaseRow, Renewal, RenewalRequest, ReplicaId, Standing,
    Tenure, Terms,
};
use crate::store::Epoch;

/// The time on every clock.
const NOW: BootTime = BootTime(1_000);
/// A time so long ago that every lease and every wait from it has ended.
const LONG_AGO: BootTime = BootTime(NOW.0 - 22);
/// A step of real time, on a right clock. A term is two steps.
const STEP: u64 = 10;
const TERM: Duration = Duration::from_nanos(2 * STEP);
/// A step on the slowest clock and on the fastest one that are within the drift.
const SLOWEST: u64 = 9;
const FASTEST: u64 = 11;
/// The row of the replica that is not watched.
const OTHER: Generation = Generation(1);

const BEFORE: Epoch = Epoch(0);
/// The epoch of the revocation.
const REVOKED: Epoch = Epoch(1);

/// What a wrong implementation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutant {
    /// A renewal reads, so a deposed primary answers it.
    RenewalByRead,
    /// The revoker compares the end of the lease as the database has it, instead of waiting.
    StampsCompared,
    /// The clock was read before the request came.
    ClockBeforeRequest,
    /// The end of the lease is read after the look-up.
    EndAfterLookUp,
    /// An epoch is acknowledged when it was read, before the memory has it.
    AcknowledgedBeforePublished,
    /// A fence does nothing.
    NoFence,
    /// The wait counts from the sending of the fence.
    WaitFromSending,
    /// The lease counts from the answer to the renewal.
    LeaseFromAnswer,
    /// Lease and wait are one term.
    NoMargin,
    /// The first lease after a join begins with the memory as it is.
    LeaseBeforeReading,
}

/// One step of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Request,
    End,
    Memory,
    Clock,
}

const IN_ORDER: [Look; 4] = [Look::Request, Look::End, Look::Memory, Look::Clock];

struct Protocol {
    mutant: Option<Mutant>,
    order: [Look; 4],
    crashes: u8,
    failovers: u8,
    /// How often a replica may join again.
    joins: u8,
}

impl Protocol {
    const RIGHT: Self = Self {
        mutant: None,
        order: IN_ORDER,
        crashes: 0,
        failovers: 0,
        joins: 0,
    };

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn terms(&self) -> Terms {
        Terms::new(TERM, if self.is(Mutant::NoMargin) { 0 } else { 10 })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Database {
    epoch: Epoch,
    rows: Vec<LeaseRow>,
    next: Generation,
    /// The ends of leases by the clock of the database, for [`Mutant::StampsCompared`].
    stamps: Vec<(Generation, BootTime)>,
}

impl Database {
    fn row(&mut self, generation: Generation) -> Option<&mut LeaseRow> {
        let mut rows = self.rows.iter_mut();
        rows.find(|row| row.generation == generation)
    }

    fn join(&mut self, replica: ReplicaId, acked: Epoch) -> Generation {
        let generation = self.next;
        self.next = Generation(generation.0 + 1);
        self.rows.retain(|row| row.replica != replica);
        self.rows.push(LeaseRow {
            replica,
            generation,
            acked,
            fenced: false,
        });
        generation
    }

    fn renew(&mut self, request: &RenewalRequest) -> Renewal {
        let epoch = self.epoch;
        match self.row(request.generation) {
            Some(row) if !row.fenced => {
                row.acked = row.acked.max(request.acked);
                Renewal::Renewed(epoch)
            }
            _ => Renewal::Fenced,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    id: ReplicaId,
    on_deposed: bool,
    tenure: Tenure,
    /// What verification sees.
    memory: Option<Epoch>,
    /// What was read and is not in memory yet.
    reading: Option<Epoch>,
    /// The end of the lease; zero without one.
    end: BootTime,
    renewal: Option<(RenewalRequest, Option<Renewal>)>,
    verification: Verification,
    /// A client may have seen the key refused: the memory has had the revocation.
    refused: bool,
}

impl Server {
    fn new(id: ReplicaId) -> Self {
        Self {
            id,
            on_deposed: false,
            tenure: Tenure::default(),
            memory: None,
            reading: None,
            end: BootTime(0),
            renewal: None,
            verification: Verification::default(),
            refused: false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Verification {
    /// The number of steps done.
    done: usize,
    /// The request was sent after the answer to the revocation.
    after_answer: bool,
    /// The request was sent after this replica had refused the key.
    after_refusal: bool,
    end: Option<BootTime>,
    clock: Option<BootTime>,
    accepts: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Fence {
    Sent(BootTime),
    Committed(BootTime),
    Answered(BootTime),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    primary: Database,
    /// What a deposed primary still shows.
    deposed: Option<Database>,
    watched: Server,
    is_revoked: bool,
    fences: Vec<(Generation, Fence)>,
    answered: bool,
    waited_out: bool,
    crashes: u8,
    joins: u8,
    accepted_late: bool,
    accepted_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Time,
    Failover,
    Crash,
    Reconnect,
    Read,
    Publish,
    Join,
    SendRenewal,
    CommitRenewal,
    AnswerRenewal,
    LoseRenewal,
    Verify,
    OtherAcknowledges,
    Revoke,
    Fence(Generation),
    CommitFence(Generation),
    AnswerFence(Generation),
    LoseFence(Generation),
    Answer,
}

impl State {
    fn new() -> Self {
        let mut primary = Database {
            epoch: BEFORE,
            rows: Vec::new(),
            next: Generation(0),
            stamps: Vec::new(),
        };
        let [id, other] = [0, 1].map(|number| ReplicaId(Uuid::from_u128(number)));
        let mut tenure = Tenure::default();
        tenure.apply(BEFORE);
        tenure.join(primary.join(id, BEFORE));
        assert_eq!(primary.join(other, BEFORE), OTHER);
        Self {
            primary,
            deposed: None,
            watched: Server {
                tenure,
                memory: Some(BEFORE),
                ..Server::new(id)
            },
            is_revoked: false,
            fences: Vec::new(),
            answered: false,
            waited_out: false,
            crashes: 0,
            joins: 0,
            accepted_late: false,
            accepted_again: false,
        }
    }

    /// Lets a step of real time pass: every time becomes more distant by what its clock counts. Leases
    /// that have ended are all the same.
    fn pass(&mut self, protocol: &Protocol) {
        let terms = protocol.terms();
        let past = |time: &mut BootTime, step: u64| {
            *time = BootTime(time.0.saturating_sub(step)).max(LONG_AGO);
        };
        let lease = |end: &mut BootTime| {
            past(end, SLOWEST);
            // An earlier clock needs to know when the lease ended.
            if *end <= NOW && !protocol.is(Mutant::ClockBeforeRequest) {
                *end = BootTime(0);
            }
        };
        let server = &mut self.watched;
        lease(&mut server.end);
        if let Some(end) = &mut server.verification.end {
            lease(end);
        }
        if let Some(clock) = &mut server.verification.clock {
            past(clock, SLOWEST);
        }
        if let Some((request, _)) = &mut server.renewal {
            past(&mut request.sent, SLOWEST);
            if terms.lease_end(request.sent) <= NOW {
                request.sent = LONG_AGO;
            }
        }
        for (_, fence) in &mut self.fences {
            let (Fence::Sent(time) | Fence::Committed(time) | Fence::Answered(time)) = fence;
            past(time, FASTEST);
        }
        for (_, stamp) in &mut self.primary.stamps {
            past(stamp, STEP);
        }
    }

    fn fence_mut(&mut self, generation: Generation) -> Option<&mut Fence> {
        let mut fences = self.fences.iter_mut();
        fences.find_map(|(fenced, fence)| (*fenced == generation).then_some(fence))
    }

    fn fence(&self, generation: Generation) -> Option<&Fence> {
        let mut fences = self.fences.iter();
        fences.find_map(|(fenced, fence)| (*fenced == generation).then_some(fence))
    }

    fn standing(&self, protocol: &Protocol, row: &LeaseRow) -> Standing {
        let fenced = match self.fence(row.generation) {
            Some(Fence::Answered(answered)) => Some(*answered),
            _ => None,
        };
        if protocol.is(Mutant::StampsCompared) && fenced.is_some() {
            let mut stamps = self.primary.stamps.iter();
            let lasts =
                |(stamped, end): &(Generation, BootTime)| *stamped == row.generation && *end > NOW;
            if row.acked < REVOKED {
                return match stamps.any(lasts) {
                    true => Standing::Awaited,
                    false => Standing::Ended,
                };
            }
        }
        // However patient the revoker is: see `revoker_steps`.
        Standing::of(row, REVOKED, NOW, fenced, NOW, protocol.terms())
    }

    fn verify(&mut self, protocol: &Protocol) {
        let answered = self.answered;
        let server = &mut self.watched;
        let under_way = &mut server.verification;
        match protocol.order[under_way.done] {
            Look::Request => {
                under_way.after_answer = answered;
                under_way.after_refusal = server.refused;
            }
            Look::End => under_way.end = Some(server.end),
            Look::Memory => under_way.accepts = server.memory.map(|memory| memory < REVOKED),
            Look::Clock => under_way.clock = Some(NOW),
        }
        under_way.done += 1;
        if under_way.done < protocol.order.len() {
            return;
        }
        let done = std::mem::take(under_way);
        let (Some(accepts), true) = (done.accepts, done.clock < done.end) else {
            return;
        };
        self.accepted_late |= accepts && done.after_answer;
        self.accepted_again |= accepts && done.after_refusal;
    }

    fn answer_renewal(&mut self, protocol: &Protocol) -> Option<()> {
        let server = &mut self.watched;
        let (mut request, answer) = server.renewal.take()?;
        let answer = answer?;
        if protocol.is(Mutant::LeaseFromAnswer) {
            request.sent = NOW;
        }
        let terms = protocol.terms();
        let mut change = server.tenure.answer(request, answer, terms);
        if protocol.is(Mutant::LeaseBeforeReading) && answer != Renewal::Fenced {
            change = LeaseChange::Extend(terms.lease_end(request.sent));
        }
        match change {
            LeaseChange::Extend(end) if end > NOW => server.end = server.end.max(end),
            LeaseChange::Extend(_) | LeaseChange::Keep => {}
            LeaseChange::End => server.end = BootTime(0),
        }
        Some(())
    }

    fn commit_renewal(&mut self, protocol: &Protocol) -> Option<()> {
        let server = &mut self.watched;
        let (request, answer) = server.renewal.as_mut()?;
        if answer.is_some() {
            return None;
        }
        let database = match (server.on_deposed, protocol.is(Mutant::RenewalByRead)) {
            (false, _) => &mut self.primary,
            (true, true) => self.deposed.as_mut()?,
            // A deposed primary commits nothing.
            (true, false) => return None,
        };
        *answer = Some(database.renew(request));
        if protocol.is(Mutant::StampsCompared) {
            let stamps = &mut database.stamps;
            stamps.retain(|(stamped, _)| *stamped != request.generation);
            stamps.push((request.generation, NOW + TERM));
        }
        Some(())
    }

    fn take(&mut self, protocol: &Protocol, step: Step) -> Option<()> {
        match step {
            Step::Time => self.pass(protocol),
            Step::Failover => {
                let mut old = self.primary.clone();
                old.stamps.clear();
                if !protocol.is(Mutant::RenewalByRead) {
                    old.rows.clear();
                }
                self.deposed = Some(old);
                self.watched.on_deposed = true;
                // The clock of the other machine is ahead.
                for (_, stamp) in &mut self.primary.stamps {
                    *stamp = LONG_AGO;
                }
            }
            Step::Crash => {
                let old = &self.watched;
                self.watched = Server {
                    on_deposed: old.on_deposed,
                    refused: old.refused,
                    ..Server::new(ReplicaId(Uuid::from_u128(2)))
                };
                self.crashes += 1;
            }
            Step::Reconnect => {
                self.watched.on_deposed = false;
                self.watched.renewal = None;
            }
            Step::Read => {
                let server = &mut self.watched;
                let database = match &self.deposed {
                    Some(deposed) if server.on_deposed => deposed,
                    _ => &self.primary,
                };
                if server.memory >= Some(database.epoch) {
                    return None;
                }
                server.reading = Some(database.epoch);
                if protocol.is(Mutant::AcknowledgedBeforePublished) {
                    server.tenure.apply(database.epoch);
                }
            }
            Step::Publish => {
                let server = &mut self.watched;
                let epoch = server.reading.take()?;
                server.memory = server.memory.max(Some(epoch));
                server.refused |= epoch >= REVOKED;
                server.tenure.apply(epoch);
            }
            Step::Join => {
                let server = &mut self.watched;
                let acked = server.tenure.applied()?;
                server.tenure.join(self.primary.join(server.id, acked));
                self.joins += 1;
            }
            Step::SendRenewal => {
                let server = &mut self.watched;
                server.renewal = Some((server.tenure.renewal(NOW)?, None));
            }
            Step::CommitRenewal => self.commit_renewal(protocol)?,
            Step::AnswerRenewal => self.answer_renewal(protocol)?,
            Step::LoseRenewal => self.watched.renewal = None,
            Step::Verify => self.verify(protocol),
            Step::OtherAcknowledges => {
                let epoch = self.primary.epoch;
                let row = self.primary.row(OTHER).filter(|row| !row.fenced)?;
                row.acked = epoch;
            }
            Step::Revoke => {
                self.primary.epoch = REVOKED;
                self.is_revoked = true;
            }
            Step::Fence(generation) => {
                let counts = protocol.is(Mutant::WaitFromSending);
                let sent = if counts { NOW } else { LONG_AGO };
                self.fences.push((generation, Fence::Sent(sent)));
            }
            Step::CommitFence(generation) => {
                let fence = self.fence_mut(generation)?;
                let Fence::Sent(sent) = *fence else {
                    return None;
                };
                *fence = Fence::Committed(sent);
                if !protocol.is(Mutant::NoFence)
                    && let Some(row) = self.primary.row(generation)
                {
                    row.fenced = true;
                }
            }
            Step::AnswerFence(generation) => {
                let from_sending = protocol.is(Mutant::WaitFromSending);
                let fence = self.fence_mut(generation)?;
                let Fence::Committed(sent) = *fence else {
                    return None;
                };
                *fence = Fence::Answered(if from_sending { sent } else { NOW });
            }
            Step::LoseFence(generation) => self.fences.retain(|(lost, _)| *lost != generation),
            Step::Answer => {
                let standing = |row| self.standing(protocol, row);
                let mut rows = self.primary.rows.iter();
                self.waited_out = rows.any(|row| standing(row) == Standing::Ended);
                self.answered = true;
            }
        }
        Some(())
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Time);
        if state.deposed.is_none() && self.failovers > 0 {
            steps.push(Step::Failover);
        }
        self.replica_steps(state, steps);
        self.revoker_steps(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut next = last.clone();
        next.take(self, step)?;
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("P1 strict", |_, state: &State| !state.accepted_late),
            Property::always("P2 monotonic", |_, state: &State| !state.accepted_again),
        ];
        if self.mutant.is_none() {
            // Without these the model would prove nothing.
            properties.extend([
                Property::<Self>::sometimes("holds a lease without the change", |_, state| {
                    let server = &state.watched;
                    state.is_revoked && server.end > NOW && server.memory < Some(REVOKED)
                }),
                Property::<Self>::sometimes("confirms", |_, state| {
                    state.answered && !state.waited_out
                }),
                Property::<Self>::sometimes("waits for a fenced replica", |_, state| {
                    state.waited_out
                }),
            ]);
        }
        properties
    }
}

impl Protocol {
    fn replica_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let server = &state.watched;
        if server.on_deposed {
            steps.push(Step::Reconnect);
        }
        if state.crashes < self.crashes {
            steps.push(Step::Crash);
        }
        steps.push(match server.reading {
            None => Step::Read,
            Some(_) => Step::Publish,
        });
        let has_joined = server.tenure.generation().is_some();
        match &server.renewal {
            None if has_joined => steps.push(Step::SendRenewal),
            None if state.joins < self.joins && !server.on_deposed => steps.push(Step::Join),
            None => {}
            Some((_, None)) => steps.extend([Step::CommitRenewal, Step::LoseRenewal]),
            Some((_, Some(_))) => steps.extend([Step::AnswerRenewal, Step::LoseRenewal]),
        }
        // A request that can break nothing needs no steps.
        let is_next = self.order[server.verification.done] == Look::Request;
        if !is_next || state.answered || (server.refused && self.crashes > 0) {
            steps.push(Step::Verify);
        }
    }

    fn revoker_steps(&self, state: &State, steps: &mut Vec<Step>) {
        if state.answered {
            return;
        }
        if !state.is_revoked {
            steps.push(Step::Revoke);
            return;
        }
        steps.push(Step::OtherAcknowledges);
        let mut waits = false;
        for row in &state.primary.rows {
            let standing = state.standing(self, row);
            if matches!(standing, Standing::Awaited | Standing::Silent) {
                waits = true;
                if state.fence(row.generation).is_none() {
                    steps.push(Step::Fence(row.generation));
                }
            }
        }
        for (generation, fence) in &state.fences {
            steps.push(match fence {
                Fence::Sent(_) => Step::CommitFence(*generation),
                Fence::Committed(_) => Step::AnswerFence(*generation),
                Fence::Answered(_) => continue,
            });
            steps.push(Step::LoseFence(*generation));
        }
        if !waits {
            steps.push(Step::Answer);
        }
    }
}

/// Checks the right protocol with these faults: every state, or as many as `limit`, nearest first.
fn holds(crashes: u8, failovers: u8, joins: u8, limit: Option<usize>) {
    let protocol = Protocol {
        crashes,
        failovers,
        joins,
        ..Protocol::RIGHT
    };
    let started = std::time::Instant::now();
    let checker = protocol.checker().threads(2);
    let checker = match limit {
        None => checker.spawn_bfs().join(),
        Some(limit) => checker.target_state_count(limit).spawn_bfs().join(),
    };
    eprintln!(
        "{crashes} crashes, {failovers} failovers, {joins} joins: {} states, depth {}, {:?}",
        checker.unique_state_count(),
        checker.max_depth(),
        started.elapsed(),
    );
    for promise in ["P1 strict", "P2 monotonic"] {
        let broken = checker.discovery(promise).map(Path::into_actions);
        assert_eq!(broken, None, "{promise}");
    }
    if limit.is_none() {
        checker.assert_properties();
    }
}

/// Steps of the model that a run takes with faults, unless `NTRO_MODEL_STEPS` is a number or `all`.
const DEFAULT_STEPS: usize = 3_000_000;

#[test]
fn protocol_keeps_its_promise() {
    let limit = match std::env::var("NTRO_MODEL_STEPS") {
        Ok(all) if all == "all" => None,
        Ok(steps) => Some(
            steps
                .parse()
                .expect("NTRO_MODEL_STEPS is a number or `all`"),
        ),
        Err(_) => Some(DEFAULT_STEPS),
    };
    holds(0, 0, 0, None);
    for (crashes, failovers, joins) in [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 1)] {
        holds(crashes, failovers, joins, limit);
    }
}

#[test]
fn mutants_break_the_promise() {
    let kept_clock = [Look::Clock, Look::Request, Look::End, Look::Memory];
    let late_end = [Look::Request, Look::Memory, Look::End, Look::Clock];
    for (mutant, order, failovers, joins) in [
        (Mutant::RenewalByRead, IN_ORDER, 1, 0),
        (Mutant::StampsCompared, IN_ORDER, 1, 0),
        (Mutant::ClockBeforeRequest, kept_clock, 0, 0),
        (Mutant::EndAfterLookUp, late_end, 0, 1),
        (Mutant::AcknowledgedBeforePublished, IN_ORDER, 0, 0),
        (Mutant::NoFence, IN_ORDER, 0, 0),
        (Mutant::WaitFromSending, IN_ORDER, 0, 0),
        (Mutant::LeaseFromAnswer, IN_ORDER, 0, 0),
        (Mutant::NoMargin, IN_ORDER, 0, 0),
        (Mutant::LeaseBeforeReading, IN_ORDER, 0, 1),
    ] {
        let protocol = Protocol {
            mutant: Some(mutant),
            order,
            crashes: 0,
            failovers,
            joins,
        };
        let started = std::time::Instant::now();
        let checker = protocol
            .checker()
            .threads(2)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        let (name, path) = checker
            .discoveries()
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("{mutant:?} is not caught"));
        let steps = path.into_actions();
        eprintln!(
            "{mutant:?} breaks {name} in {} steps, {:?}: {steps:?}",
            steps.len(),
            started.elapsed()
        );
    }
}
