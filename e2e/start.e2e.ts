/**
 * `npm start` as a user runs it: to the last line and exit code, with a planted failure, interrupted, killed with -9, and what is left on the
 * host after each: nothing, or what the next start removes. Also every command that it prints, and the errors of a second run.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserRun } from './user-run.ts';

const began = Date.now();
const say = (text: string) => console.log(`== ${((Date.now() - began) / 1000).toFixed(0)} s: ${text}`);
const home = mkdtempSync(join(tmpdir(), 'muster-start-'));
const environment = { HOME: home, XDG_CONFIG_HOME: join(home, 'config') };
const startWithin = 420;
const runs: UserRun[] = [];

function started(command: string, data?: string): UserRun {
  const run = new UserRun(command, environment, data);
  runs.push(run);
  return run;
}

/** Runs a command to its end; its output. */
async function run(command: string, wanted: number, seconds = 60): Promise<string> {
  const given = started(command);
  assert.equal(await given.end(seconds), wanted, `${command}\n${given.lines.join('\n')}`);
  return given.lines.join('\n');
}

/** Asserts that nothing of a run is on the host any more. */
async function nothingLeft(of: UserRun, name: string): Promise<void> {
  let left = of.look(name);
  for (let tries = 0; tries < 40 && Object.values(left).some((list: readonly unknown[]) => list.length > 0); tries += 1) {
    await sleep(250);
    left = of.look(name);
  }
  assert.deepEqual(left, { processes: [], namespaces: [], links: [], folders: [] });
}

async function nameOf(of: UserRun): Promise<string> {
  await of.line(/the hub is up at/, startWithin);
  const { name } = of;
  assert.ok(name !== undefined, 'the run has no process src/main.ts');
  const traces = of.look(name);
  assert.ok(
    traces.processes.length >= 3 && traces.namespaces.length > 0 && traces.folders.length > 0,
    `looked in the wrong place: ${JSON.stringify(traces)}`,
  );
  return name;
}

/** To its own end. */
async function toTheEnd(command: string, last: string, code: number): Promise<void> {
  const since = Date.now();
  const start = started(command);
  const name = await nameOf(start);
  assert.equal(await start.end(startWithin), code);
  assert.equal(start.lines.at(-1), last);
  assert.ok(start.lines.some((line) => line.includes(`read back through the other front: ${last.split(' ')[1]} Deployed`)));
  await nothingLeft(start, name);
  say(`«${command}» ended with «${last}» and exit code ${code} after ${((Date.now() - since) / 1000).toFixed(1)} s, and left nothing`);
}

/** Up, every printed command, kill -9 of all of it; returns what to look for afterwards. */
async function killed(): Promise<{ start: UserRun; name: string }> {
  const start = started('npm start');
  const name = await nameOf(start);
  await start.line(/It stays up until Ctrl-C/, startWithin);
  const printed = start.lines.flatMap((line) => /^ +(\.\/muster .*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(
    printed.map((command) => command.split(' ').slice(0, 3).join(' ')),
    [
      './muster login demo',
      './muster machines read',
      './muster machine deploy',
      './muster lose c2',
      './muster lose hub',
      './muster lose f2',
      './muster cell list',
      './muster machines read',
    ],
  );
  // As printed, with their values: ./muster machine deploy SYSTEM_ID distro_series=simulated/1, ./muster cell list.
  for (const command of printed.filter((one) => !one.startsWith('./muster lose'))) await run(command, 0);
  assert.match(await run('./muster profiles', 0), /\* demo/);
  const cells = JSON.parse(await run('./muster cells read --json', 0)) as { answering: boolean }[];
  assert.deepEqual(
    cells.map(({ answering }) => answering),
    [true, true, true],
  );
  assert.match(await run('./muster machine read xxxxxxx', 4), /No Machine matches/);
  // ./muster login PROFILE URL KEY, with a key that nobody has: refused, and not remembered.
  assert.match(await run(`./muster login other ${printed[0]?.split(' ')[3]} a:b:c`, 77), /Invalid API key/);
  // What ./muster lose NAME tells of each: the rest goes on, and says what is missing.
  for (const [program, told] of [
    ['c2', /2 of 3 cells answer, absent: c2; \d+ machines listed[^]*3 of 3 cells answer; 24 machines listed\n?$/],
    ['hub', /24 machines listed; settings cannot be changed \(503\)[^]*24 machines listed; settings can be changed\n?$/],
    ['f2', /f1: 24 machines listed[^]*f2: 24 machines listed\n?$/],
  ] as const) {
    assert.match(await run(`./muster lose ${program} --for 4`, 0, 120), told);
    await start.line(new RegExp(`${program} is up again`), 60);
  }
  say('a cell, the hub and a front were killed with -9; the others went on, and all came back');
  await others(printed[0]?.split(' ')[3] ?? '', await start.line(/the hub is up at/, 1));
  start.look(name);
  start.kill();
  await start.ended;
  const left = start.look(name);
  assert.ok(left.namespaces.length > 0 && left.folders.length > 1, `kill -9 left nothing to remove: ${JSON.stringify(left)}`);
  say(`after kill -9 there are ${left.namespaces.length} namespaces and ${left.folders.length} folders`);
  return { start, name };
}

/** The commands that other commands print. */
async function others(front: string, hub: string): Promise<void> {
  const token = JSON.parse(await run('./muster account create-authorisation-token name=short --json', 0)) as { token_key: string };
  // ./muster login PROFILE URL asks for what is not given.
  assert.match(await run(`echo admin | ./muster login PROFILE ${front}`, 77), /Wrong user name or password/);
  await run(`./muster account delete-authorisation-token token_key=${token.token_key}`, 0);
  const url = /https:\/\/[^ )]+/.exec(hub)?.[0] ?? '';
  for (const role of ['cell', 'front']) {
    const text = await run(`./muster hub ${role} add x9 --hub-url ${url}`, 0);
    // ./muster cell join URL TOKEN FINGERPRINT and ./muster front join URL TOKEN FINGERPRINT, as printed.
    const join = text.split('\n').find((line) => line.startsWith(`./muster ${role} join `)) ?? '';
    assert.match(await run(join.replace('FOLDER', `${home}/${role}`), 0), new RegExp(`is ${role} x9`));
    const wrong = join.replace(/[0-9a-f]{64} --folder FOLDER/, `${'0'.repeat(64)} --folder ${home}/wrong`);
    assert.match(await run(wrong, 1), /key/);
  }
}

/** The next start removes it; `--data DIR` keeps its own. */
async function nextStart(before: { start: UserRun; name: string }): Promise<void> {
  const data = join(home, 'data');
  const up = `./muster up --data ${data} --cells 1`;
  const first = started(up, data);
  const name = await nameOf(first);
  await first.line(/removed what an earlier run left behind/, 5);
  await nothingLeft(before.start, before.name);
  const key = (await first.line(/API key/, 120)).split(' ').at(-1) ?? '';
  const url =
    (await first.line(/URL/, 5))
      .trim()
      .split(/\s+/)[1]
      ?.replace(/\/MAAS\/$/, '') ?? '';
  await run(`./muster login kept ${url} ${key}`, 0);
  await run('./muster zones create name=kept', 0);
  assert.match(await run(up, 1), /is in use by process \d+\. Stop that one, or choose another folder with --data\./);
  first.interrupt();
  await first.ended;
  await nothingLeft(first, name);
  const second = started(`${up} --port ${new URL(url).port}`, data);
  const again = await nameOf(second);
  await second.line(/Ctrl-C stops it/, 120);
  assert.match(await run('./muster zones read', 0), /kept/);
  assert.match(await run('./muster cells read --json', 0), /"answering": true/);
  second.interrupt();
  await second.ended;
  await nothingLeft(second, again);
  say('--data keeps users and zones; a second run on the same folder is refused');
}

async function takenPort(): Promise<void> {
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  const address = holder.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  assert.match(await run(`./muster up --port ${port}`, 1), new RegExp(`Port ${port} of 127.0.0.1 is taken by another program`));
  holder.close();
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  port: takenPort,
  exit: () => toTheEnd('npm start -- --exit', 'deployed 6 of 6', 0),
  fault: () => toTheEnd('npm start -- --exit --fault installer', 'deployed 5 of 6', 1),
  killed: async () => nextStart(await killed()),
};

const wanted = process.argv.slice(2);
try {
  for (const [name, part] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await part();
  say('all passed');
} finally {
  for (const one of runs) one.kill();
  rmSync(home, { recursive: true, force: true });
}
