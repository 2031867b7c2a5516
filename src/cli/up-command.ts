/** `muster up`: the whole of Muster in one process tree, for a laptop and a small site. */
import { Command } from 'commander';
import { SettingsError } from './settings.ts';
import { createStory, type Story } from './story.ts';
import { raiseTree, type Tree, type UpDoor, type UpOptions } from './up.ts';

/** What main.ts gives to commands that run a tree. */
export interface TreeCommand {
  readonly door: UpDoor;
  readonly program: readonly [string, ...string[]];
  /** The image folder: kept across runs. */
  readonly images: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  readonly untilStopped: () => Promise<void>;
  /** Whether hub and fronts serve the web page. */
  readonly webPage: boolean;
  /** Why there are no boot loaders to serve; undefined when there are. */
  readonly whyNoLoaders: () => Promise<string | undefined>;
}

export interface TreeFlags {
  readonly data?: string;
  readonly cells: string;
  readonly fronts: string;
  readonly port?: string;
}

/** The flags that all commands with a tree have. */
export function addTreeFlags(command: Command, cells: number, fronts: number): Command {
  return command
    .option('--cells <number>', 'how many cells', String(cells))
    .option('--fronts <number>', 'how many fronts', String(fronts))
    .option('--port <port>', 'of the first front; the others follow (default: 5240, or the next that is free)');
}

/** @throws SettingsError when it is not a whole number from `low` to `high`. */
export function wholeNumber(text: string, name: string, low: number, high: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new SettingsError(`${name} takes a whole number from ${low} to ${high}, not «${text}».`);
}

/** The options of a tree out of a command's flags. */
export function treeOptions(given: TreeCommand, flags: TreeFlags, story: Story, signal: AbortSignal): UpOptions {
  return {
    ...(flags.data === undefined ? {} : { data: flags.data }),
    ...(flags.port === undefined ? {} : { port: wholeNumber(flags.port, '--port', 1, 65_000) }),
    cells: wholeNumber(flags.cells, '--cells', 1, 50),
    fronts: wholeNumber(flags.fronts, '--fronts', 1, 20),
    images: given.images,
    program: given.program,
    environment: given.environment,
    door: given.door,
    whyNoLoaders: given.whyNoLoaders,
    story,
    signal,
  };
}

/** Where it is and how to get in. */
export function tellAccess(tree: Tree, story: Story, webPage: boolean): void {
  const { plan, admin } = tree;
  story.say('');
  story.say(`  URL       ${plan.fronts.map(({ url }) => `${url}/MAAS/`).join('  ')}`);
  if (webPage) story.say(`  web page  ${plan.fronts.map(({ url }) => `${url}/`).join('  ')}`);
  story.say(`  user      ${admin.username}`);
  story.say(`  password  ${admin.password ?? '(as it was)'}`);
  story.say(`  API key   ${admin.apiKey}`);
  story.say(`  data      ${tree.folder}${tree.temporary ? ' (removed at the end)' : ''}`);
  story.say('');
}

export function upCommand(given: TreeCommand): Command {
  const command = new Command('up').description(
    'Run hub, fronts and cells here, joined. As root on Linux each cell has a rack in a network namespace of its own, with DHCP inside.',
  );
  command.option('--data <folder>', 'keep the data here; left out, a temporary folder that is removed at the end');
  return addTreeFlags(command, 1, 1).action(async (flags: TreeFlags) => {
    const story = createStory(given.write);
    const { signal, ended } = stopSignal(given);
    await using tree = await raiseTree(treeOptions(given, flags, story, signal));
    tellAccess(tree, story, given.webPage);
    story.say('Ctrl-C stops it.');
    await ended;
    story.tell('stopping: fronts, then cells, then the hub');
  });
}

/** Aborts at Ctrl-C, so that what is coming up goes down again in order. */
export function stopSignal(given: TreeCommand): { readonly signal: AbortSignal; readonly ended: Promise<void> } {
  const stopping = new AbortController();
  const ended = given.untilStopped().then(() => stopping.abort(new Error('stopped before it was up; everything is removed')));
  return { signal: stopping.signal, ended };
}
