/** Killing a hub in the middle of a write: at two moments that are made to last, by a lock in its database and by a cell that stands still. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Blow } from './chaos-blow.ts';
import type { Fleet } from './fleet.ts';

/** A write that is begun and whose answer is not waited for. */
function beginWrite(fleet: Fleet, name: string): Promise<unknown> {
  return fleet.client('f1').call('Zones.create', {}, { name });
}

/** How a front puts it to the writer; anything else is told. */
async function mustBeAbsent(writing: Promise<unknown>): Promise<void> {
  const code = await writing.then(
    () => 'success',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
  if (code !== 'hub_absent') throw new Error(`a write whose hub died in the middle was answered with ${code}, not with hub_absent`);
}

/** The write has begun its transaction and waits for the row that draws revisions. */
export function killInWrite(fleet: Fleet, name: string): Blow {
  return {
    name: 'hub in a write, before its commit',
    holdMs: 800,
    async strike() {
      const client = new pg.Client({ connectionString: fleet.hubDatabaseUrl });
      await client.connect();
      try {
        await client.query('begin');
        await client.query('select from global_revision for update');
        const writing = beginWrite(fleet, name);
        writing.catch(() => undefined);
        await sleep(300);
        await fleet.hub.kill();
        await mustBeAbsent(writing);
      } finally {
        await client.end();
      }
      return ['hub'];
    },
    heal: () => fleet.hub.start(),
  };
}

/** The write is committed, and the hub waits for a cell that stands still to apply it: nobody has its answer. */
export function killAfterCommit(fleet: Fleet, cell: string, name: string): Blow {
  const isThere = async (): Promise<boolean> => {
    const client = new pg.Client({ connectionString: fleet.hubDatabaseUrl });
    await client.connect();
    const { rowCount } = await client.query(`select from global_document where kind = 'zone' and body->>'name' = $1`, [name]);
    await client.end();
    return rowCount === 1;
  };
  return {
    name: `hub in a write, committed and not answered; ${cell} stands still`,
    holdMs: 800,
    async strike() {
      const pid = fleet.program(cell).pid;
      if (pid === undefined) throw new Error(`${cell} does not run`);
      process.kill(pid, 'SIGSTOP');
      try {
        const writing = beginWrite(fleet, name);
        writing.catch(() => undefined);
        for (let tries = 0; tries < 100 && !(await isThere()); tries += 1) await sleep(20);
        await fleet.hub.kill();
        await mustBeAbsent(writing);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      return ['hub', cell];
    },
    async heal() {
      await fleet.hub.start();
      // What was committed before the hub died is everybody's when it is back.
      for (const front of fleet.fronts) {
        const knows = async (): Promise<boolean> =>
          (await fleet.client(front.name).call('Zones.read', {}, {})).some((zone) => zone.name === name);
        for (let tries = 0; !(await knows()); tries += 1) {
          if (tries > 100) throw new Error(`${name} was committed and never came to ${front.name}`);
          await sleep(100);
        }
      }
    },
  };
}
