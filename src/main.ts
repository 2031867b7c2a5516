/**
 * The one program: `muster COMMAND`. Only this file imports every room and reads the environment; it turns settings into running programs
 * and errors into one line and an honest exit code.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { pino, type Logger } from 'pino';
import { CellConfig } from './cell/config.ts';
import { startCell } from './cell/cell.ts';
import { addSettings, settingsFrom } from './cli/command-settings.ts';
import { SettingsError, showSettings } from './cli/settings.ts';
import { HubConfig } from './hub/config.ts';
import { createHub } from './hub/hub.ts';
import { imageCommands } from './cell/image-commands.ts';

const version: string = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
const environment = process.env;

/** JSON lines on stderr; `MUSTER_LOG_LEVEL` says how much. */
function makeLog(program: string, name: string): Logger {
  return pino({ level: environment['MUSTER_LOG_LEVEL'] ?? 'info', base: { program, name } }, pino.destination({ dest: 2, sync: true }));
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}

/** Tests name a point (`claim:after-effect`), `point#3` for its third time; reaching it is kill -9. Nothing of this without the variable. */
function killPoint(): ((name: string) => void) | undefined {
  const [point, nth = '1'] = (environment['MUSTER_KILL_POINT'] ?? '').split('#');
  if (!point) return undefined;
  let seen = 0;
  return (name) => {
    if (name === point && (seen += 1) === Number(nth)) process.kill(process.pid, 'SIGKILL');
  };
}

const program = new Command('muster')
  .description('Metal as a service, without a centre: cells that are whole, a front without state, a hub for the little that is global.')
  .version(version)
  .showHelpAfterError('(muster COMMAND --help tells more)')
  .exitOverride();

addSettings(program.command('cell').description('Run one cell: API, metadata, network boot and power for its machines.'), CellConfig).action(async (options: Record<string, unknown>) => {
  const config = await settingsFrom(CellConfig, options, environment);
  const log = makeLog('cell', config.name);
  const kill = killPoint();
  await using cell = await startCell({
    config,
    version,
    log,
    ...(kill ? { killPoint: kill } : {}),
  });
  process.stdout.write(`cell ${cell.name} (number ${cell.number}) is up at ${cell.url}\n`);
  await untilStopped();
});

const hub = addSettings(program.command('hub').description('Run the hub: users, keys, settings, images, and the registry of cells and fronts.'), HubConfig).action(async (options: Record<string, unknown>) => {
  const config = await settingsFrom(HubConfig, options, environment);
  await using running = await createHub({ config, version, log: makeLog('hub', 'hub') });
  process.stdout.write(`hub is up at ${running.url} (fingerprint ${running.fingerprint})${running.plainUrl === undefined ? '' : `, for browsers at ${running.plainUrl}`}\n`);
  await untilStopped();
});
void hub;

program
  .command('config')
  .description('Look at settings.')
  .addCommand(
    addSettings(new Command('show').description('Print the settings of a cell as they come out of file, environment and flags; secrets hidden.'), CellConfig).action(async (options: Record<string, unknown>) => {
      process.stdout.write(`${showSettings(await settingsFrom(CellConfig, options, environment))}\n`);
    }),
  );

program.addCommand(imageCommands(environment['MUSTER_IMAGES'] ?? join(environment['HOME'] ?? '/var/lib', '.cache/muster/images')));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    const expected = error instanceof SettingsError || (error instanceof Error && 'code' in error) || environment['MUSTER_DEBUG'] === undefined;
    process.stderr.write(`muster: ${error instanceof Error ? (expected ? error.message : error.stack) : String(error)}\n`);
    process.exitCode = error instanceof SettingsError ? 2 : 1;
  }
}
