/** A prober: looks at the fleet through one program all the time, in every way that must go on whatever else dies. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../src/sim/random.ts';
import type { ChaosClient } from './chaos-client.ts';
import { withinReason } from './chaos-client.ts';
import type { History } from './chaos-history.ts';
import type { KnownMachine } from './fleet-machines.ts';

export interface ProberOptions {
  readonly client: ChaosClient;
  readonly machines: readonly KnownMachine[];
  readonly cells: readonly string[];
  readonly random: Random;
  readonly history: History;
  readonly stopping: AbortSignal;
  /** Also writes something global every so many rounds; 0: never. */
  readonly writesEvery: number;
}

const pauseMs = 120;

/** Probe a front until it is stopped. */
export async function probeFront(options: ProberOptions): Promise<void> {
  const { client, random, machines, stopping, writesEvery } = options;
  const via = client.doors[0]!.name;
  for (let round = 1; !stopping.aborted; round += 1) {
    const one = random.pick(machines);
    await list(options, via);
    await lookUp(options, via, one);
    await quietly(
      client.once({
        what: 'read a machine',
        parts: [one.cell],
        send: (api) => api.call('Machine.read', { system_id: one.systemId }, {}, withinReason()),
      }),
    );
    await quietly(client.once({ what: 'read zones', parts: [], send: (api) => api.call('Zones.read', {}, {}, withinReason()) }));
    if (writesEvery > 0 && round % writesEvery === 0) await write(options, `zone-${via}-${round}`);
    await sleep(pauseMs);
  }
}

/** Probe a cell directly, without any front. */
export async function probeCell({ client, stopping }: ProberOptions): Promise<void> {
  while (!stopping.aborted) {
    await quietly(client.once({ what: 'count machines', parts: [], send: (api) => api.call('Machines.summary', {}, {}, withinReason()) }));
    await sleep(pauseMs * 3);
  }
}

/** What became of it is in the history. */
async function quietly(asking: Promise<unknown>): Promise<void> {
  await asking.catch(() => undefined);
}

async function list({ client, history }: ProberOptions, via: string): Promise<void> {
  const at = Date.now();
  const send = async (api: Parameters<Parameters<ChaosClient['once']>[0]['send']>[0]) => {
    const reply = await api.open('Machines.read', {}, { fields: 'hostname' }, withinReason());
    const machines = (await reply.json()) as { system_id: string }[];
    return { machines, cells: reply.headers.get('muster-cells') ?? '' };
  };
  try {
    const { machines, cells } = await client.once({ what: 'list machines', parts: [], send });
    const absent = / absent=(\S+)/.exec(cells)?.[1]?.split(',') ?? [];
    history.listed.push({ at, until: Date.now(), via, ids: machines.map((one) => one.system_id), absent });
  } catch {
    // Written down by the client.
  }
}

async function lookUp({ client, history, cells }: ProberOptions, via: string, { hostname, systemId }: KnownMachine): Promise<void> {
  const at = Date.now();
  try {
    const found = await client.once({
      what: 'look up a host name',
      parts: cells,
      send: (api) => api.call('Machines.read', {}, { hostname: [hostname], fields: 'hostname' }, withinReason()),
    });
    history.lookedUp.push({ at, via, systemId, found: found.some((one) => one.system_id === systemId) });
  } catch {
    // Written down by the client.
  }
}

async function write({ client, history }: ProberOptions, name: string): Promise<void> {
  const at = Date.now();
  const parts = ['hub'];
  const done = client.once({ what: 'write a zone', parts, send: (api) => api.call('Zones.create', {}, { name }, withinReason()) });
  await quietly(done.then(() => void history.written.push({ name, at, kept: false })));
}
