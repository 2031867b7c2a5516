/**
 * The one program: `muster COMMAND`. Only this file imports every room and reads the environment; it turns settings into running programs
 * and errors into one line and an honest exit code.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { pino, type Logger } from 'pino';
import { CellConfig, CellJoinConfig } from './cell/config.ts';
import { initCell, startCell } from './cell/cell.ts';
import { imageCommands } from './cell/image-commands.ts';
import { joinCell } from './cell/join-cell.ts';
import { readLoaders } from './cell/netboot/loaders.ts';
import { addApiCommands } from './cli/api-commands.ts';
import { cellCommands, frontCommands } from './cli/cell-commands.ts';
import { addSettings, settingsFrom } from './cli/command-settings.ts';
import { demoCommand } from './cli/demo.ts';
import { exitCodeOf, explainError } from './cli/exit-code.ts';
import { loginCommands } from './cli/login.ts';
import { inviteCommand } from './cli/invite.ts';
import { joinCommand, type JoinCall, type Joined } from './cli/join-command.ts';
import { loseCommand } from './cli/lose.ts';
import { profileFileOf } from './cli/profile-file.ts';
import { rotateKeyCommand } from './cli/rotate-key.ts';
import { SettingsError, settingsOf, showSettings, variableOf } from './cli/settings.ts';
import { upCommand } from './cli/up-command.ts';
import { watchCommand } from './cli/watch.ts';
import type { UpDoor } from './cli/up.ts';
import { FrontConfig } from './front/config.ts';
import { startFront } from './front/front.ts';
import { followBuiltCatalogue } from './global/built-catalogue.ts';
import type { FirstAdmin } from './global/default-documents.ts';
import { join as joinHub } from './global/join.ts';
import { readMembership, writeMembership } from './global/membership.ts';
import { ApiError } from './http/client.ts';
import type { Pages } from './http/server.ts';
import { staticPages } from './http/static-pages.ts';
import { HubConfig } from './hub/config.ts';
import { createHub } from './hub/hub.ts';
import { beginHubEpoch, initHub, resetHubPassword } from './hub/init.ts';

import { stopSurvivor } from './postgres/embedded-postgres.ts';
import { serverAccount } from './postgres/server-account.ts';
import { socketFolder } from './postgres/socket-folder.ts';
import { runMetal, type MetalSettings } from './sim/metal-process.ts';
import { runRack, type RackSettings } from './sim/rack-process.ts';

const version: string = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
const environment = process.env;
const imageFolder = environment['MUSTER_IMAGES'] ?? join(environment['HOME'] ?? '/var/lib', '.cache/muster/images');
const write = (text: string) => void process.stdout.write(text);

/** JSON lines on stderr; `MUSTER_LOG_LEVEL` says how much. */
function makeLog(program: string, name: string): Logger {
  return pino({ level: environment['MUSTER_LOG_LEVEL'] ?? 'info', base: { program, name } }, pino.destination({ dest: 2, sync: true }));
}

const pageFolder = join(import.meta.dirname, '../dist/ui');
const webPage = existsSync(join(pageFolder, 'index.html'));

/** The web page, as `npm start` and `npm test` build it; a program runs without one too. */
async function webPages(): Promise<{ readonly pages?: Pages }> {
  return webPage ? { pages: await staticPages(pageFolder) } : {};
}

/** Resolves at the first SIGTERM or SIGINT, or when the process that runs us is gone; a second signal ends at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const supervised = environment['MUSTER_LIFELINE'] === 'stdin';
    const stop = () => {
      if (asked) process.exit(130);
      asked = true;
      // An open pipe would keep the process alive.
      if (supervised) process.stdin.destroy();
      resolve();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // `muster up` holds the other end of standard input: its end is the end of `muster up`, however that came.
    if (supervised) process.stdin.once('close', () => asked || stop()).resume();
  });
}

/**
 * Tests name a point (`claim:after-effect`), `point#3` for its third time, or `file:PATH` of a file that names one as soon as it is there;
 * reaching it is kill -9. Nothing of this without the variable.
 */
function killPoint(): ((name: string) => void) | undefined {
  const given = environment['MUSTER_KILL_POINT'] ?? '';
  const file = given.startsWith('file:') ? given.slice('file:'.length) : undefined;
  const [point, nth = '1'] = given.split('#');
  if (!point) return undefined;
  let seen = 0;
  return (name) => {
    if (file !== undefined) {
      if (!existsSync(file) || readFileSync(file, 'utf8') !== name) return;
      // Once: the next start is to live.
      rmSync(file);
      process.kill(process.pid, 'SIGKILL');
    } else if (name === point && (seen += 1) === Number(nth)) process.kill(process.pid, 'SIGKILL');
  };
}

function showAdmin(admin: FirstAdmin): string {
  return `user      ${admin.username}\npassword  ${admin.password}\nAPI key   ${admin.apiKey}\nThey are shown only this once.\n`;
}

const program = new Command('muster')
  .description('Metal as a service, without a centre: cells that are whole, a front without state, a hub for the little that is global.')
  .version(version)
  .showHelpAfterError('(muster COMMAND --help tells more)')
  .exitOverride();

const up: UpDoor = {
  join: async (request) => void (await joinHub({ ...request, version })),
  hubOf: async (folder) => (await readMembership(folder))?.hub,
  moveHub: async (folder, hub) => {
    const membership = await readMembership(folder);
    if (membership) await writeMembership(folder, { ...membership, hub });
  },
  sweepDatabase: async (folder) => {
    const database = join(folder, 'postgres');
    await stopSurvivor(database);
    try {
      rmSync(socketFolder(database, serverAccount(join(database, 'data'))), { recursive: true, force: true });
    } catch {
      // There was never a database in it.
    }
  },
};
const settings = [CellConfig, HubConfig, FrontConfig].flatMap((schema) => settingsOf(schema).map(({ name }) => variableOf(name)));
const tree = {
  door: up,
  program: [process.execPath, import.meta.filename] as const,
  images: imageFolder,
  // Settings of a single program are not for every program of the tree.
  environment: Object.fromEntries(Object.entries(environment).filter(([name]) => !settings.includes(name))),
  write,
  webPage,
  untilStopped,
  whyNoLoaders: () =>
    readLoaders().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
};
program.addCommand(upCommand(tree).helpGroup('Running Muster'));
program.addCommand(demoCommand(tree).helpGroup('Running Muster'));
program.addCommand(loseCommand(write).helpGroup('Running Muster'));

const cell = program
  .command('cell')
  .description('A cell: API, metadata, network boot and power for its machines.')
  .helpGroup('Running Muster');
addSettings(cell.command('run', { isDefault: true }).description('Run one cell.'), CellConfig).action(
  async (options: Record<string, unknown>) => {
    const config = await settingsFrom(CellConfig, options, environment);
    const kill = killPoint();
    await using running = await startCell({
      config,
      version,
      log: makeLog('cell', config.name),
      ...(await webPages()),
      onForgotten: () => {
        process.exitCode = 1;
        process.kill(process.pid, 'SIGTERM');
      },
      ...(kill ? { killPoint: kill } : {}),
    });
    write(`cell ${running.name} (number ${running.number}) is up at ${running.url}\n`);
    await untilStopped();
  },
);
addSettings(
  cell
    .command('init')
    .description('Make the first admin of a standalone cell that is not running; its random password is printed once.')
    .option('--user <name>', 'its name', 'admin'),
  CellConfig,
).action(async (options: Record<string, unknown>) => {
  const config = await settingsFrom(CellConfig, options, environment);
  if (await readMembership(config.folder)) throw new SettingsError("This cell has joined a hub: its users are the hub's.");
  const admin = await initCell(config, makeLog('cell', config.name), String(options['user']));
  if (!admin) throw new SettingsError('This cell has an admin already.');
  write(showAdmin(admin));
});
cell.addCommand(joinCommand('cell', { profileFile: profileFileOf(environment), write, join: (call) => joinProgram('cell', call) }));
for (const command of cellCommands({ profileFile: profileFileOf(environment), write })) cell.addCommand(command);

const hub = program
  .command('hub')
  .description('The hub: users, keys, settings, images, and the registry of cells and fronts.')
  .helpGroup('Running Muster');
addSettings(
  hub
    .command('run', { isDefault: true })
    .description('Run the hub.')
    .option('--first-admin <file>', 'make the first admin, and write name, password and key into this file'),
  HubConfig,
).action(async (options: Record<string, unknown>) => {
  const config = await settingsFrom(HubConfig, options, environment);
  const log = makeLog('hub', 'hub');
  await using running = await createHub({ config, version, log, ...(await webPages()) });
  const admin = typeof options['firstAdmin'] === 'string' ? await running.init() : undefined;
  if (admin) await writeFile(String(options['firstAdmin']), `${JSON.stringify(admin)}\n`, { mode: 0o600, flag: 'wx' });
  const ending = new AbortController();
  const following =
    config.images === undefined
      ? undefined
      : followBuiltCatalogue(running.authority, config.images, ending.signal, (error) =>
          log.warn({ err: error }, 'built images were not read'),
        );
  write(
    `hub is up at ${running.url} (fingerprint ${running.fingerprint})${running.plainUrl === undefined ? '' : `, for browsers at ${running.plainUrl}`}\n`,
  );
  await untilStopped();
  ending.abort();
  await following;
  await running.close();
});
addSettings(
  hub
    .command('init')
    .description('Make the first admin of a hub that is not running; its random password is printed once.')
    .option('--user <name>', 'its name', 'admin'),
  HubConfig,
).action(async (options: Record<string, unknown>) => {
  const { admin, fingerprint } = await initHub(
    await settingsFrom(HubConfig, options, environment),
    makeLog('hub', 'hub'),
    String(options['user']),
  );
  if (!admin) throw new SettingsError('This hub has an admin already.');
  write(`${showAdmin(admin)}hub's fingerprint  ${fingerprint}\n`);
});
addSettings(
  hub
    .command('password')
    .description('Give a user of a hub that is not running a new random password, printed once; open sessions end.')
    .argument('<user>'),
  HubConfig,
).action(async (user: string, options: Record<string, unknown>) => {
  const password = await resetHubPassword(await settingsFrom(HubConfig, options, environment), makeLog('hub', 'hub'), user);
  if (password === undefined) throw new SettingsError(`There is no user ${user}.`);
  write(`password  ${password}\nIt is shown only this once.\n`);
});
addSettings(
  hub
    .command('new-epoch')
    .description(
      'For a hub that is not running and whose database was put back to an older state unnoticed: cells and fronts replace what they know.',
    ),
  HubConfig,
).action(async (options: Record<string, unknown>) => {
  const epoch = await beginHubEpoch(await settingsFrom(HubConfig, options, environment), makeLog('hub', 'hub'));
  write(`The hub begins epoch ${epoch}: every cell and front takes a snapshot.\n`);
});
hub.addCommand(rotateKeyCommand({ profileFile: profileFileOf(environment), write }));
hub.addCommand(inviteCommand('cell', { profileFile: profileFileOf(environment), write }));
hub.addCommand(inviteCommand('front', { profileFile: profileFileOf(environment), write }));

const front = program.command('front').description('A front: one API over all cells, without state.').helpGroup('Running Muster');
addSettings(front.command('run', { isDefault: true }).description('Run a front.'), FrontConfig).action(
  async (options: Record<string, unknown>) => {
    const config = await settingsFrom(FrontConfig, options, environment);
    await using running = await startFront({ config, version, log: makeLog('front', 'front'), ...(await webPages()) });
    write(`front is up at ${running.url}\n`);
    await untilStopped();
    await running.close();
  },
);
front.addCommand(joinCommand('front', { profileFile: profileFileOf(environment), write, join: (call) => joinProgram('front', call) }));
for (const command of frontCommands({ profileFile: profileFileOf(environment), write })) front.addCommand(command);

/** A front holds nothing; a cell may have stood alone, and then its database has a word in it. */
async function joinProgram(role: 'cell' | 'front', { flags, ...request }: JoinCall): Promise<Joined | undefined> {
  if (role === 'front') {
    const folder = String(flags['folder']);
    const { name, number, hub: at } = await joinHub({ ...request, role, folder, version });
    return { folder, name, number, hub: at, letGo: {} };
  }
  const { folder, name, database_url: databaseUrl } = await settingsFrom(CellJoinConfig, flags, environment);
  const named = { ...(name === undefined ? {} : { name }), ...(databaseUrl === undefined ? {} : { databaseUrl }) };
  const joined = await joinCell({ ...request, ...named, folder, version }, makeLog('cell', name ?? 'join'));
  if (!joined) return undefined;
  const { membership, letGo } = joined;
  return { folder, name: membership.name, number: membership.number, hub: membership.hub, letGo: { ...letGo } };
}

for (const [name, described, start] of [
  ['sim', 'Run a rack of simulated machines, described as JSON.', (json: string) => runRack(JSON.parse(json) as RackSettings, write)],
  [
    'metal',
    'Run emulated machines with real firmware, described as JSON.',
    (json: string) => runMetal(JSON.parse(json) as MetalSettings, write),
  ],
] as const) {
  program
    .command(name, { hidden: true })
    .description(described)
    .argument('<json>')
    .action(async (json: string) => {
      await using machines = await start(json);
      await untilStopped();
      void machines;
    });
}

program
  .command('config')
  .description('Look at settings.')
  .helpGroup('Running Muster')
  .addCommand(
    addSettings(
      new Command('show').description('Print the settings of a cell as they come out of file, environment and flags; secrets hidden.'),
      CellConfig,
    ).action(async (options: Record<string, unknown>) => {
      write(`${showSettings(await settingsFrom(CellConfig, options, environment))}\n`);
    }),
  );
program.addCommand(imageCommands(imageFolder).helpGroup('Running Muster'));
for (const command of loginCommands({ profileFile: profileFileOf(environment), write }))
  program.addCommand(command.helpGroup('Calling an API'));
program.addCommand(watchCommand({ profileFile: profileFileOf(environment), write }).helpGroup('Calling an API'));
addApiCommands(program, { profileFile: profileFileOf(environment), write });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else if (error instanceof ApiError) {
    process.stderr.write(`muster: ${explainError(error)}\n`);
    process.exitCode = exitCodeOf(error);
  } else {
    const expected =
      error instanceof SettingsError || (error instanceof Error && 'code' in error) || environment['MUSTER_DEBUG'] === undefined;
    process.stderr.write(`muster: ${error instanceof Error ? (expected ? error.message : error.stack) : String(error)}\n`);
    process.exitCode = error instanceof SettingsError ? 2 : 1;
  }
}
