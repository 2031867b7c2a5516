/** A tenant: takes machines, deploys, gives back, keeps some, for as long as it may, and writes down what it was promised. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../src/http/client.ts';
import { simulatedSeries } from '../src/cli/simulated-images.ts';
import type { Random } from '../src/sim/random.ts';
import type { Allocation, History } from './chaos-history.ts';
import { UnknownOutcome, withinReason, type ChaosClient } from './chaos-client.ts';

export interface TenantOptions {
  readonly name: string;
  /** Whether it sends an Idempotency-Key with every allocation. */
  readonly keyed: boolean;
  readonly client: ChaosClient;
  readonly random: Random;
  readonly history: History;
  /** All cells, which a keyed allocation needs to have heard of. */
  readonly cells: readonly string[];
  /** How many deployed machines it keeps to the end. */
  readonly keeps: number;
  readonly stopping: AbortSignal;
}

/** Far longer than the slowest BMC, whose order of unknown outcome is waited out for 5 s (fleet.ts): for a busy machine. */
const deployedWithinMs = 240_000;
const userData = btoa('#cloud-config\n{}\n');

export async function runTenant(options: TenantOptions): Promise<void> {
  const { random, stopping, name } = options;
  let kept = 0;
  for (let number = 1; !stopping.aborted; number += 1) {
    const one = await allocate(options, `${name}-${number}`);
    if (one.outcome !== 'acknowledged') {
      await pause(100 + random.next() * 300, stopping);
      continue;
    }
    if (random.next() < 0.85) await deploy(options, one);
    if (kept < options.keeps && one.deployed > 0 && random.next() < 0.4) kept += 1;
    else await release(options, one);
    await pause(random.next() * 200, stopping);
  }
}

async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stopping }).catch(() => undefined);
}

async function allocate({ name, keyed, client, history, cells }: TenantOptions, id: string): Promise<Allocation> {
  const one: Allocation = {
    id,
    tenant: name,
    keyed,
    begun: Date.now(),
    outcome: 'open',
    systemId: '',
    cell: '',
    acknowledged: 0,
    deployAsked: 0,
    deployAcknowledged: 0,
    deployed: 0,
    releaseAsked: 0,
    releaseAcknowledged: 0,
    seen: [],
  };
  history.allocations.push(one);
  try {
    const machine = await client.ask({
      what: keyed ? 'allocate with a key' : 'allocate',
      parts: cells,
      repeatable: keyed,
      send: (api) => api.call('Machines.allocate', {}, { agent_name: id }, { ...(keyed ? { idempotencyKey: id } : {}), ...withinReason() }),
    });
    one.systemId = machine.system_id;
    one.cell = machine.cell;
    one.acknowledged = Date.now();
    one.outcome = 'acknowledged';
  } catch (error) {
    if (error instanceof UnknownOutcome) one.outcome = 'unknown';
    else if (error instanceof ApiError && error.code === 'none_available') one.outcome = 'nothing';
    else throw error;
  }
  return one;
}

async function look({ client }: TenantOptions, one: Allocation): Promise<string> {
  const at = Date.now();
  const machine = await client.ask({
    what: 'read a machine',
    parts: [one.cell],
    repeatable: true,
    send: (api) => api.call('Machine.read', { system_id: one.systemId }, {}, withinReason()),
  });
  one.seen.push({ at, until: Date.now(), owner: machine.owner ?? '', status: machine.status_name });
  return machine.status_name;
}

async function deploy(options: TenantOptions, one: Allocation): Promise<void> {
  const path = { system_id: one.systemId };
  one.deployAsked = Date.now();
  await options.client.ask({
    what: 'deploy',
    parts: [one.cell],
    repeatable: true,
    send: (api) =>
      api.call(
        'Machine.deploy',
        path,
        { distro_series: simulatedSeries, user_data: userData },
        { idempotencyKey: `${one.id}-deploy`, ...withinReason() },
      ),
  });
  one.deployAcknowledged = Date.now();
  for (const end = Date.now() + deployedWithinMs; Date.now() < end;) {
    const status = await look(options, one);
    if (status === 'Deployed') {
      one.deployed = Date.now();
      return;
    }
    if (status.startsWith('Failed')) return;
    await sleep(250);
  }
}

/** Releasing again is harmless; when the first one was done and somebody else has it already, that is said. */
async function release({ client }: TenantOptions, one: Allocation): Promise<void> {
  one.releaseAsked = Date.now();
  try {
    await client.ask({
      what: 'release',
      parts: [one.cell],
      repeatable: true,
      send: (api) =>
        api.call('Machine.release', { system_id: one.systemId }, {}, { idempotencyKey: `${one.id}-release`, ...withinReason() }),
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'not_owner')) throw error;
  }
  one.releaseAcknowledged = Date.now();
}
