// The commands of docs/joining.md, as a person types them: the real program against a hub, a front and cells.
import { execFile } from 'node:child_process';
import { join as joinPath } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initCell, type Cell } from '../src/cell/cell.ts';
import type { Front } from '../src/front/front.ts';
import { log, makeMachines, SmallFleet } from './small-fleet.ts';

const root = joinPath(import.meta.dirname, '..');
let fleet: SmallFleet;
let front: Front;
let north: Cell;

interface Ran {
  readonly exit: number;
  readonly out: string;
}

/** Nobody is at the terminal. */
function run(command: string): Promise<Ran> {
  const [program = '', ...words] = command.split(' ');
  const env = { PATH: process.env['PATH'], XDG_CONFIG_HOME: joinPath(fleet.folder, 'config'), MUSTER_LOG_LEVEL: 'silent' };
  return new Promise((resolve) => {
    const child = execFile(joinPath(root, program), words, { cwd: root, env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ exit: error === null ? 0 : Number(error.code ?? 1), out: stdout + stderr }),
    );
    child.stdin?.end();
  });
}

async function must(command: string): Promise<string> {
  const { exit, out } = await run(command);
  expect([command, exit, exit === 0 ? '' : out]).toEqual([command, 0, '']);
  return out;
}

beforeAll(async () => {
  fleet = await SmallFleet.open();
  ({ cell: north } = await fleet.openCell('north'));
  await makeMachines(north, 3, 1024);
  front = await fleet.openFront('f1');
  await must(`./muster login front ${front.url} ${fleet.admin.apiKey}`);
});
afterAll(() => fleet[Symbol.asyncDispose]());

test('invite, join with --adopt after a look, list, drain, out, in, retire', { timeout: 240_000 }, async () => {
  const place = await fleet.place('south');
  await initCell(place.config, log, 'root');
  const invited = await must(`./muster hub cell add south --hub-url ${fleet.hub.url}`);
  const [, token, fingerprint] = /cell join \S+ (\S+) (\S+) --folder/.exec(invited)!;
  const { folder, database_url, port } = place.config;
  const joining = `./muster cell join ${fleet.hub.url} ${token} ${fingerprint} --folder ${folder} --database-url ${database_url} --own-url http://127.0.0.1:${port}`;
  const refused = await run(joining);
  expect([refused.exit, refused.out]).toEqual([1, expect.stringMatching(/has of its own: user root\. .*--adopt/)]);
  expect(await must(`${joining} --adopt --dry-run`)).toMatch(
    /The hub gets:\n {2}user +root {2}As an administrator of the whole fleet, with the same password\.\n[^]*The hub has already:\n {2}zone +default\n[^]*Nothing was changed\./,
  );
  expect(await must(`${joining} --adopt --yes`)).toContain('is cell south (number ');
  const south = await fleet.start(place);

  const table = await must('./muster cell list');
  expect(table).toMatch(/^number +name +state +machines +load +lag +version +findings\n/);
  expect(table).toMatch(/\d+ +north +in +3: 3 ready +\d+% cpu, \d+ ms late, 0 at work +\d+\.\d s +1\.2\.3 +none\n/);
  expect(table).toMatch(/\d+ +south +in +none .*\n2 of 2 answered\.\n$/);
  expect(await must('./muster cell drain south')).toBe('cell south answers everything and gets nothing new; what runs goes on.\n');
  await south.close();
  expect(await must('./muster cell list')).toMatch(/south +drained, absent +\? +\? +\? +\? +\?\n1 of 2 answered\. Absent: south;/);
  expect(await must('./muster cell in south')).toContain('is in use');
  const unasked = await run('./muster cell retire south');
  expect([unasked.exit, unasked.out]).toEqual([2, expect.stringContaining('Nobody is there to ask: say --yes.')]);
  await must('./muster cell out south');
  expect(await must('./muster cell retire south --yes')).toContain('is gone for good');
  await fleet.join('f2', 'front');
  expect(await must('./muster front retire f2 --yes')).toContain('no cell believes it any more');
  expect(await must('./muster front list')).not.toContain('f2');
});
