/**
 * What must hold whatever dies: rules over the history of a run, each a pure function that lists what broke it. Tested by histories that
 * break them (`invariants.test.ts`).
 */
import type { Allocation, Asked, History, Outage } from './chaos-history.ts';

/** A part counts as away for so long after it was healed: probes are a second apart, a front fetches its replica first. */
export const settleMs = 4_000;
/** Nothing may take longer to be answered, or refused. */
const longestAnswerMs = 35_000;
/** A claim frees itself after 30 s; its cell looks every few seconds. */
const claimGraceSeconds = 15;

/** Answers that are none of a fault: nothing fits, somebody was faster. */
const domainCodes: ReadonlySet<string> = new Set(['none_available', 'conflict']);

function isAway(outages: readonly Outage[], name: string, at: number, until: number): boolean {
  return outages.some((outage) => outage.name === name && outage.from <= until && outage.to + settleMs >= at);
}

function isGood({ status, code, what }: Asked): boolean {
  // A release that is repeated because its answer was lost may find that somebody else has the machine by now.
  return (status >= 200 && status < 300) || (status === 409 && domainCodes.has(code)) || (what === 'release' && code === 'not_owner');
}

function isExcused(history: History, asked: Asked): boolean {
  return asked.needs.some((need) => isAway(history.outages, need, asked.at, asked.until));
}

const clock = (at: number): string => new Date(at).toISOString().slice(11, 23);
const told = ({ at, until, who, what, via, status, code }: Asked): string =>
  `${clock(at)} ${who}: ${what} by ${via}: ${status === 0 ? 'no answer' : status} ${code} after ${until - at} ms`;

/** The time during which a machine is certainly of this allocation. */
function held(one: Allocation): { readonly from: number; readonly to: number } | undefined {
  return one.acknowledged === 0 ? undefined : { from: one.acknowledged, to: one.releaseAsked === 0 ? Infinity : one.releaseAsked };
}

/** What no part that lives may refuse. */
function answers(history: History): string[] {
  return history.asked
    .filter((asked) => !isGood(asked) && !isExcused(history, asked))
    .map((asked) => `refused for no reason: ${told(asked)}`);
}

/** How something may be refused while a part is away: later, or unknown; silence only by what is away itself. */
function refusals(history: History): string[] {
  const clear = (asked: Asked): boolean => {
    if (asked.status === 0)
      return asked.needs.some((need) => touches(need, asked.via) && isAway(history.outages, need, asked.at, asked.until));
    if (asked.status === 503) return asked.retryAfter !== undefined;
    return asked.status === 504 && asked.code === 'unknown_outcome';
  };
  const refused = history.asked.filter((asked) => !isGood(asked) && isExcused(history, asked));
  return refused.filter((asked) => !clear(asked)).map((asked) => `refused in the wrong way: ${told(asked)}`);
}

/** The part itself, or a link to it from outside (`client>f1`). */
function touches(need: string, via: string): boolean {
  return need === via || need.startsWith('client>') || need.endsWith('>client');
}

function hangs(history: History): string[] {
  return history.asked.filter((asked) => asked.until - asked.at > longestAnswerMs).map((asked) => `hung: ${told(asked)}`);
}

/** A list has every machine of each cell that it does not call absent, once; and calls none absent that was there. */
function lists(history: History): string[] {
  return history.listed.flatMap(({ at, until, via, ids, absent }) => {
    const wanted = [...history.machines].filter(([, cell]) => !absent.includes(cell)).map(([id]) => id);
    const got = new Set(ids);
    const missing = wanted.filter((id) => !got.has(id));
    const falsely = absent.filter(
      (cell) => ![cell, `${via}>${cell}`, `${cell}>${via}`].some((name) => isAway(history.outages, name, at, until)),
    );
    const title = `${clock(at)} list by ${via}`;
    return [
      ...(missing.length === 0
        ? []
        : [`${title}: well-formed and short of ${missing.join(', ')}, absent only ${absent.join(',') || 'nobody'}`]),
      ...(got.size === ids.length ? [] : [`${title}: a machine is in it twice`]),
      ...(falsely.length === 0 ? [] : [`${title}: calls ${falsely.join(', ')} absent, which was there`]),
    ];
  });
}

function lookUps(history: History): string[] {
  return history.lookedUp
    .filter(({ found }) => !found)
    .map(({ at, via, systemId }) => `${clock(at)} ${systemId} looked up by name by ${via}: said not to exist`);
}

function twoOwners(history: History): string[] {
  const byMachine = Map.groupBy(
    history.allocations.filter((one) => held(one) !== undefined),
    (one) => one.systemId,
  );
  const overlaps = [...byMachine].flatMap(([systemId, list]) => {
    const sorted = list.toSorted((a, b) => a.acknowledged - b.acknowledged);
    return sorted.flatMap((one, index) => {
      const next = sorted[index + 1];
      if (!next || held(one)!.to <= next.acknowledged) return [];
      return [`${systemId} has two owners: ${one.id} until ${held(one)!.to}, ${next.id} from ${clock(next.acknowledged)}`];
    });
  });
  const strangers = history.allocations.flatMap((one) => {
    const during = held(one);
    if (!during) return [];
    const wrong = one.seen.filter((seen) => seen.at >= during.from && seen.until <= during.to && seen.owner !== one.tenant);
    return wrong.map(
      (seen) => `${one.systemId} of ${one.id} (${one.tenant}) was seen as ${seen.status} of ${seen.owner || 'nobody'} at ${clock(seen.at)}`,
    );
  });
  return [...overlaps, ...strangers];
}

function lost(history: History): string[] {
  const now = new Map(history.final.map((machine) => [machine.systemId, machine]));
  return history.allocations.flatMap((one) => {
    if (one.acknowledged === 0 || one.releaseAsked > 0) return [];
    const machine = now.get(one.systemId);
    if (machine?.owner === one.tenant && machine.agentName === one.id) return [];
    return [
      `${one.systemId} was given to ${one.id} at ${clock(one.acknowledged)} and is ${machine?.status ?? 'gone'} of ${machine?.owner || 'nobody'} now`,
    ];
  });
}

/** Who was told "nothing" has none; what nobody confirmed has freed itself; what is taken was taken by somebody. */
function leaked(history: History): string[] {
  const byId = new Map(history.allocations.map((one) => [one.id, one]));
  return history.final.flatMap(({ systemId, owner, agentName, claimLeft }) => {
    if (claimLeft !== null && claimLeft < -claimGraceSeconds)
      return [`${systemId}: its claim for ${agentName} ran out ${Math.round(-claimLeft)} s ago and still holds it`];
    if (owner === '' || claimLeft !== null) return [];
    const one = byId.get(agentName);
    if (!one) return [`${systemId} is ${owner}'s for ${agentName || 'nothing'}, which nobody asked for`];
    if (one.outcome === 'nothing') return [`${systemId} is held for ${agentName}, which was told that nothing fits`];
    if (one.outcome === 'acknowledged' && one.systemId !== systemId) return [`${agentName} has ${systemId} besides its ${one.systemId}`];
    return [];
  });
}

/** From Deployed until its release is asked for nobody touches a machine. */
function touched(history: History): string[] {
  const touchesOf = new Map(history.final.map((machine) => [machine.systemId, machine.touches]));
  return history.allocations.flatMap((one) => {
    if (one.deployed === 0) return [];
    const until = one.releaseAsked === 0 ? Infinity : one.releaseAsked;
    const wrong = (touchesOf.get(one.systemId) ?? []).filter(({ at }) => at > one.deployed && at < until);
    return wrong.map(({ at, what }) => `${one.systemId} was Deployed at ${clock(one.deployed)} and touched at ${clock(at)}: ${what}`);
  });
}

function unfinished(history: History): string[] {
  const now = new Map(history.final.map((machine) => [machine.systemId, machine]));
  // Also of those that were given up and released afterwards: a tenant releases what failed.
  const deployments = history.allocations
    .filter((one) => one.deployAcknowledged > 0 && one.deployed === 0)
    .map((one) => {
      const state = one.releaseAsked > 0 ? `given up at ${clock(one.releaseAsked)}` : (now.get(one.systemId)?.status ?? 'gone');
      return `the deployment of ${one.systemId} for ${one.id} never became Deployed: ${state}`;
    });
  const releases = history.allocations
    .filter((one) => one.releaseAsked > 0 && one.releaseAcknowledged === 0)
    .map((one) => `the release of ${one.systemId} for ${one.id} was never answered`);
  const open = history.allocations.filter((one) => one.outcome === 'open').map((one) => `${one.id} never learned what became of it`);
  const settled = new Set(['Ready', 'Allocated', 'Deployed']);
  const machines = history.final
    .filter(({ status }) => !settled.has(status))
    .map(({ systemId, status }) => `${systemId} ended as ${status}`);
  return [...deployments, ...releases, ...open, ...machines];
}

function forgotten(history: History): string[] {
  return history.written.filter(({ kept }) => !kept).map(({ name, at }) => `${name} was written at ${clock(at)} and is not there`);
}

/** Name of the rule → what broke it. */
export const invariants: Readonly<Record<string, (history: History) => readonly string[]>> = {
  'the rest of the fleet answers': answers,
  'what is refused says when to come back': refusals,
  'nothing hangs': hangs,
  'no list is well-formed and short': lists,
  'silence is not absence': lookUps,
  'no machine has two owners': twoOwners,
  'no acknowledged allocation is lost': lost,
  'no claim outlives its time': leaked,
  'deployed machines are not touched': touched,
  'everything converges': unfinished,
  'no acknowledged write is lost': forgotten,
};

/** Everything that is wrong with a history, at most `most` of each rule. */
export function problemsOf(history: History, most = 8): string[] {
  return Object.entries(invariants).flatMap(([name, find]) => {
    const found = find(history);
    const rest = found.length > most ? [`${name}: and ${found.length - most} more`] : [];
    return [...found.slice(0, most).map((text) => `${name}: ${text}`), ...rest];
  });
}
