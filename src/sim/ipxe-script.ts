/**
 * iPXE's script language, the part that a cell writes: read into lines of commands, run against a machine's loader. An unknown command is an
 * error that fails the boot, so that nothing is rendered for real firmware that only a lenient simulator would take.
 */

export type IpxeEnd =
  | { readonly end: 'kernel'; readonly kernel: string; readonly initrd: string; readonly line: string }
  /** The local disk, by the firmware (`sanboot`) or a small GRUB. */
  | { readonly end: 'disk' }
  | { readonly end: 'off' }
  /** Back to the firmware, which tries its next entry. */
  | { readonly end: 'exit'; readonly code: number };

export interface IpxeLoader {
  /** Settings: `platform`, `uuid`, `serial`, `netX/mac`, `buildarch`. */
  readonly settings: ReadonlyMap<string, string>;
  /** A file of the server, by path or URL; undefined when it could not be had. */
  fetchText(path: string): Promise<string | undefined>;
  /** Fetch without keeping it; false when it could not be had. */
  fetchFile(path: string): Promise<boolean>;
  /** Would the first disk boot? */
  diskBoots(): boolean;
  sleep(seconds: number): Promise<void>;
  /** What is shown on the console. */
  echo(text: string): void;
}

/** Between `||` and `&&`: what must have happened before for this command to run. */
interface Command {
  readonly when: 'always' | 'failed' | 'succeeded';
  readonly words: readonly string[];
}

type Line = { readonly label: string } | { readonly commands: readonly Command[] };

/** More commands than any boot needs that is not a loop without a pause. */
const mostCommands = 10_000;

export class IpxeError extends Error {
  override readonly name = 'IpxeError';
}

/** @throws IpxeError when it does not begin with `#!ipxe`. */
export function parseIpxe(text: string): Line[] {
  const [first, ...rest] = text.split('\n');
  if (first?.trim() !== '#!ipxe') throw new IpxeError('a boot script must begin with #!ipxe');
  return rest.map((line): Line => {
    const trimmed = line.trim();
    if (trimmed.startsWith('#') || trimmed === '') return { commands: [] };
    if (trimmed.startsWith(':')) return { label: trimmed.slice(1) };
    const commands: Command[] = [];
    let when: Command['when'] = 'always';
    let words: string[] = [];
    for (const word of trimmed.split(/\s+/)) {
      if (word !== '||' && word !== '&&') words.push(word);
      else {
        commands.push({ when, words });
        words = [];
        when = word === '||' ? 'failed' : 'succeeded';
      }
    }
    return { commands: [...commands, { when, words }] };
  });
}

interface State {
  lines: Line[];
  at: number;
  /** The server that the running script came from: paths are relative to it. */
  base: string;
  settings: Map<string, string>;
  kernel: { path: string; line: string } | undefined;
  initrd: string | undefined;
  left: number;
}

type Outcome = boolean | IpxeEnd;

/** `${tries}`, `${netX/mac:hexhyp}`, `${serial:uristring}`; unset settings are empty. */
export function expandIpxe(word: string, settings: ReadonlyMap<string, string>): string {
  return word.replace(/\$\{([^}]*)\}/g, (_, inner: string) => {
    const [name = '', format] = inner.split(':', 2);
    const value = settings.get(name) ?? '';
    if (format === undefined || format === 'int32' || format === 'string') return value;
    if (format === 'hexhyp') return value.replaceAll(':', '-');
    if (format === 'uristring') return encodeURIComponent(value);
    throw new IpxeError(`iPXE has no format ${JSON.stringify(format)} here`);
  });
}

/**
 * Run a script until something boots or it ends. @throws IpxeError for what this iPXE does not know.
 * @param base the server that it came from, `http://10.40.1.1:5240`; left out: paths stay as they are
 */
export async function runIpxe(text: string, loader: IpxeLoader, base = ''): Promise<IpxeEnd> {
  const state: State = {
    lines: parseIpxe(text),
    at: 0,
    base,
    settings: new Map(loader.settings),
    kernel: undefined,
    initrd: undefined,
    left: mostCommands,
  };
  while (state.at < state.lines.length) {
    const line = state.lines[state.at];
    state.at += 1;
    if (line === undefined || 'label' in line) continue;
    const outcome = await runLine(line.commands, state, loader);
    if (typeof outcome === 'object') return outcome;
    // A script ends at the first failure that nothing caught, and the firmware goes on.
    if (!outcome) return { end: 'exit', code: 1 };
  }
  return { end: 'exit', code: 0 };
}

async function runLine(commands: readonly Command[], state: State, loader: IpxeLoader): Promise<Outcome> {
  let good = true;
  for (const { when, words } of commands) {
    if ((when === 'failed' && good) || (when === 'succeeded' && !good)) continue;
    if (state.left-- <= 0) throw new IpxeError(`a boot script of more than ${mostCommands} commands`);
    const outcome = await runCommand(
      words.map((word) => expandIpxe(word, state.settings)),
      state,
      loader,
    );
    if (typeof outcome === 'object') return outcome;
    good = outcome;
  }
  return good;
}

/** Flags and their values apart from the rest. @throws IpxeError for a flag that is not in `known`. */
function options(
  words: readonly string[],
  known: Readonly<Record<string, 'flag' | 'value'>>,
): { given: Map<string, string>; rest: string[] } {
  const given = new Map<string, string>();
  const rest = [...words];
  while (rest[0]?.startsWith('--')) {
    const name = rest.shift() ?? '';
    const kind = known[name];
    if (kind === undefined) throw new IpxeError(`the option ${name} is not known`);
    given.set(name, kind === 'value' ? (rest.shift() ?? '') : '');
  }
  return { given, rest };
}

async function runCommand(words: readonly string[], state: State, loader: IpxeLoader): Promise<Outcome> {
  const [name, ...rest] = words;
  switch (name) {
    case undefined:
      return true;
    case 'echo':
      loader.echo(rest.join(' '));
      return true;
    case 'isset':
      return (rest[0] ?? '') !== '';
    case 'iseq':
      return rest[0] === rest[1];
    case 'set':
      state.settings.set((rest[0] ?? '').split(':', 1)[0] ?? '', rest.slice(1).join(' '));
      return true;
    case 'inc':
      state.settings.set(rest[0] ?? '', String(Number(state.settings.get(rest[0] ?? '') ?? 0) + Number(rest[1] ?? 1)));
      return true;
    case 'goto':
      return jump(rest[0] ?? '', state);
    case 'sleep':
      await loader.sleep(Number(rest[0] ?? 0));
      return true;
    case 'exit':
      return { end: 'exit', code: Number(rest[0] ?? 0) };
    case 'imgfree':
      state.kernel = undefined;
      state.initrd = undefined;
      return true;
    case 'sanboot':
      options(rest, { '--no-describe': 'flag', '--drive': 'value', '--keep': 'flag' });
      return loader.diskBoots() ? { end: 'disk' } : false;
    case 'initrd':
    case 'kernel':
      return image(name, rest, state, loader);
    case 'boot':
      if (state.kernel === undefined || state.initrd === undefined) return false;
      return { end: 'kernel', kernel: state.kernel.path, initrd: state.initrd, line: state.kernel.line };
    case 'chain':
      return chain(rest, state, loader);
    default:
      throw new IpxeError(`the command ${JSON.stringify(name)} is not known`);
  }
}

function jump(label: string, state: State): true {
  const found = state.lines.findIndex((line) => 'label' in line && line.label === label);
  if (found < 0) throw new IpxeError(`there is no label ${JSON.stringify(label)}`);
  state.at = found;
  return true;
}

async function image(name: 'initrd' | 'kernel', words: readonly string[], state: State, loader: IpxeLoader): Promise<boolean> {
  const { rest } = options(words, { '--name': 'value' });
  const path = resolved(rest[0] ?? '', state);
  if (!(await loader.fetchFile(path))) return false;
  if (name === 'initrd') state.initrd = path;
  else state.kernel = { path, line: rest.slice(1).join(' ') };
  return true;
}

/** A script replaces the one that runs; the cell's two small GRUBs are known by their names, since nothing here runs machine code. */
async function chain(words: readonly string[], state: State, loader: IpxeLoader): Promise<Outcome> {
  const { given, rest } = options(words, { '--autofree': 'flag', '--replace': 'flag' });
  const path = resolved(rest[0] ?? '', state);
  if (/^(?:http:\/\/[^/]+)?\/boot\/loader\/local\.[a-z]+$/.test(path)) {
    if (!(await loader.fetchFile(path))) return false;
    return loader.diskBoots() ? { end: 'disk' } : { end: 'exit', code: 1 };
  }
  if (/^(?:http:\/\/[^/]+)?\/boot\/loader\/off\.[a-z]+$/.test(path)) return (await loader.fetchFile(path)) ? { end: 'off' } : false;
  if (!given.has('--replace')) throw new IpxeError(`chain ${path}: a script is only chained with --replace`);
  const text = await loader.fetchText(path);
  if (text === undefined) return false;
  state.lines = parseIpxe(text);
  state.at = 0;
  state.base = /^http:\/\/[^/]+/.exec(path)?.[0] ?? '';
  return true;
}

/** A path is of the server that the script came from; a URL is what it is. */
function resolved(path: string, { base }: State): string {
  return path.startsWith('/') ? base + path : path;
}
