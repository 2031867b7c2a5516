/**
 * `npm run e2e -- restore-the-hub [--seed N] [words of blows]`: during allocations and deployments the hub's database is put back to an older
 * dump, first with the hub stopped, then under the running hub. Cells and fronts take over the snapshot of the new epoch; users and keys of
 * the lost time are refused again, those of before go on; no machine is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../src/http/client.ts';
import { dumpDatabase, restoreDatabase, type DatabaseDump } from '../test/database-dump.ts';
import type { Blow } from './chaos-blow.ts';
import { runScenario, type Scenario } from './chaos-run.ts';
import type { Fleet } from './fleet.ts';

/** What was made between the dump and the restore. */
interface Late {
  readonly user: string;
  readonly key: string;
  readonly zone: string;
  /** Its integer id, which must not come to mean something else. */
  readonly zoneId: number;
}

const everywhere = (fleet: Fleet): string[] => [...fleet.cells, ...fleet.fronts].map(({ name }) => name);
const withinMs = 15_000;

const anonymous = (fleet: Fleet, name: string): Client => createClient({ url: fleet.program(name).url });

async function makeLate(fleet: Fleet, user: string): Promise<Late> {
  const admin = fleet.client('f1');
  await admin.call('Users.create', {}, { username: user, email: `${user}@example.com`, password: `of ${user}`, is_superuser: false });
  const { session } = await anonymous(fleet, 'f1').call('Session.create', {}, { username: user, password: `of ${user}` });
  const reply = await fetch(`${fleet.program('f1').url}/MAAS/api/2.0/account/?op=create_authorisation_token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${session}` },
  });
  const token = (await reply.json()) as Record<string, string>;
  const zone = `zone-${user}`;
  const { id } = await admin.call('Zones.create', {}, { name: zone });
  return { user, zone, zoneId: id, key: `${token['consumer_key']}:${token['token_key']}:${token['token_secret']}` };
}

/** What this program says to the key: a user name, or the code of the refusal. */
async function whoAt(fleet: Fleet, name: string, key: string): Promise<string> {
  try {
    return (await fleet.client(name, key).call('Users.whoami', {}, {})).username;
  } catch (error) {
    return error instanceof ApiError ? (error.code ?? `status ${error.status}`) : String(error);
  }
}

/** Looks until every cell and front says what it should. @throws Error that names those who do not. */
async function allSay(
  fleet: Fleet,
  what: string,
  ask: (name: string) => Promise<string>,
  wanted: (said: string) => boolean,
): Promise<number> {
  const began = Date.now();
  for (;;) {
    const said = await Promise.all(everywhere(fleet).map(async (name) => [name, await ask(name)] as const));
    const wrong = said.filter(([, text]) => !wanted(text));
    if (wrong.length === 0) return Date.now() - began;
    if (Date.now() - began > withinMs) throw new Error(`${what}: ${wrong.map(([name, text]) => `${name} says ${text}`).join('; ')}`);
    await sleep(100);
  }
}

const epochOf = async (fleet: Fleet, name: string): Promise<string> => {
  const { muster } = (await fleet.client(name).call('Version.read', {}, {})) as { muster?: { revision?: string } };
  return muster?.revision ?? '';
};

async function judge(fleet: Fleet, late: Late, epoch: number): Promise<void> {
  const text = `access=${epoch}.`;
  const took = await allSay(
    fleet,
    `epoch ${epoch}`,
    (name) => epochOf(fleet, name),
    (said) => said.includes(text) && said.includes(`config=${epoch}.`),
  );
  await allSay(
    fleet,
    `the key of ${late.user}`,
    (name) => whoAt(fleet, name, late.key),
    (said) => said === 'unauthorized',
  );
  await allSay(
    fleet,
    "the admin's key",
    (name) => whoAt(fleet, name, fleet.admin.apiKey),
    (said) => said === fleet.admin.username,
  );
  const signIn = await anonymous(fleet, 'f2')
    .call('Session.create', {}, { username: late.user, password: `of ${late.user}` })
    .then(
      () => 'a session',
      (error: unknown) => (error instanceof ApiError ? error.code : String(error)),
    );
  if (signIn !== 'bad_login') throw new Error(`${late.user}, who was lost, signed in: ${signIn}`);
  for (const name of everywhere(fleet)) {
    const zones = await fleet.client(name).call('Zones.read', {}, {});
    if (zones.some((zone) => zone.name === late.zone)) throw new Error(`${name} still has ${late.zone}`);
  }
  const { id } = await fleet.client('f1').call('Zones.create', {}, { name: `${late.zone}-again` });
  if (id <= late.zoneId) throw new Error(`the id ${id} was given a second time`);
  const findings = await fleet.client('f1').call('Findings.read', {}, {});
  const refused = findings.filter(({ kind }) => kind === 'refused_batch');
  if (refused.length > 0) throw new Error(`refused: ${JSON.stringify(refused)}`);
  console.log(`         all of them took over epoch ${epoch} ${took} ms after the hub was back; ${late.user} is refused everywhere`);
}

const scenario: Scenario = {
  about: "the hub's database goes back to an older dump, with the hub stopped and under the running hub",
  fleet: { databases: 'shared' },
  tenants: [
    ['f1', 'f2'],
    ['f2', 'f1'],
    ['f1', 'f2'],
    ['f2', 'f1'],
  ],
  writesEvery: 0,
  blows: (fleet, random) => {
    const restoring = (name: string, epoch: number, take: (dump: DatabaseDump) => Promise<void>, back: () => Promise<void>): Blow => {
      let late: Late | undefined;
      return {
        name,
        holdMs: random.integer(500, 1_500),
        async strike() {
          const dump = await dumpDatabase(fleet.hubDatabaseUrl);
          const made = await makeLate(fleet, `late-${epoch}`);
          late = made;
          await allSay(
            fleet,
            `the key of ${made.user}`,
            (each) => whoAt(fleet, each, made.key),
            (said) => said === made.user,
          );
          await sleep(random.integer(50, 900));
          await take(dump);
          return ['hub'];
        },
        async heal() {
          await back();
          if (late) await judge(fleet, late, epoch);
        },
      };
    };
    return [
      restoring(
        'the hub stopped',
        2,
        async (dump) => {
          await fleet.hub.kill();
          await restoreDatabase(fleet.hubDatabaseUrl, dump);
        },
        () => fleet.hub.start(),
      ),
      restoring(
        'under the running hub',
        3,
        (dump) => restoreDatabase(fleet.hubDatabaseUrl, dump),
        async () => undefined,
      ),
    ];
  },
};

await runScenario('restore-the-hub', scenario);
