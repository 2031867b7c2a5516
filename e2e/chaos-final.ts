/** What is left when a run is over: every machine in its cell's own words, and what was done to it from outside. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { lifecycle, stateOf } from '../src/contract/lifecycle.ts';
import type { FinalMachine } from './chaos-history.ts';
import type { Fleet, FleetCell } from './fleet.ts';
import type { KnownMachine } from './fleet-machines.ts';

interface Row {
  readonly system_id: string;
  readonly owner: string | null;
  readonly agent_name: string;
  readonly status: number;
  readonly claim_left: number | null;
}

/** The only look into a database: who asked for a machine and how long a claim lasts are no part of its page. */
async function rowsOf(cell: FleetCell): Promise<Row[]> {
  const client = new pg.Client({ connectionString: cell.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Row>(
      'select system_id, owner, agent_name, status, extract(epoch from confirm_by - clock_timestamp())::float8 as claim_left from machine',
    );
    return rows;
  } finally {
    await client.end();
  }
}

/** What only an environment's plan does to a disk; the running system writes files of its own. */
const ofPlans = /^(marker|gpt|filesystem|unpack|grub|erase)/;

function touchesOf({ simulated: { machine, bmc } }: KnownMachine): FinalMachine['touches'] {
  const orders = bmc.log.map(({ at, command, detail }) => ({ at, what: `BMC: ${command} ${detail}` }));
  const boots = machine.boots.filter((boot) => boot.claimed).map(({ at, purpose }) => ({ at, what: `a claimed boot to ${purpose}` }));
  const writes = machine.disks.flatMap((disk) => disk.log).filter(({ what }) => ofPlans.test(what));
  return [...orders, ...boots, ...writes.map(({ at, what, detail }) => ({ at, what: `disk: ${what} ${detail}`.slice(0, 80) }))];
}

async function look(fleet: Fleet, machines: readonly KnownMachine[]): Promise<FinalMachine[]> {
  const known = new Map(machines.map((one) => [one.systemId, one]));
  const perCell = await Promise.all(
    fleet.cells.map(async (cell) =>
      (await rowsOf(cell)).map((row): FinalMachine => {
        const one = known.get(row.system_id);
        return {
          systemId: row.system_id,
          cell: cell.name,
          owner: row.owner ?? '',
          agentName: row.agent_name,
          status: lifecycle[stateOf(row.status)].name,
          claimLeft: row.claim_left,
          touches: one ? touchesOf(one) : [],
        };
      }),
    ),
  );
  return perCell.flat();
}

/** Wait until claims have freed themselves and nothing is under way any more, at most `withinMs`; then say what is. */
export async function finalMachines(fleet: Fleet, machines: readonly KnownMachine[], withinMs: number): Promise<FinalMachine[]> {
  const settled = ['Ready', 'Allocated', 'Deployed'];
  for (const end = Date.now() + withinMs; ;) {
    const seen = await look(fleet, machines);
    if (seen.every(({ status, claimLeft }) => claimLeft === null && settled.includes(status)) || Date.now() > end) return seen;
    await sleep(300);
  }
}
